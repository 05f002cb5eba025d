"""What a set of lists is like beyond how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.pair import Histories
from training.history import LearningHistory
from training.metrics import CUTOFF

NO_COURSE = -1


@dataclass(frozen=True)
class ListQuality:
    """Figures of the first ten courses of many lists.

    Attributes:
        coverage: share of the published courses that is in any list.
        diversity: mean of 1 - cosine of what two courses of a list are about.
        novelty: mean of -log2 of the share of enrollments that a course has, in bits.
        popularity_lift: mean enrollments of the courses listed over that of the courses taken before; 1 is no lift.
        calibration: mean Jensen-Shannon divergence of the topics of a list from those of the history, in bits from
            0 (alike) to 1 (nothing in common).
    """

    coverage: float
    diversity: float
    novelty: float
    popularity_lift: float
    calibration: float


def first_ten(rows: Integers, columns: Integers, scores: NDArray[np.floating], count: int) -> Integers:
    """Return int64[count, 10], the best courses of each decision, `NO_COURSE` where there are fewer.

    Args:
        rows: int64[m], ascending.
        columns: int64[m].
        scores: float[m].
        count: number of decisions.
    """
    order = np.lexsort((columns, -scores, rows))
    place = np.arange(len(rows)) - np.searchsorted(rows[order], rows[order])
    kept = place < CUTOFF
    lists = np.full((count, CUTOFF), NO_COURSE, np.int64)
    lists[rows[order][kept], place[kept]] = columns[order][kept]
    return lists


def list_quality(history: LearningHistory, histories: Histories, lists: Integers, counts: Integers) -> ListQuality:
    """Judge lists.

    Args:
        history: whose traits are read.
        histories: of the d learners.
        lists: int64[d, 10].
        counts: int64[n], known enrollments of each course.
    """
    listed = lists[lists != NO_COURSE]
    shares = (counts + 1) / (counts + 1).sum()
    taken = counts[histories.courses].mean() if len(histories.courses) else 0.0
    shown = counts[listed].mean() if len(listed) else 0.0
    return ListQuality(
        coverage=len(np.unique(listed)) / max(1, int(history.published.sum())),
        diversity=_diversity(history, lists),
        novelty=float(-np.log2(shares[listed]).mean()) if len(listed) else 0.0,
        popularity_lift=float(shown / taken) if taken else 0.0,
        calibration=_calibration(history, histories, lists),
    )


def _diversity(history: LearningHistory, lists: Integers) -> float:
    content, total, pairs = history.traits.content, 0.0, 0
    for one in lists:
        courses = one[one != NO_COURSE]
        if len(courses) > 1:
            vectors = content[courses]
            likeness = (vectors @ vectors.T).toarray()
            count = len(courses) * (len(courses) - 1)
            total += count - (likeness.sum() - np.trace(likeness))
            pairs += count
    return float(total / pairs) if pairs else 0.0


def _calibration(history: LearningHistory, histories: Histories, lists: Integers) -> float:
    topics, found = history.traits.topics, []
    for row, one in enumerate(lists):
        before = histories.courses[histories.offsets[row] : histories.offsets[row + 1]]
        ours, theirs = (_distribution(topics, each) for each in (one[one != NO_COURSE], before))
        if ours is not None and theirs is not None:
            found.append(_divergence(ours, theirs))
    return float(np.mean(found)) if found else 0.0


def _distribution(topics: Sparse, courses: Integers) -> NDArray[np.float64] | None:
    sums = np.asarray(topics[courses].sum(axis=0), np.float64).ravel()
    return sums / sums.sum() if sums.sum() else None


def _divergence(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    middle = (ours + theirs) / 2
    return (_kullback_leibler(ours, middle) + _kullback_leibler(theirs, middle)) / 2


def _kullback_leibler(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    known = one > 0
    return float((one[known] * np.log2(one[known] / other[known])).sum())
