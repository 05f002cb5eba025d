"""What a ranker has to beat: the strong classical models, on the same knowledge, each tuned on validation only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Interactions, Sparse, strongest_of
from features.linear import LARGEST, ease
from features.pair import Histories
from features.similarity import fit_item_item, fit_transitions
from training.factors import FoldIn, item_factors
from training.history import LearningHistory
from training.metrics import gains, ranks_among
from training.parallel import in_order
from training.split import Stage, decided

_CHUNK = 256
_BLENDS = 60
_BLENDED = 1_500

Setting = Mapping[str, float]


class Scorer(Protocol):
    """Scores every course for each of a batch of histories."""

    def __call__(self, histories: Histories) -> NDArray[Any]:
        """Return numbers [d, n]; more is better."""
        ...


@dataclass
class Knowledge:
    """What baselines are fitted on.

    Attributes:
        history: of which popularity before a moment is asked.
        known: the enrollments that statistics are fitted on.
        models: what several baselines share, by name and setting.
        threads: how many may fit and score; the figures are the same with any.
    """

    history: LearningHistory
    known: Interactions
    models: dict[tuple[str, float], Any] = field(default_factory=dict)
    threads: int = 1

    @property
    def size(self) -> int:
        """Number of courses."""
        return len(self.history.traits)

    @cached_property
    def item_item(self) -> Sparse:
        """float32[n, n], as of `Similarities`."""
        return fit_item_item(self.known, self.size)

    @cached_property
    def transitions(self) -> Sparse:
        """float32[n, n], as of `Similarities`."""
        return fit_transitions(self.known, self.size)

    @cached_property
    def taken(self) -> Sparse:
        """Binary float32[learners, n]."""
        entries = (np.ones(len(self.known), np.float32), (self.known.learners, self.known.courses))
        matrix = sp.coo_array(entries, shape=(len(self.history.learner_ids), self.size)).tocsr()
        matrix.data[:] = 1.0
        return matrix

    def shared(self, name: str, setting: float, fit: Callable[[], Any]) -> Any:
        """Return a model that was fitted before, or fit it."""
        if (name, setting) not in self.models:
            self.models[name, setting] = fit()
        return self.models[name, setting]


def popularity(knowledge: Knowledge, _setting: Setting) -> Scorer:
    """Score by the number of enrollments, the same for everybody."""
    counts = np.bincount(knowledge.known.courses, minlength=knowledge.size).astype(np.float64)
    return lambda histories: np.broadcast_to(counts, (len(histories), knowledge.size))


def recent_popularity(knowledge: Knowledge, setting: Setting) -> Scorer:
    """Score by the enrollments of the last `days` before the moment of decision."""
    return lambda histories: knowledge.history.popularity(histories.now, int(setting["days"]))


def item_knn(knowledge: Knowledge, setting: Setting) -> Scorer:
    """Score by the sum of cosines with the whole history (Sarwar et al., 2001), of the `neighbors` nearest courses."""
    nearest = strongest_of(knowledge.item_item, int(setting["neighbors"]))
    return lambda histories: (_weighted(histories, 1.0, knowledge.size) @ nearest).toarray()


def als(knowledge: Knowledge, setting: Setting) -> Scorer:
    """Score by the factors of weighted alternating least squares (Hu, Koren and Volinsky, 2008)."""
    alpha = setting["alpha"]
    factors = knowledge.shared("als", alpha, lambda: item_factors(knowledge.taken, alpha, knowledge.threads))
    fold_in = FoldIn(factors, alpha)
    return lambda histories: fold_in(_weighted(histories, 1.0, knowledge.size)) @ factors.T


def ease_scorer(knowledge: Knowledge, setting: Setting) -> Scorer:
    """Score by EASE (Steck, 2019); a `decay` below one weighs older courses of the history less."""
    kept, weights = knowledge.shared("ease", setting["ridge"], lambda: _ease(knowledge, setting["ridge"]))

    def score(histories: Histories) -> NDArray[Any]:
        scores = np.zeros((len(histories), knowledge.size), np.float32)
        scores[:, kept] = _weighted(histories, setting["decay"], knowledge.size)[:, kept] @ weights
        return scores

    return score


def transitions(knowledge: Knowledge, setting: Setting) -> Scorer:
    """Score by what was taken soon after the latest courses (a Markov chain with skips)."""
    rates = knowledge.transitions
    return lambda histories: (_weighted(histories, setting["decay"], knowledge.size) @ rates).toarray()


@dataclass(frozen=True)
class Baseline:
    """A model and the settings that it is tried with."""

    fit: Callable[[Knowledge, Setting], Scorer]
    grid: Mapping[str, tuple[float, ...]]

    def settings(self) -> Iterator[Setting]:
        """Yield every combination."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


_RIDGES = (50.0, 100.0, 200.0, 400.0)
CLASSICS: Mapping[str, Baseline] = {
    "popularity": Baseline(popularity, {}),
    "recent-popularity": Baseline(recent_popularity, {"days": (7, 30, 90)}),
    "item-knn": Baseline(item_knn, {"neighbors": (20, 50, 200)}),
    "als": Baseline(als, {"alpha": (5.0, 20.0, 80.0)}),
    "ease": Baseline(ease_scorer, {"ridge": _RIDGES, "decay": (1.0,)}),
    "ease-recency": Baseline(ease_scorer, {"ridge": _RIDGES, "decay": (0.9, 0.8, 0.7)}),
    "transitions": Baseline(transitions, {"decay": (0.8, 0.6, 0.4)}),
}
"""All of them but the blend, which is made of them."""
QUICK = ("popularity", "recent-popularity", "item-knn")
"""Those that every training is compared with."""
BLENDED = ("ease-recency", "item-knn", "transitions", "recent-popularity")


