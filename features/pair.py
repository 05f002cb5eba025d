"""What a learner's history says of a course: one vectorized computation, for training and for serving.

A batch of decisions is answered at once; serving passes a batch of one. Nothing here knows a statistic of
its own: histories hold only what lies strictly before the decision, similarities were fitted before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.similarity import Similarities

Floats = NDArray[np.float32]

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
HOUR = 3_600_000_000
DAY = 24 * HOUR

_RELATIVE = ("item_item", "transitions", "linear", "sequential", "content", "titles", "topics", "popularity")
PAIR_FEATURES: tuple[str, ...] = (
    *(f"pair_{name}" for name in WEIGHING),
    *(f"pair_{name}_last" for name in WEIGHING),
    "pair_item_item_flat",
    "pair_linear_flat",
    "pair_content",
    "pair_content_last",
    "pair_titles",
    "pair_titles_last",
    "pair_topics",
    "pair_popularity",
    "pair_topic_popularity",
    *(f"pair_{name}_relative" for name in _RELATIVE),
    "pair_level_share",
    "pair_language_share",
    "pair_language_popularity",
    "pair_hours_since_last",
    "pair_history_length",
    "pair_days_since_first",
    "pair_courses_last_day",
    "pair_courses_last_month",
)


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
class Relations:
    """How histories relate to every course; each float32[d, n]. Retrieval reads them too.

    Attributes:
        sums: by similarity, its values with the latest courses, weighted by recency (`WEIGHING`).
        lasts: by similarity, its value with the newest course.
        item_item_flat: cosines with the history, unweighted.
        linear_flat: the linear model's values, unweighted.
        content: cosine-like overlap of content with the recency-weighted history.
        content_last: cosine of content with the newest.
        titles: overlap of the words of titles with the recency-weighted history.
        titles_last: cosine of the words of titles with the newest.
        topics: recency-weighted share of the history that is on a topic of the course, averaged over its topics.
        popularity: enrollments in the last 30 days, strictly before the moment.
    """

    sums: Mapping[str, Floats]
    lasts: Mapping[str, Floats]
    item_item_flat: Floats
    linear_flat: Floats
    content: Floats
    content_last: Floats
    titles: Floats
    titles_last: Floats
    topics: Floats
    popularity: Floats


def relate(
    histories: Histories, similarities: Similarities, traits: CourseTraits, popularity: NDArray[np.floating[Any]]
) -> Relations:
    """Compare each history with every course.

    Args:
        histories: of d decisions.
        similarities: fitted before them.
        traits: of n courses.
        popularity: float32[d, n] or float32[1, n], enrollments in the last 30 days, strictly before the moment.
    """
    ages, decisions = histories.ages, histories.decisions
    recent = ages < RECENT
    rows, courses, ages = decisions[recent], histories.courses[recent], ages[recent]
    last = ages == 0
    shape = (len(histories), len(traits))
    sums, lasts, flat = {}, {}, {}
    for name, matrix in similarities.matrices.items():
        reach, decay = WEIGHING[name]
        near = ages < reach
        keys, values, entries = spread(matrix, rows[near], courses[near], shape[1])
        sums[name] = _total(keys, values * (decay ** ages[near])[entries], shape)
        newest = last[near][entries]
        lasts[name] = _total(keys[newest], values[newest], shape)
        if name in {"item_item", "linear"}:
            flat[name] = _total(keys, values, shape)
    profile = _profile(rows, courses, RECENCY**ages, shape)
    final = _profile(rows[last], courses[last], np.ones(int(last.sum())), shape)
    known = np.nan_to_num(np.asarray(popularity, np.float32), nan=0.0, posinf=0.0)
    return Relations(
        sums=sums,
        lasts=lasts,
        item_item_flat=flat["item_item"],
        linear_flat=flat["linear"],
        content=_overlap(profile, traits.content),
        content_last=_overlap(final, traits.content),
        titles=_overlap(profile, traits.titles),
        titles_last=_overlap(final, traits.titles),
        topics=_averaged(_overlap(profile, traits.topics), traits.topics),
        popularity=np.broadcast_to(known, shape),
    )


def pair_features(
    relations: Relations, histories: Histories, traits: CourseTraits, rows: Integers, columns: Integers
) -> Floats:
    """Return float32[m, len(PAIR_FEATURES)] for m pairs of a decision and a course.

    Args:
        relations: of `histories` with every course.
        histories: what was known at the decisions.
        traits: of every course.
        rows: int64[m], positions of decisions.
        columns: int64[m], positions of courses.
    """
    compared = (
        *(relations.sums[name] for name in WEIGHING),
        *(relations.lasts[name] for name in WEIGHING),
        relations.item_item_flat,
        relations.linear_flat,
        relations.content,
        relations.content_last,
        relations.titles,
        relations.titles_last,
        relations.topics,
    )
    features = [values[rows, columns] for values in compared]
    popularity = relations.popularity[rows, columns]
    features += [popularity, relations.topics[rows, columns] * np.log1p(popularity)]
    features += [_relative(_related(relations, name), rows, columns) for name in _RELATIVE]
    languages = _share(histories, traits.languages)[rows, traits.languages[columns]]
    features += [_share(histories, traits.levels)[rows, traits.levels[columns]], languages, languages * popularity]
    features += [values[rows] for values in _context(histories)]
    return np.stack(features, axis=1).astype(np.float32, copy=False)


def _related(relations: Relations, name: str) -> Floats:
    """Return a relation by its name."""
    found: Floats = relations.sums[name] if name in relations.sums else getattr(relations, name)
    return found


def spread(matrix: Sparse, rows: Integers, courses: Integers, size: int) -> tuple[Integers, Floats, Integers]:
    """Look up the matrix rows of many courses at once.

    Args:
        matrix: float32[n, n].
        rows: int64[e], the decision of each entry.
        courses: int64[e], the row that is wanted for each entry.
        size: n.

    Returns:
        For every stored value: decision * n + column, the value, and the number of its entry.
    """
    starts = matrix.indptr[courses].astype(np.int64)
    lengths = matrix.indptr[courses + 1] - starts
    entries = np.repeat(np.arange(len(courses), dtype=np.int64), lengths)
    within = np.arange(len(entries), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.repeat(starts, lengths) + within
    return rows[entries] * size + matrix.indices[places], matrix.data[places], entries


def _total(keys: Integers, values: NDArray[Any], shape: tuple[int, int]) -> Floats:
    sums = np.bincount(keys, weights=values, minlength=shape[0] * shape[1])
    return sums.astype(np.float32).reshape(shape)


def _profile(rows: Integers, courses: Integers, weights: NDArray[Any], shape: tuple[int, int]) -> Sparse:
    """Return float32[d, n], weights of the courses of each history, adding up to 1."""
    totals = np.bincount(rows, weights=weights, minlength=shape[0])
    shares = (weights / totals[rows]).astype(np.float32)
    return sp.coo_array((shares, (rows, courses)), shape=shape).tocsr()


def _overlap(profile: Sparse, vectors: Sparse) -> Floats:
    wanted = (profile @ vectors).toarray()
    overlap: Floats = np.asarray((vectors @ wanted.T).T, dtype=np.float32)
    return overlap


def _averaged(overlap: Floats, topics: Sparse) -> Floats:
    """Return the overlap divided by how many topics each course is on."""
    averaged: Floats = np.divide(overlap, np.maximum(np.diff(topics.indptr), 1), dtype=np.float32)
    return averaged


def _relative(values: Floats, rows: Integers, columns: Integers) -> Floats:
    """Return the values of pairs as shares of the largest of their decision."""
    largest = values.max(axis=1, initial=0.0)
    shares: Floats = np.divide(values[rows, columns], np.where(largest > 0, largest, 1)[rows], dtype=np.float32)
    return shares


def _share(histories: Histories, codes: Integers) -> Floats:
    """Return float32[d, codes], the share of each history that has a code."""
    counts = np.zeros((len(histories), int(codes.max(initial=0)) + 1), np.float32)
    np.add.at(counts, (histories.decisions, codes[histories.courses]), 1.0)
    shares: Floats = np.divide(counts, np.maximum(histories.lengths, 1)[:, None], dtype=np.float32)
    return shares


def _context(histories: Histories) -> list[Floats]:
    """Return float32[d] each: hours since the last, length, days since the first, taken in a day and a month."""
    lengths, decisions = histories.lengths, histories.decisions
    elapsed = histories.now[decisions] - histories.moments
    known = lengths > 0
    newest, oldest = np.full(len(lengths), np.nan), np.full(len(lengths), np.nan)
    newest[known] = elapsed[histories.offsets[:-1][known]] / HOUR
    oldest[known] = elapsed[histories.offsets[1:][known] - 1] / DAY
    counted = [np.bincount(decisions, weights=elapsed < span, minlength=len(lengths)) for span in (DAY, 30 * DAY)]
    return [values.astype(np.float32) for values in (newest, lengths, oldest, *counted)]
