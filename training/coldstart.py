"""New learners: how good the first page is when only stated topics are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.interactions import Integers
from training.history import LearningHistory
from training.metrics import gains, ranks_among
from training.split import Stage

STATED = 0.8
"""Chance that a learner states a topic of the course that will be taken."""
NOISE = 1
"""Topics that a learner states besides, drawn from all."""
_CHUNK = 256


@dataclass(frozen=True)
class ColdStart:
    """NDCG@10 for learners whose history is hidden, after their stated topics.

    Attributes:
        learners: how many.
        preference: NDCG@10 by stated topics, then popularity in them, as the preference strategy ranks.
        popularity: NDCG@10 by popularity alone.
        ratio: the one over the other; infinite where popularity has none.
    """

    learners: int
    preference: float
    popularity: float
    ratio: float


def cold_start(history: LearningHistory, test: Stage, counts: Integers, rng: np.random.Generator) -> ColdStart:
    """Simulate new learners: each states the topics of the course that is taken next, with gaps and noise.

    Args:
        history: whose traits are read.
        test: the decisions.
        counts: int64[n], known enrollments of each course.
        rng: of gaps and noise.
    """
    decisions = test.decisions
    targets = history.interactions.courses[decisions]
    topics = history.traits.topics
    popularity = counts.astype(np.float64)
    ours, theirs = [np.empty(0)], [np.empty(0)]
    for start in range(0, len(decisions), _CHUNK):
        chosen = targets[start : start + _CHUNK]
        stated = topics[chosen].toarray() * (rng.random((len(chosen), topics.shape[1])) < STATED)
        for _ in range(NOISE if topics.shape[1] else 0):
            stated[np.arange(len(chosen)), rng.integers(0, topics.shape[1], len(chosen))] = 1.0
        matches = (topics @ stated.T).T
        eligible = np.broadcast_to(history.published, matches.shape)
        # A course on more of the topics stands before every course on fewer.
        scores = matches * (popularity.max(initial=0.0) + 1) + popularity
        ours.append(gains(ranks_among(scores, chosen, eligible)))
        theirs.append(gains(ranks_among(np.broadcast_to(popularity, matches.shape), chosen, eligible)))
    preference, baseline = float(np.concatenate(ours).mean()), float(np.concatenate(theirs).mean())
    return ColdStart(len(decisions), preference, baseline, preference / baseline if baseline else np.inf)