def tuned(
    names: tuple[str, ...], knowledge: Knowledge, validation: Stage, advance: Callable[[int], None] = lambda _: None
) -> dict[str, Setting]:
    """Return the setting of each baseline with the best NDCG@10 on the validation decisions; the first of equals.

    Args:
        names: of `CLASSICS`.
        knowledge: of the moment of validation.
        validation: decisions that come before the test.
        advance: told after each baseline.
    """
    best: dict[str, Setting] = {}
    for name in names:
        settings = list(CLASSICS[name].settings())
        if len(settings) == 1:
            best[name] = settings[0]
        else:
            found = [_ndcg(CLASSICS[name].fit(knowledge, setting), knowledge, validation) for setting in settings]
            best[name] = settings[int(np.argmax(found))]
        advance(1)
    return best


def blend(
    best: Mapping[str, Setting], knowledge: Knowledge, validation: Stage, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the weights of `BLENDED` that rank the validation decisions best, of `_BLENDS` random ones.

    Args:
        best: settings of the members.
        knowledge: of the moment of validation.
        validation: decisions that come before the test; at most `_BLENDED` of them are asked.
        rng: draws weights and decisions.
    """
    drawn = rng.dirichlet(np.ones(len(BLENDED)), _BLENDS)
    scorers = [CLASSICS[name].fit(knowledge, best[name]) for name in BLENDED]
    chosen = validation.decisions
    if len(chosen) > _BLENDED:
        chosen = np.sort(rng.choice(chosen, _BLENDED, replace=False))

    def gained(part: Integers) -> NDArray[np.float64]:
        histories, targets, eligible = asked(knowledge.history, validation, part)
        scores = [_standard(scorer(histories)) for scorer in scorers]
        mixtures = (sum(weight * each for weight, each in zip(weights, scores, strict=True)) for weights in drawn)
        return np.array([gains(ranks_among(np.asarray(each), targets, eligible)).sum() for each in mixtures])

    totals = np.zeros(len(drawn))
    for each in in_order(gained, _chunks(chosen), knowledge.threads):
        totals += each
    return np.asarray(drawn[int(np.argmax(totals))], np.float64)


def blended(best: Mapping[str, Setting], weights: NDArray[np.float64], knowledge: Knowledge) -> Scorer:
    """Return the weighted sum of standardized scores of `BLENDED`."""
    scorers = [CLASSICS[name].fit(knowledge, best[name]) for name in BLENDED]
    return lambda histories: np.asarray(
        sum(weight * _standard(scorer(histories)) for weight, scorer in zip(weights, scorers, strict=True))
    )


def scorer_ranks(history: LearningHistory, stage: Stage, scorer: Scorer, threads: int = 1) -> Integers:
    """Return int64[d], the ranks of the courses that were decided on, among all that were not taken."""

    def ranked(part: Integers) -> Integers:
        histories, targets, eligible = asked(history, stage, part)
        return ranks_among(scorer(histories), targets, eligible)

    return np.concatenate([np.empty(0, np.int64), *in_order(ranked, _chunks(stage.decisions), threads)])


def asked(history: LearningHistory, stage: Stage, decisions: Integers) -> tuple[Histories, Integers, NDArray[np.bool_]]:
    """Return what was known at decisions, int64[d] the courses that were taken, and bool[d, n] that may be ranked."""
    histories = decided(history, stage, decisions)
    eligible = ~histories.taken(len(history.traits)) & history.published
    return histories, history.interactions.courses[decisions], eligible


def _ndcg(scorer: Scorer, knowledge: Knowledge, stage: Stage) -> float:
    if not len(stage.decisions):
        return 0.0
    return float(gains(scorer_ranks(knowledge.history, stage, scorer, knowledge.threads)).mean())


def _ease(knowledge: Knowledge, ridge: float) -> tuple[Integers, NDArray[np.float32]]:
    taken = knowledge.taken
    counts = np.bincount(taken.indices, minlength=knowledge.size)
    kept = np.sort(np.argsort(-counts, kind="stable")[:LARGEST]).astype(np.int64)
    return kept, ease(taken[:, kept], ridge)


def _weighted(histories: Histories, decay: float, size: int) -> Sparse:
    entries = ((decay**histories.ages).astype(np.float32), (histories.decisions, histories.courses))
    return sp.coo_array(entries, shape=(len(histories), size)).tocsr()


def _standard(scores: NDArray[Any]) -> NDArray[np.float32]:
    deviations = scores.std(axis=1, keepdims=True)
    standard: NDArray[np.float32] = (scores / np.where(deviations > 0, deviations, 1.0)).astype(np.float32)
    return standard


def _chunks(decisions: Integers) -> Iterator[Integers]:
    for start in range(0, len(decisions), _CHUNK):
        yield decisions[start : start + _CHUNK]
