"""Why a course is in a list: what contributed the most to its being found, and nothing that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import CourseTraits, Floats, History
from features.interactions import Integers, Sparse, spread
from features.kernel_arrays import Groups
from features.kernels import kernels
from features.relations import RECENCY, RECENT, TRANSITION_RECENCY, TRANSITION_RECENT, WEIGHING
from features.similarity import Similarities, positions_of
from serving.rankings import Reason, ReasonKind

_PARTS = tuple(WEIGHING)
MOST_REASONS = 2
POPULAR_PLACES = 100
"""A course is called popular when it is among so many of the last 30 days, by enrollments."""
TOPIC_PLACES = 10
"""A course is called popular in a topic when it is among so many of the topic."""


@dataclass(frozen=True)
class PopularityBars:
    """How many enrollments of the last 30 days make a course popular; never less than one.

    Attributes:
        overall: among all courses.
        by_topic: float32[t], among the courses on a topic.
    """

    overall: float
    by_topic: Floats


@dataclass(frozen=True)
class Evidence:
    """What one ranking was made from.

    Attributes:
        history: of the learner.
        similarities: of the retrievers.
        traits: of the courses.
        topic_ids: int64[t], what the columns of the traits' topics mean.
        popularity: float32[n], enrollments in the last 30 days.
        bars: what counts as popular.
        goals: ids of the topics that the learner chose.
    """

    history: History
    similarities: Similarities
    traits: CourseTraits
    topic_ids: Integers
    popularity: Floats
    bars: PopularityBars
    goals: frozenset[int]


def popularity_bars(popularity: Floats, topics: Sparse) -> PopularityBars:
    """Return what counts as popular.

    Args:
        popularity: float32[n], enrollments in the last 30 days.
        topics: binary float32[n, t].
    """
    members = topics.T.tocsr()
    by_topic = [
        _bar(popularity[members.indices[start:end]], TOPIC_PLACES)
        for start, end in zip(members.indptr[:-1], members.indptr[1:], strict=True)
    ]
    return PopularityBars(_bar(popularity, POPULAR_PLACES), np.array(by_topic, np.float32))


def reasons_for(evidence: Evidence, columns: Integers) -> list[tuple[Reason, ...]]:
    """Return for each course the reasons, the strongest first; none when none is true.

    Args:
        evidence: what the ranking was made from.
        columns: int64[k], positions of the courses.
    """
    if not len(columns):
        return []
    contributed = contributions(evidence, columns)
    strongest = evidence.history.courses[contributed.argmax(axis=0)]
    because, speaks = evidence.traits.course_ids[strongest].tolist(), (contributed.max(axis=0) > 0).tolist()
    counts = evidence.popularity[columns]
    popular, numbers = (counts >= evidence.bars.overall).tolist(), counts.tolist()
    known, goals = _topics_of_interest(evidence)
    answers = []
    for place, own in enumerate(_topics(evidence.traits.topics, columns)):
        reasons: list[Reason] = []
        if speaks[place]:
            reasons.append(Reason(ReasonKind.BECAUSE_YOU_TOOK, course_id=because[place]))
        goal = next((topic for topic in own if topic in goals), None)
        if goal is not None:
            reasons.append(Reason(ReasonKind.MATCHES_GOAL, topic_id=goals[goal]))
        # The first of its topics that the learner knows and that it is popular in.
        topic = next((each for each in own if each in known and numbers[place] >= known[each]), None)
        if topic is not None:
            reasons.append(Reason(ReasonKind.POPULAR_IN_TOPIC, topic_id=int(evidence.topic_ids[topic])))
        if not reasons and popular[place]:
            reasons.append(Reason(ReasonKind.POPULAR))
        answers.append(tuple(reasons[:MOST_REASONS]))
    return answers


def contributions(evidence: Evidence, columns: Integers) -> NDArray[np.float64]:
    """Return float64[h, k]: how much each of the latest `RECENT` courses of the history speaks for each of the courses.

    Cosines and transitions are weighted as the retrievers weigh them. Content only counts where neither says
    anything, because its scale is another.
    """
    courses, ages = evidence.history.courses[:RECENT], evidence.history.ages[:RECENT]
    weights = RECENCY**ages
    cosines, followed = _met(evidence.similarities, courses, columns)
    total: NDArray[np.float64] = weights[:, None] * cosines
    decayed = np.where(ages < TRANSITION_RECENT, TRANSITION_RECENCY**ages, 0.0)
    total += decayed[:, None] * followed
    silent = ~total.any(axis=0)
    if silent.any():
        total[:, silent] = weights[:, None] * _alike(evidence.traits, courses, columns[silent])
    return total


def _met(similarities: Similarities, courses: Integers, columns: Integers) -> Floats:
    """Return float32[2, h, k], cosines and transitions of courses of the history with others."""
    count, size = len(courses), similarities.rows.width
    places = np.zeros(size, np.int32)
    places[columns] = np.arange(1, len(columns) + 1)
    which = np.concatenate([courses + _PARTS.index(name) * size for name in ("item_item", "transitions")])
    met = kernels().grouped_sums(similarities.rows, which, Groups.each(2 * count), (places, len(columns) + 1))
    return met[:, 1:].reshape(2, count, len(columns))


def _alike(traits: CourseTraits, courses: Integers, columns: Integers) -> Floats:
    """Return float32[h, k], cosines of the content of courses of the history with that of others."""
    loops, rows = kernels(), traits.contents
    near, places = loops.named_columns(rows, courses)
    into = places, len(near) + 1
    one, other = (loops.grouped_sums(rows, which, Groups.each(len(which)), into)[:, 1:] for which in (courses, columns))
    # Added along the longest axis of memory, one column of the content after the other.
    cosines: Floats = np.add.reduce(one.T[:, :, None] * other.T[:, None, :], axis=0)
    return cosines


def _topics_of_interest(evidence: Evidence) -> tuple[dict[int, float], dict[int, int]]:
    """Return the topics of the history with what counts as popular in them, and the chosen topics with their ids.

    Both by their columns in the topics of courses.
    """
    known, _, _ = spread(evidence.traits.topics, evidence.history.courses)
    chosen, found = positions_of(np.array(sorted(evidence.goals), np.int64), evidence.topic_ids)
    goals = dict(zip(chosen[found].tolist(), evidence.topic_ids[chosen[found]].tolist(), strict=True))
    return dict(zip(known.tolist(), evidence.bars.by_topic[known].tolist(), strict=True)), goals


def _topics(topics: Sparse, columns: Integers) -> Iterator[list[int]]:
    """Yield the topics of each course."""
    for start, end in zip(topics.indptr[columns].tolist(), topics.indptr[columns + 1].tolist(), strict=True):
        yield topics.indices[start:end].tolist()


def _bar(popularity: Floats, places: int) -> float:
    if len(popularity) > places:
        return max(1.0, float(np.partition(popularity, -places)[-places]))
    return 1.0
