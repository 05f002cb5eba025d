"""How one learner's history relates to every course: what retrieval and the pair features read.

Only courses that a similarity names have values of their own, so that the cost follows from the length of the
history and not from the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.histories import CourseTraits, Floats, History, Popularity
from features.interactions import Integers, Sparse
from features.similarity import Similarities

RECENT = 30
"""How many of the latest courses of a history are compared."""
RECENCY = 0.85
"""Weight of a course in a history, to the power of how many were taken since."""
TRANSITION_RECENT = 8
TRANSITION_RECENCY = 0.6
SEQUENTIAL_RECENCY = 0.8
WEIGHING: Mapping[str, tuple[int, float]] = MappingProxyType(
    {
        "item_item": (RECENT, RECENCY),
        "companions": (RECENT, RECENCY),
        "nearby": (RECENT, RECENCY),
        "transitions": (TRANSITION_RECENT, TRANSITION_RECENCY),
        "linear": (RECENT, RECENCY),
        "sequential": (RECENT, SEQUENTIAL_RECENCY),
        "latent": (RECENT, RECENCY),
    }
)
"""By similarity, how many of the latest courses speak, and the weight of one to the power of how many are newer."""
UNWEIGHTED = ("item_item", "linear")
"""Similarities whose plain sum over the history is a feature too."""
DESCRIBED = ("content", "titles", "topics")

_SIMILARITIES = tuple(WEIGHING)
_ROWS = 2 * len(_SIMILARITIES) + len(UNWEIGHTED)
_DECAYS = [decay ** np.arange(reach) for reach, decay in WEIGHING.values()]
_SMALL = 250_000
"""Values that are read faster from one end to the other than looked up."""
_SHARES = RECENCY ** np.arange(RECENT)


@dataclass(frozen=True)
class Relations:
    """How one history relates to every course.

    Attributes:
        near: int64[t], positions of the courses that any similarity names, ascending.
        places: int64[n], where a course stands in `near`; t for all others.
        values: float32[16, t + 1]: by similarity, in the order of `WEIGHING`, its values with the latest courses,
            weighted by recency; then its values with the newest course; then the sums of `UNWEIGHTED`. The last
            column is zero, for the courses that no similarity names.
        described: float32[3, n]: cosine-like overlap of content, and of the words of titles, with the
            recency-weighted history; and the recency-weighted share of the history that is on a topic of the course,
            averaged over its topics.
        popularity: of the moment.
    """

    near: Integers
    places: NDArray[np.intp]
    values: Floats
    described: Floats
    popularity: Popularity

    @property
    def sums(self) -> Floats:
        """float32[7, t], the recency-weighted values, by similarity."""
        return self.values[: len(_SIMILARITIES), :-1]


def relate(history: History, similarities: Similarities, traits: CourseTraits, popularity: Popularity) -> Relations:
    """Compare a history with every course.

    Args:
        history: of one decision.
        similarities: fitted before it.
        traits: of n courses.
        popularity: strictly before the moment.
    """
    near, places, values = _similar(history.courses[:RECENT], similarities, len(traits))
    return Relations(near, places, values, _described(history.courses[:RECENT], traits), popularity)


def _similar(
    courses: Integers, similarities: Similarities, size: int
) -> tuple[Integers, NDArray[np.intp], NDArray[np.float32]]:
    """Return the attributes `near`, `places` and `values` of `Relations`."""
    reaches = [min(reach, len(courses)) for reach, _ in WEIGHING.values()]
    rows = np.concatenate([courses[:reach] + number * size for number, reach in enumerate(reaches)])
    columns, stored, lengths = rows_of(similarities.stacked, rows)
    if not columns:
        none = np.zeros(0, np.int64)
        return none, np.zeros(size, np.intp), np.zeros((_ROWS, 1), np.float32)
    found, plain = np.concatenate(columns), np.concatenate(stored)
    named = np.zeros(size, np.bool_)
    named[found] = True
    near = named.nonzero()[0]
    count = len(near)
    places = np.full(size, count, np.intp)
    places[near] = np.arange(count)
    local = places[found]
    weights = np.concatenate([decays[:reach] for decays, reach in zip(_DECAYS, reaches, strict=True)])
    weighted = plain * np.repeat(weights, lengths)
    ends = np.cumsum([0, *lengths]).tolist()
    firsts = [0, *accumulate(reaches)]
    bounds = [ends[first] for first in firsts]
    values = np.zeros((_ROWS, count + 1), np.float32)
    for row, (start, end) in enumerate(pairwise(bounds)):
        values[row] = np.bincount(local[start:end], weighted[start:end], count + 1)
        last = slice(start, ends[firsts[row] + 1])
        values[len(_SIMILARITIES) + row, local[last]] = plain[last]
    for row, name in enumerate(UNWEIGHTED, start=2 * len(_SIMILARITIES)):
        start, end = bounds[_SIMILARITIES.index(name) :][:2]
        values[row] = np.bincount(local[start:end], plain[start:end], count + 1)
    return near, places, values


def rows_of(matrix: Sparse, rows: Integers) -> tuple[list[NDArray[np.integer]], list[Floats], list[int]]:
    """Return the columns and the values of some rows of a matrix, a view each, and how many they are."""
    indices, data = matrix.indices, matrix.data
    spans = [slice(*span) for span in zip(matrix.indptr[rows].tolist(), matrix.indptr[rows + 1].tolist(), strict=True)]
    return [indices[span] for span in spans], [data[span] for span in spans], [span.stop - span.start for span in spans]


def spread(matrix: Sparse, rows: Integers) -> tuple[NDArray[np.integer], Floats, Integers]:
    """Look up many rows of a matrix at once.

    Args:
        matrix: float32[n, k].
        rows: int64[e], the row that is wanted for each entry.

    Returns:
        For every stored value: its column, the value, and the number of its entry.
    """
    starts = matrix.indptr[rows].astype(np.int64)
    lengths = matrix.indptr[rows + 1] - starts
    entries = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
    places = np.arange(len(entries), dtype=np.int64) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return matrix.indices[places], matrix.data[places], entries


def _described(courses: Integers, traits: CourseTraits) -> Floats:
    size = len(traits)
    shares = _SHARES[: len(courses)]
    weights = np.tile(shares / shares.sum(), len(DESCRIBED))
    profile = _combined(traits.described, _stacked(courses, size, len(DESCRIBED)), weights)
    matrix: Sparse | sp.csc_array[Any] = traits.described
    if matrix.nnz > _SMALL:
        # What the history does not share with a course needs no look.
        named = profile.nonzero()[0]
        columns, values, lengths = rows_of(traits.described_by, named)
        parts = (_joined(values, np.float32), _joined(columns, np.int32), np.cumsum([0, *lengths], dtype=np.int32))
        matrix, profile = sp.csc_array(parts, shape=(matrix.shape[0], len(named))), profile[named]
    overlap: Floats = (matrix @ profile).reshape(len(DESCRIBED), size)
    overlap[-1] /= traits.topic_counts
    return overlap


def _joined(parts: list[NDArray[Any]], kind: type[np.number[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def described_alike(traits: CourseTraits, course: int, columns: Integers) -> Floats:
    """Return float32[2, m], cosines of the content and of the titles of courses with those of one course."""
    size, matrix = len(traits), traits.described
    wanted = _combined(matrix, _stacked(np.array([course]), size, 2), np.ones(2))
    found, values, entries = spread(matrix, _stacked(columns, size, 2))
    return np.bincount(entries, values * wanted[found], 2 * len(columns)).astype(np.float32).reshape(2, len(columns))


def _stacked(courses: Integers, size: int, count: int) -> Integers:
    """Return the rows of courses in the first `count` parts of `CourseTraits.described`."""
    return np.concatenate([courses + part * size for part in range(count)])


def _combined(matrix: Sparse, rows: Integers, weights: NDArray[np.float64]) -> Floats:
    """Return float32[k], the weighted sum of some rows of a matrix."""
    columns, values, lengths = rows_of(matrix, rows)
    if not columns:
        return np.zeros(matrix.shape[1], np.float32)
    weighted = np.concatenate(values) * np.repeat(weights, lengths)
    return np.bincount(np.concatenate(columns), weighted, matrix.shape[1]).astype(np.float32)
