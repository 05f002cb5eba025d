"""Why a course is in a list: what contributed the most to its being found, and nothing that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import CourseTraits, Floats, History
from features.interactions import Integers, Sparse, spread
from features.relations import RECENCY, RECENT, TRANSITION_RECENCY, TRANSITION_RECENT
from features.similarity import Similarities
from serving.rankings import Reason, ReasonKind

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
    strongest = contributed.argmax(axis=0)
    own, _, _ = spread(evidence.traits.topics, evidence.history.courses)
    known = frozenset(own.tolist())
    answers = []
    for place, column in enumerate(columns.tolist()):
        reasons: list[Reason] = []
        if contributed[strongest[place], place] > 0:
            course = evidence.history.courses[strongest[place]]
            reasons.append(Reason(ReasonKind.BECAUSE_YOU_TOOK, course_id=int(evidence.traits.course_ids[course])))
        reasons += _by_topic(evidence, column, known)
        if not reasons and evidence.popularity[column] >= evidence.bars.overall:
            reasons.append(Reason(ReasonKind.POPULAR))
        answers.append(tuple(reasons[:MOST_REASONS]))
    return answers


def contributions(evidence: Evidence, columns: Integers) -> NDArray[np.float64]:
    """Return float64[h, k]: how much each of the latest `RECENT` courses of the history speaks for each of the courses.

    Cosines and transitions are weighted as the retrievers weigh them. Content only counts where neither says
    anything, because its scale is another.
    """
    courses, ages, size = evidence.history.courses[:RECENT], evidence.history.ages[:RECENT], len(evidence.traits)
    weights = RECENCY**ages
    total = weights[:, None] * _block(evidence.similarities.item_item, courses, columns, size)
    decayed = np.where(ages < TRANSITION_RECENT, TRANSITION_RECENCY**ages, 0.0)
    total += decayed[:, None] * _block(evidence.similarities.transitions, courses, columns, size)
    silent = ~total.any(axis=0)
    if silent.any():
        content = evidence.traits.content
        alike = (content[courses] @ content[columns[silent]].T).toarray()
        total[:, silent] = weights[:, None] * alike
    return total


def _by_topic(evidence: Evidence, column: int, known: frozenset[int]) -> Iterator[Reason]:
    """Yield that a course is on a chosen topic, and that it is popular in a topic of the history."""
    topics = evidence.traits.topics
    own = topics.indices[topics.indptr[column] : topics.indptr[column + 1]].tolist()
    for topic in own:
        if int(evidence.topic_ids[topic]) in evidence.goals:
            yield Reason(ReasonKind.MATCHES_GOAL, topic_id=int(evidence.topic_ids[topic]))
            break
    for topic in own:
        if topic in known and evidence.popularity[column] >= evidence.bars.by_topic[topic]:
            yield Reason(ReasonKind.POPULAR_IN_TOPIC, topic_id=int(evidence.topic_ids[topic]))
            break


def _block(matrix: Sparse, rows: Integers, columns: Integers, size: int) -> NDArray[np.float64]:
    """Return float64[h, k], the values where rows and columns meet."""
    places = np.full(size, -1)
    places[columns] = np.arange(len(columns))
    found, values, entries = spread(matrix, rows)
    met = places[found]
    kept = met >= 0
    block = np.zeros((len(rows), len(columns)))
    block[entries[kept], met[kept]] = values[kept]
    return block


def _bar(popularity: Floats, places: int) -> float:
    if len(popularity) > places:
        return max(1.0, float(np.partition(popularity, -places)[-places]))
    return 1.0
