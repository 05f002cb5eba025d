"""What exposures teach a ranker, corrected for the places that they were shown at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from features.pair import Floats
from serving.artifact import LearnedExposures
from training.dataset import Dataset
from training.exposures import Exposures
from training.propensities import STARTS, Propensities

FEWEST_CONTESTS = 1_000
"""Choices between places below which nothing is learned: the correction would be noise, and without one the ranker
would learn its own places again."""
CLIPPED = 10.0
"""How much more a choice counts than at the place that is looked at most: the few far down must not decide all."""


class Lessons(NamedTuple):
    """What exposures teach a ranker: one group a choice.

    Attributes:
        vectors: float32[m, k].
        taken: bool[m], one in each group.
        groups: int64[m], from 0, ascending.
        weights: float64[g], of each group; their mean is 1.
    """

    vectors: Floats
    taken: NDArray[np.bool_]
    groups: Integers
    weights: NDArray[np.float64]


def lessons(exposures: Exposures, propensities: Propensities, most: int) -> Lessons:
    """Return each chosen place against the places of its list that were not chosen.

    Each counts inversely to how much its place is looked at, which makes the sum over what was looked at that over
    everything: Joachims, Swaminathan and Schnabel, Unbiased Learning-to-Rank with Biased Feedback, 2017.

    Args:
        exposures: what was shown.
        propensities: of the places.
        most: how many choices at most, the latest.
    """
    found = list(_groups(exposures))[-most:] if most > 0 else []
    positions = np.concatenate([np.empty(0, np.int64), *found])
    winners = np.array([group[0] for group in found], np.int64)
    weights = np.minimum(1 / propensities.of(exposures.places[winners]), CLIPPED)
    return Lessons(
        vectors=exposures.vectors[exposures.rows[positions]],
        taken=exposures.chosen[positions],
        groups=np.repeat(np.arange(len(found), dtype=np.int64), [len(group) for group in found]),
        weights=weights / weights.mean() if len(weights) else weights,
    )


def taught(dataset: Dataset, exposures: Exposures, fill: Floats) -> tuple[Dataset, LearnedExposures]:
    """Return decisions with what exposures teach, and a record of that; the same decisions where it is nothing.

    At most as many choices as there are decisions are added, the latest, and on the average each counts like a
    decision.

    Args:
        dataset: the decisions.
        exposures: all that may be known.
        fill: float32[k], what is read in place of a missing value.
    """
    propensities = exposures.propensities
    found = lessons(exposures, propensities, dataset.decisions)
    enough = propensities.contests >= FEWEST_CONTESTS and len(found.weights) > 0
    record = LearnedExposures(
        lists=len(np.unique(exposures.lists)),
        places=len(exposures),
        chosen=int(exposures.chosen.sum()),
        releases=exposures.by_release,
        contests=propensities.contests,
        propensities=dict(zip(map(str, STARTS), propensities.values, strict=True)) if enough else {},
        learned=len(found.weights) if enough else 0,
    )
    return (_joined(dataset, found, fill) if enough else dataset), record


def _joined(dataset: Dataset, found: Lessons, fill: Floats) -> Dataset:
    filled = np.where(np.isnan(found.vectors), fill, found.vectors)
    # Decisions whose course was no candidate have no group, and so no weight.
    return replace(
        dataset,
        vectors=np.concatenate([dataset.vectors, filled]),
        taken=np.concatenate([dataset.taken, found.taken]),
        groups=np.concatenate([dataset.groups, found.groups + dataset.decisions]),
        weights=np.concatenate([np.ones(len(np.unique(dataset.groups))), found.weights]),
    )


def _groups(exposures: Exposures) -> Iterator[Integers]:
    """Yield the positions of each chosen place, which is first, and of what was passed over."""
    readable = np.flatnonzero(exposures.rows >= 0)
    _, starts = np.unique(exposures.lists[readable], return_index=True)
    for positions in np.split(readable, starts[1:]):
        chosen = exposures.chosen[positions]
        passed = positions[~chosen]
        if len(passed):
            for winner in positions[chosen]:
                yield np.concatenate([[winner], passed])
