"""How good a ranking is: full ranking over every course that was not taken before, ties counted against us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from features.similarity import Integers, Similarities, fit_similarities
from training.baselines import Scorer, item_knn, popularity
from training.dataset import Examples, PointInTimeFeatures, examples, merged, with_features
from training.history import LearningHistory
from training.split import Protocol, Stage, decided

CUTOFF = 10
NOT_RANKED = np.iinfo(np.int64).max
_CHUNK = 256


@dataclass(frozen=True)
class Metrics:
    """Figures of one ranker.

    Attributes:
        hit_rate: share of learners whose course is among the first ten (HR@10).
        ndcg: mean of 1 / log2(1 + rank) where the rank is at most ten, else 0 (NDCG@10).
    """

    hit_rate: float
    ndcg: float


@dataclass(frozen=True)
class Evaluation:
    """The table that `waymark model evaluate` prints.

    Attributes:
        protocol: how the decisions were chosen.
        learners: how many learners were evaluated.
        rankers: figures by name: `popularity` and `item-knn` know what the model knows. `recent-popularity`
            (the 30 days before the decision) and `model-daily`, in a time split, know of other learners what
            happened until the day of the decision, as serving does.
        retrieved: share of the decisions whose course was among the model's candidates.
    """

    protocol: Protocol
    learners: int
    rankers: dict[str, Metrics]
    retrieved: float

    @property
    def gain(self) -> float:
        """NDCG@10 of the model over that of popularity."""
        baseline = self.rankers["popularity"].ndcg
        return self.rankers["model"].ndcg / baseline if baseline else float("inf")

    def as_json(self) -> dict[str, Any]:
        """Return every figure, as JSON has it."""
        return {**asdict(self), "protocol": self.protocol.value, "cutoff": CUTOFF}


def evaluate(
    history: LearningHistory,
    protocol: Protocol,
    test: Stage,
    booster: xgboost.Booster,
    features: PointInTimeFeatures,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Rank the courses of every test decision with the model and the baselines.

    Args:
        history: the log.
        protocol: named in the result.
        test: what is known, and the decisions.
        booster: the ranker, which has seen none of the decisions.
        features: stored features as of each decision.
        advance: told how many decisions were done.
    """
    size = len(history.traits)
    known = history.interactions.select(test.known)
    similarities = fit_similarities(known, size)
    ranks = {
        "popularity": _baseline_ranks(history, test, popularity(known, size)),
        "item-knn": _baseline_ranks(history, test, item_knn(similarities, size)),
        "recent-popularity": _baseline_ranks(history, test, lambda histories: history.popularity(histories.now)),
        "model": _model_ranks(history, test, similarities, booster, features, advance=advance),
    }
    if test.until is not None:
        daily = replace(test, until=None)
        ranks["model-daily"] = _model_ranks(history, daily, similarities, booster, features, advance=advance)
    return Evaluation(
        protocol=protocol,
        learners=len(test.decisions),
        rankers={name: metrics(values) for name, values in ranks.items()},
        retrieved=float(np.mean(ranks["model"] != NOT_RANKED)),
    )


def metrics(ranks: Integers) -> Metrics:
    """Return the figures of int64[d] ranks, which count from 1."""
    hits = ranks <= CUTOFF
    gains = np.where(hits, 1 / np.log2(np.minimum(ranks, CUTOFF) + 1), 0.0)
    return Metrics(hit_rate=float(hits.mean()), ndcg=float(gains.mean()))


def ranks_among(scores: NDArray[Any], targets: Integers, eligible: NDArray[np.bool_]) -> Integers:
    """Return int64[d], the target's rank among the eligible courses; those that tie with it stand before it.

    Args:
        scores: numbers [d, n].
        targets: int64[d].
        eligible: bool[d, n].
    """
    reached = scores >= np.take_along_axis(scores, targets[:, None], axis=1)
    counted: Integers = (reached & eligible).sum(axis=1)
    return np.where(eligible[np.arange(len(targets)), targets], counted, NOT_RANKED)


def _baseline_ranks(history: LearningHistory, test: Stage, scorer: Scorer) -> Integers:
    ranks = [np.empty(0, np.int64)]
    for start in range(0, len(test.decisions), _CHUNK):
        decisions = test.decisions[start : start + _CHUNK]
        histories = decided(history, decisions)
        eligible = ~histories.taken(len(history.traits)) & history.published
        ranks.append(ranks_among(scorer(histories), history.interactions.courses[decisions], eligible))
    return np.concatenate(ranks)


def _model_ranks(
    history: LearningHistory,
    test: Stage,
    similarities: Similarities,
    booster: xgboost.Booster,
    features: PointInTimeFeatures,
    *,
    advance: Callable[[int], None],
) -> Integers:
    """Return ranks among the candidates, which are what serving ranks; a course that is none is not ranked."""
    ranks = [np.empty(0, np.int64)]
    for part in merged(examples(history, test, similarities)):
        scores = booster.inplace_predict(with_features(history, part, features))
        ranks.append(_candidate_ranks(part, scores))
        advance(len(part.decisions))
    return np.concatenate(ranks)


def _candidate_ranks(part: Examples, scores: NDArray[Any]) -> Integers:
    count = len(part.decisions)
    targets = np.full(count, np.inf)
    targets[part.rows[part.taken]] = scores[part.taken]
    reached = np.bincount(part.rows, weights=scores >= targets[part.rows], minlength=count).astype(np.int64)
    return np.where(np.isfinite(targets), reached, NOT_RANKED)
