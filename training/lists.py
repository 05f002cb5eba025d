"""What a set of lists is like beyond how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.pair import Histories
from training.history import LearningHistory
from training.metrics import CUTOFF

NO_COURSE = -1
_CHUNK = 2_048


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
    lengths = np.asarray(content.multiply(content).sum(axis=1), np.float64).ravel()
    for start in range(0, len(lists), _CHUNK):
        listed = _listed(lists[start : start + _CHUNK], len(history.traits))
        sums = listed @ content
        # The square of a sum holds each pair twice, and each course with itself.
        alike = np.asarray(sums.multiply(sums).sum(axis=1), np.float64).ravel() - listed @ lengths
        counts = np.diff(listed.indptr).astype(np.int64)
        total += float((counts * (counts - 1) - alike)[counts > 1].sum())
        pairs += int((counts * (counts - 1)).sum())
    return total / pairs if pairs else 0.0


def _calibration(history: LearningHistory, histories: Histories, lists: Integers) -> float:
    topics, found = history.traits.topics, [np.empty(0)]
    size = len(history.traits)
    for start in range(0, len(lists), _CHUNK):
        part = lists[start : start + _CHUNK]
        first, last = histories.offsets[start], histories.offsets[start + len(part)]
        rows = np.repeat(np.arange(len(part)), histories.lengths[start : start + len(part)])
        taken = _counted(rows, histories.courses[first:last], (len(part), size))
        ours, theirs = (_distributions(each @ topics) for each in (_listed(part, size), taken))
        both = (ours.sum(axis=1) > 0) & (theirs.sum(axis=1) > 0)
        found.append(_divergences(ours[both], theirs[both]))
    each = np.concatenate(found)
    return float(each.mean()) if len(each) else 0.0


def _listed(lists: Integers, size: int) -> Sparse:
    """Return float64[d, size], 1 where a course is in a list."""
    rows, places = np.nonzero(lists != NO_COURSE)
    return _counted(rows, lists[rows, places], (len(lists), size))


def _counted(rows: Integers, columns: Integers, shape: tuple[int, int]) -> Sparse:
    return sp.coo_array((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()


def _distributions(sums: Sparse) -> NDArray[np.float64]:
    """Return float64[d, t], the shares of the sums of each row; zeros for a row of nothing."""
    dense = np.asarray(sums.toarray(), np.float64)
    whole = dense.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(dense, whole, out=np.zeros_like(dense), where=whole > 0)
    return shares


def _divergences(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64[d], the Jensen-Shannon divergences of rows, in bits."""
    middle = (ours + theirs) / 2
    return (_kullback_leibler(ours, middle) + _kullback_leibler(theirs, middle)) / 2


def _kullback_leibler(ours: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    ratios = np.divide(ours, others, out=np.ones_like(ours), where=ours > 0)
    sums: NDArray[np.float64] = (ours * np.log2(ratios)).sum(axis=1)
    return sums
