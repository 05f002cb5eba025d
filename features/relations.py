"""How one learner's history relates to every course: what retrieval and the pair features read.

Only courses that a similarity names have values of their own, so that the cost follows from the length of the
history and not from the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.histories import CourseTraits, Floats, History, Popularity
from features.interactions import Integers
from features.kernel_arrays import Groups, Into, Places
from features.kernels import kernels
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
_DECAYS = [np.asarray(decay ** np.arange(reach), np.float64) for reach, decay in WEIGHING.values()]
_SHARES = RECENCY ** np.arange(RECENT)


@dataclass(frozen=True)
class Relations:
    """How one history relates to every course.

    Attributes:
        courses: int64[h], the latest courses of the history, newest first.
        similarities: that it was compared by.
        near: int64[t], positions of the courses that any similarity names, ascending.
        places: int32[n], where a course stands in `near`, from 1; 0 for all others.
        values: float32[7, t + 1], by similarity, in the order of `WEIGHING`, its values with the latest courses,
            weighted by recency. The first column is zero, for the courses that no similarity names.
        described: float32[3, n]: cosine-like overlap of content, and of the words of titles, with the
            recency-weighted history; and the recency-weighted share of the history that is on a topic of the course,
            averaged over its topics.
        words: int32[k], where each column of `CourseTraits.described` stands among those of the history, from 1, or 0,
            and one more than there are of these.
        popularity: of the moment.
    """

    courses: Integers
    similarities: Similarities
    near: Integers
    places: Places
    values: Floats
    described: Floats
    words: Into
    popularity: Popularity

    @property
    def sums(self) -> Floats:
        """float32[7, t], the values of the courses that are near."""
        return self.values[:, 1:]


def relate(history: History, similarities: Similarities, traits: CourseTraits, popularity: Popularity) -> Relations:
    """Compare a history with every course.

    Args:
        history: of one decision.
        similarities: fitted before it.
        traits: of n courses.
        popularity: strictly before the moment.
    """
    courses = history.courses[:RECENT]
    near, places, values = _similar(courses, similarities)
    described, words = _described(courses, traits)
    return Relations(courses, similarities, near, places, values, described, words, popularity)


def _similar(courses: Integers, similarities: Similarities) -> tuple[Integers, Places, Floats]:
    """Return the attributes `near`, `places` and `values` of `Relations`."""
    rows, loops, asked = similarities.rows, kernels(), _WEIGHTED[len(courses)]
    which = asked.rows(courses, rows.width)
    near, places = loops.named_columns(rows, which)
    return near, places, loops.grouped_sums(rows, which, asked.groups, (places, len(near) + 1))


def similar_to(relations: Relations, columns: Integers, out: Floats) -> Floats:
    """Return float32[16, m], what similarities say of some courses.

    By similarity, in the order of `WEIGHING`, its values with the latest courses, weighted by recency; then its values
    with the newest course; then the sums of `UNWEIGHTED`.

    Args:
        relations: of the history.
        columns: int64[m], positions of courses.
        out: what is returned, filled.
    """
    rows, asked = relations.similarities.rows, _PLAIN[len(relations.courses)]
    places = np.zeros(rows.width, np.int32)
    places[columns] = np.arange(1, len(columns) + 1)
    into = places, len(columns) + 1
    plain = kernels().grouped_sums(rows, asked.rows(relations.courses, rows.width), asked.groups, into)
    weighted = len(WEIGHING)
    # Clipping takes without a copy between; every place is one that there is.
    relations.values.take(relations.places[columns], axis=1, out=out[:weighted], mode="clip")
    plain.take(places[columns], axis=1, out=out[weighted:], mode="clip")
    return out


@dataclass(frozen=True)
class _Asked:
    """Which rows of the similarities are summed for a history of some length, and how.

    Attributes:
        ages: int64[e], how many courses are newer than the one whose row it is.
        parts: int64[e], the number of the similarity.
        groups: weights of the e, and where the sums end.
    """

    ages: Integers
    parts: Integers
    groups: Groups

    @classmethod
    def of(cls, parts: Sequence[int], weights: Sequence[NDArray[np.float64]]) -> _Asked:
        """Return sums of similarities, each over as many of the latest courses as it has weights."""
        lengths = [len(each) for each in weights]
        return cls(
            ages=np.concatenate([np.arange(each, dtype=np.int64) for each in lengths]),
            parts=np.repeat(np.array(parts, np.int64), lengths),
            groups=Groups(np.concatenate(weights), np.cumsum(lengths, dtype=np.int64)),
        )

    def rows(self, courses: Integers, size: int) -> Integers:
        """Return int64[e], the rows of similarities of `size` courses each."""
        return courses[self.ages] + self.parts * size


def _weighted(length: int) -> _Asked:
    return _Asked.of(range(len(WEIGHING)), [each[:length] for each in _DECAYS])


def _plain(length: int) -> _Asked:
    flat = [_SIMILARITIES.index(name) for name in UNWEIGHTED]
    sums = [np.ones(min(WEIGHING[name][0], length)) for name in UNWEIGHTED]
    newest = [np.ones(min(1, length))] * len(WEIGHING)
    return _Asked.of([*range(len(WEIGHING)), *flat], [*newest, *sums])


def _profile(length: int) -> Groups:
    shares = _SHARES[:length]
    return Groups.one(np.tile(shares / shares.sum(), len(DESCRIBED)))


# By the length of the history.
_WEIGHTED = tuple(map(_weighted, range(RECENT + 1)))
_PLAIN = tuple(map(_plain, range(RECENT + 1)))
_PROFILES = (Groups.one(np.zeros(0)), *map(_profile, range(1, RECENT + 1)))
_BOTH = Groups.one(np.ones(2))


def _described(courses: Integers, traits: CourseTraits) -> tuple[Floats, Into]:
    """Return the attributes `described` and `words` of `Relations`."""
    rows, loops, which = traits.described, kernels(), _stacked(courses, len(traits), len(DESCRIBED))
    named, places = loops.named_columns(rows, which)
    words = places, len(named) + 1
    profile = loops.grouped_sums(rows, which, _PROFILES[len(courses)], words)[0, 1:]
    overlap = loops.times_vector(rows, named, profile).reshape(len(DESCRIBED), len(traits))
    overlap[-1] /= traits.topic_counts
    return overlap, words


def described_alike(relations: Relations, traits: CourseTraits, columns: Integers) -> Floats:
    """Return float32[2, m], cosines of the content and of the titles of courses with those of the newest course."""
    rows, loops, size = traits.described, kernels(), len(traits)
    newest = loops.grouped_sums(rows, _stacked(relations.courses[:1], size, 2), _BOTH, relations.words)[0]
    which = _stacked(columns, size, 2)
    return loops.rows_times_vector(rows, which, relations.words[0], newest).reshape(2, len(columns))


def _stacked(courses: Integers, size: int, count: int) -> Integers:
    """Return the rows of courses in the first `count` parts of `CourseTraits.described`."""
    return np.concatenate([courses + part * size for part in range(count)])
