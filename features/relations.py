"""How one learner's history relates to every course: what retrieval and the pair features read.

Only courses that a similarity names have values of their own, so that the cost follows from the length of the
history and not from the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.histories import CourseTraits, Floats, History, Popularity
from features.interactions import Integers
from features.kernels import Groups, Places, Rows, kernels
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
_DECAYS = [decay ** np.arange(reach) for reach, decay in WEIGHING.values()]
_SHARES = RECENCY ** np.arange(RECENT)


@dataclass(frozen=True)
class Relations:
    """How one history relates to every course.

    Attributes:
        near: int64[t], positions of the courses that any similarity names, ascending.
        places: int32[n], where a course stands in `near`, from 1; 0 for all others.
        values: float32[16, t + 1]: by similarity, in the order of `WEIGHING`, its values with the latest courses,
            weighted by recency; then its values with the newest course; then the sums of `UNWEIGHTED`. The first
            column is zero, for the courses that no similarity names.
        described: float32[3, n]: cosine-like overlap of content, and of the words of titles, with the
            recency-weighted history; and the recency-weighted share of the history that is on a topic of the course,
            averaged over its topics.
        popularity: of the moment.
    """

    near: Integers
    places: Places
    values: Floats
    described: Floats
    popularity: Popularity

    @property
    def sums(self) -> Floats:
        """float32[7, t], the recency-weighted values, by similarity."""
        return self.values[: len(_SIMILARITIES), 1:]


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


def _similar(courses: Integers, similarities: Similarities, size: int) -> tuple[Integers, Places, Floats]:
    """Return the attributes `near`, `places` and `values` of `Relations`."""
    asked = _ASKED[len(courses)]
    rows, loops = similarities.rows, kernels()
    which = courses[asked.ages] + asked.parts * size
    near, places = loops.named_columns(rows, which[: asked.named])
    return near, places, loops.grouped_sums(rows, which, asked.groups, (places, len(near) + 1))


@dataclass(frozen=True)
class _Asked:
    """Which rows of the similarities are summed for a history of some length, and how.

    Attributes:
        ages: int64[e], how many courses are newer than the one whose row it is.
        parts: int64[e], the number of the similarity.
        groups: weights of the e, and where the 16 sums end that are rows of `Relations.values`.
        named: the first so many of the e name all columns.
    """

    ages: Integers
    parts: Integers
    groups: Groups
    named: int

    @classmethod
    def of(cls, length: int) -> _Asked:
        """Return what is asked of a history of `length` courses."""
        reaches = [min(reach, length) for reach, _ in WEIGHING.values()]
        newest = [min(1, length)] * len(WEIGHING)
        plain = [_SIMILARITIES.index(name) for name in UNWEIGHTED]
        lengths = [*reaches, *newest, *(reaches[number] for number in plain)]
        numbers = [*range(len(WEIGHING)), *range(len(WEIGHING)), *plain]
        weights = [_DECAYS[number][:reach] for number, reach in enumerate(reaches)]
        others = sum(lengths[len(reaches) :])
        return cls(
            ages=np.concatenate([np.arange(each, dtype=np.int64) for each in lengths]),
            parts=np.repeat(np.array(numbers, np.int64), lengths),
            groups=Groups(np.concatenate([*weights, np.ones(others)]), np.cumsum(lengths, dtype=np.int64)),
            named=sum(reaches),
        )


_ASKED = tuple(_Asked.of(length) for length in range(RECENT + 1))


def _described(courses: Integers, traits: CourseTraits) -> Floats:
    size = len(traits)
    shares = _SHARES[: len(courses)]
    weights = np.tile(shares / shares.sum(), len(DESCRIBED))
    profile = _combined(traits.described, _stacked(courses, size, len(DESCRIBED)), weights)
    overlap = kernels().times_vector(traits.described, profile).reshape(len(DESCRIBED), size)
    overlap[-1] /= traits.topic_counts
    return overlap


def described_alike(traits: CourseTraits, course: int, columns: Integers) -> Floats:
    """Return float32[2, m], cosines of the content and of the titles of courses with those of one course."""
    size, matrix = len(traits), traits.described
    wanted = _combined(matrix, _stacked(np.array([course]), size, 2), np.ones(2))
    return kernels().rows_times_vector(matrix, _stacked(columns, size, 2), wanted).reshape(2, len(columns))


def _stacked(courses: Integers, size: int, count: int) -> Integers:
    """Return the rows of courses in the first `count` parts of `CourseTraits.described`."""
    return np.concatenate([courses + part * size for part in range(count)])


def _combined(matrix: Rows, rows: Integers, weights: NDArray[np.float64]) -> Floats:
    """Return float32[k], the weighted sum of some rows of a matrix."""
    combined: Floats = kernels().grouped_sums(matrix, rows, Groups.one(weights), None)[0]
    return combined
