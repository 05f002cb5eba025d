"""How the places of lists are shared out among those who teach: whether a few providers have most of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.pair import Histories
from training.history import LearningHistory
from training.lists import NO_COURSE
from training.metrics import CUTOFF

TOP = 0.01
"""The share of the providers that is looked at by itself."""


@dataclass(frozen=True)
class Concentration:
    """How unequal the exposure of providers is: their shares of the places of many lists.

    Attributes:
        gini: Gini coefficient of the shares (as Fleder and Hosanagar, "Blockbuster Culture's Next Rise or Fall", 2009,
            of products), from 0 (all alike) to 1 (one has all).
        herfindahl: sum of the squared shares (Herfindahl-Hirschman index), from 1 / providers to 1; its inverse is how
            many providers of equal shares would be as concentrated.
        top_share: share of all places that the most shown 1% of the providers have, at least one.
    """

    gini: float
    herfindahl: float
    top_share: float


@dataclass(frozen=True)
class ProviderConcentration:
    """Concentration by providers, which are the instructors of published courses.

    Attributes:
        providers: how many there are.
        rankers: of the first ten of the lists, by ranker: `model`, `popularity`, and `catalog`, where every published
            course has the same number of places.
    """

    providers: int
    rankers: Mapping[str, Concentration]


def provider_concentration(
    history: LearningHistory, histories: Histories, lists: Integers, counts: Integers
) -> ProviderConcentration | None:
    """Return how the lists of a model and of popularity treat providers; None where no course names any.

    Args:
        history: whose providers are read.
        histories: of the d learners.
        lists: int64[d, 10], the model's, `NO_COURSE` where they are shorter.
        counts: int64[n], known enrollments of each course.
    """
    if history.providers is None:
        return None
    size = len(history.traits)
    places = {
        "model": np.bincount(lists[lists != NO_COURSE], minlength=size),
        "popularity": _popular_places(history, histories, counts),
        "catalog": history.published.astype(np.int64),
    }
    # Who only teaches what is not published cannot be shown.
    shown = history.providers[np.flatnonzero(history.published)]
    providers = history.providers[:, np.unique(shown.indices)].tocsr()
    if providers.shape[1] == 0:
        return None
    rankers = {name: concentration(exposure(each, providers)) for name, each in places.items()}
    return ProviderConcentration(providers.shape[1], rankers)


def exposure(places: Integers, providers: Sparse) -> NDArray[np.float64]:
    """Return float64[p], the places of each provider; those who teach a course together share its places alike.

    Args:
        places: int64[n], how many places each course has.
        providers: binary [n, p].
    """
    together = np.diff(providers.indptr)
    shares = np.divide(places, together, out=np.zeros(len(places)), where=together > 0)
    summed: NDArray[np.float64] = providers.T @ shares
    return summed


def concentration(exposed: NDArray[np.float64]) -> Concentration:
    """Return the figures of float64[p] exposures, p > 0; where nobody is shown, nothing is concentrated."""
    count, total = len(exposed), float(exposed.sum())
    if total <= 0:
        return Concentration(0.0, 0.0, 0.0)
    shares = np.sort(exposed) / total
    ranks = np.arange(1, count + 1)
    top = max(1, int(np.ceil(TOP * count)))
    return Concentration(
        gini=float((2 * ranks - count - 1) @ shares / count),
        herfindahl=float(shares @ shares),
        top_share=float(shares[-top:].sum()),
    )


def _popular_places(history: LearningHistory, histories: Histories, counts: Integers) -> Integers:
    """Return int64[n], how many places each course has when every learner is shown the most taken ten of the others."""
    ordered = np.argsort(-counts, kind="stable")
    ordered = ordered[history.published[ordered]]
    places = np.zeros(len(counts), np.int64)
    for one in histories:
        # Of so many, ten are left whatever was taken.
        head = ordered[: CUTOFF + len(one.courses)]
        places[head[~np.isin(head, one.courses)][:CUTOFF]] += 1
    return places
