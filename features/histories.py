"""What is known of courses whoever asks, of a learner's past, and of what everybody takes: what features compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.kernel_arrays import Rows

Floats = NDArray[np.float32]

HOUR = 3_600_000_000
DAY = 24 * HOUR


@dataclass(frozen=True)
class CourseTraits:
    """What is known of courses whoever asks, in the order of one sorted array of ids.

    Attributes:
        course_ids: int64[n], sorted.
        topics: binary float32[n, number of topics]; a course is also on the parents of its topics.
        content: float32[n, k], unit-length vectors (`features.similarity.content_vectors`).
        titles: float32[n, w], unit-length vectors of the words of titles (`features.similarity.title_vectors`).
        levels: int64[n], a code below 16 for each level.
        languages: int64[n], a code from 0 for each language.
    """

    course_ids: Integers
    topics: Sparse
    content: Sparse
    titles: Sparse
    levels: Integers
    languages: Integers

    def __len__(self) -> int:
        """Return how many courses there are."""
        return len(self.course_ids)

    @cached_property
    def described(self) -> Rows:
        """float32[3n, k + w + t]: rows of content, then of titles, then of topics, each with columns of its own.

        One product with it answers for all three.
        """
        matrix: Sparse = sp.block_diag((self.content, self.titles, self.topics), format="csr", dtype=np.float32)
        matrix.sort_indices()
        return Rows(matrix)

    @cached_property
    def about(self) -> Sparse:
        """float32[n, k + w], content and titles."""
        matrix: Sparse = sp.hstack((self.content, self.titles), format="csr", dtype=np.float32)
        return matrix

    @cached_property
    def contents(self) -> Rows:
        """The content, as loops read it."""
        return Rows(self.content)

    @cached_property
    def topic_counts(self) -> Floats:
        """float32[n], how many topics each course is on, at least 1."""
        return np.maximum(np.diff(self.topics.indptr), 1).astype(np.float32)

    @cached_property
    def language_count(self) -> int:
        """How many codes of languages there are."""
        return int(self.languages.max(initial=0)) + 1


@dataclass(frozen=True)
class History:
    """What one learner had taken before a moment of decision, the newest first.

    Attributes:
        courses: int64[h], positions of courses.
        moments: int64[h], microseconds since 1970, each strictly before the decision's.
        now: the moment of decision.
    """

    courses: Integers
    moments: Integers
    now: int

    @property
    def ages(self) -> Integers:
        """int64[h], how many courses are newer."""
        return np.arange(len(self.courses), dtype=np.int64)


@dataclass(frozen=True)
class Histories:
    """What learners had taken before their moment of decision, the newest first.

    Attributes:
        offsets: int64[d + 1], where each decision's history starts and ends.
        courses: int64[e], positions of courses.
        moments: int64[e], microseconds since 1970, each strictly before its decision's.
        now: int64[d], the moments of decision.
    """

    offsets: Integers
    courses: Integers
    moments: Integers
    now: Integers

    def __len__(self) -> int:
        """Return how many decisions there are."""
        return len(self.now)

    def __iter__(self) -> Iterator[History]:
        """Yield the history of each decision."""
        bounds = self.offsets.tolist()
        for start, end, now in zip(bounds[:-1], bounds[1:], self.now.tolist(), strict=True):
            yield History(self.courses[start:end], self.moments[start:end], now)

    @property
    def lengths(self) -> Integers:
        """int64[d], how many courses each history holds."""
        return np.diff(self.offsets)

    @property
    def decisions(self) -> Integers:
        """int64[e], the decision that each entry belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @property
    def ages(self) -> Integers:
        """int64[e], how many courses of the same history are newer."""
        return np.arange(len(self.courses), dtype=np.int64) - np.repeat(self.offsets[:-1], self.lengths)

    def taken(self, size: int) -> NDArray[np.bool_]:
        """Return bool[d, size], whether a course is in the history."""
        marks = np.zeros((len(self), size), np.bool_)
        marks[self.decisions, self.courses] = True
        return marks


@dataclass(frozen=True)
class Popularity:
    """What many take, and what follows from it for every learner.

    Attributes:
        counts: float32[n], enrollments in the last 30 days, strictly before the moment.
    """

    counts: Floats

    @classmethod
    def of(cls, counts: NDArray[np.floating]) -> Popularity:
        """Return the popularity of counts; what is missing, infinite or negative counts as none."""
        with np.errstate(over="ignore"):
            read = np.asarray(counts, np.float32)
        return cls(np.where(np.isfinite(read) & (read > 0), read, np.float32(0)))

    @cached_property
    def order(self) -> Integers:
        """int64[n], positions of the courses, most popular first; equal ones by position."""
        return np.argsort(-self.counts, kind="stable").astype(np.int64)

    @cached_property
    def taken(self) -> Integers:
        """int64[p], positions of the courses that anybody took, ascending."""
        return np.flatnonzero(self.counts > 0).astype(np.int64)

    @cached_property
    def weights(self) -> Floats:
        """float32[p], log(1 + count) of those that anybody took."""
        return np.log1p(self.counts[self.taken])

    @cached_property
    def largest(self) -> float:
        """The count of the most popular course."""
        return float(self.counts.max(initial=0.0))
