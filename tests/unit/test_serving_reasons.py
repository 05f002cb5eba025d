"""Reasons are true: each of thousands of lists is checked against the log of events that everything was made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from core.errors import UnavailableError
from features.pair import DAY
from serving.ranker import Question, explain, rank, retrieved_by, vectors
from serving.rankings import Reason, ReasonKind
from serving.reasons import POPULAR_PLACES, TOPIC_PLACES
from tests.simulated_history import PARENTS, simulated_courses, simulated_events
from tests.simulated_ranking import HISTORY, IDS, model

LISTS = 2_000
LENGTH = 12
COURSES = simulated_courses().set_index("course_id")
EVENTS = simulated_events()


@cache
def topics_of(course: int) -> frozenset[int]:
    """Return the topics of a course and their parents."""
    own = COURSES["topic_ids"].loc[course]
    return frozenset((*own, *(PARENTS[topic] for topic in own)))


@cache
def taken_together() -> frozenset[tuple[int, int]]:
    """Return pairs of courses that at least one learner has taken, both ways."""
    found: set[tuple[int, int]] = set()
    for _, rows in EVENTS.groupby("learner_id"):
        found |= {pair for one, other in combinations(rows["course_id"], 2) for pair in ((one, other), (other, one))}
    return frozenset(found)


@cache
def taken_lately() -> Counter[int]:
    """Return how often each course was taken in the 30 days before the features' moment."""
    log = HISTORY.interactions
    moment = log.moments.max() - 150 * DAY
    lately = (log.moments < moment) & (log.moments >= moment - 30 * DAY)
    return Counter(IDS[log.courses[lately]].tolist())


@cache
def is_popular(course: int, among: frozenset[int] | None, places: int) -> bool:
    """Say whether fewer than so many courses, all or on a topic, are taken more often lately."""
    counts = taken_lately()
    others = [key for key in IDS.tolist() if among is None or topics_of(key) & among]
    return counts[course] > 0 and sum(counts[key] > counts[course] for key in others) < places


@cache
def alike(course: int, taken: int) -> bool:
    """Say whether two courses go together: taken by the same learner, or about the same."""
    skills = COURSES["skill_ids"]
    about = topics_of(course) & topics_of(taken) or set(skills.loc[course]) & set(skills.loc[taken])
    return (course, taken) in taken_together() or bool(about)


def is_true(reason: Reason, course: int, question: Question) -> bool:
    """Say whether a reason is so."""
    if reason.kind is ReasonKind.BECAUSE_YOU_TOOK:
        assert reason.topic_id is None
        return reason.course_id in question.history and alike(course, int(reason.course_id or 0))
    if reason.kind is ReasonKind.POPULAR:
        assert (reason.course_id, reason.topic_id) == (None, None)
        return is_popular(course, None, POPULAR_PLACES)
    topic = int(reason.topic_id or 0)
    assert reason.course_id is None
    if reason.kind is ReasonKind.MATCHES_GOAL:
        return topic in question.goals and topic in topics_of(course)
    known = {each for key in question.history for each in topics_of(key)}
    return topic in topics_of(course) & known and is_popular(course, frozenset({topic}), TOPIC_PLACES)


def question(rng: np.random.Generator) -> Question:
    """Return a learner of one to six courses, at some moment after the log, with up to two goals."""
    history = rng.choice(IDS, size=int(rng.integers(1, 7)), replace=False)
    now = int(HISTORY.interactions.moments.max()) + DAY
    goals = rng.choice([*range(1, 7), 100, 101], size=int(rng.integers(0, 3)), replace=False)
    return Question(
        now=now,
        history=history.tolist(),
        moments=now - np.arange(1, len(history) + 1) * DAY,
        hidden=(),
        learner={"learner_enrollment_count": float(len(history))},
        limit=LENGTH,
        allowed=None,
        goals=goals.tolist(),
    )


def test_every_reason_of_thousands_of_lists_is_true() -> None:
    """Of each kind; of the courses that were ranked first, and of any others that a list could hold."""
    rng = np.random.default_rng(11)
    kinds: Counter[ReasonKind] = Counter()
    explained = 0
    for number in range(LISTS):
        asked = question(rng)
        keys = rng.choice(np.setdiff1d(IDS, asked.history), size=LENGTH, replace=False).tolist()
        if number % 20 == 0:
            ranked = rank(model(), asked)
            keys = [course.course_id for course in ranked]
            bare = rank(model(), replace(asked, explained=2))
            assert [*(course.reasons for course in ranked[:2]), *[()] * (LENGTH - 2)] == [one.reasons for one in bare]
            assert [course.reasons for course in ranked] == explain(model(), asked, keys)
        for course, reasons in zip(keys, explain(model(), asked, keys), strict=True):
            explained += bool(reasons)
            for reason in reasons:
                kinds[reason.kind] += 1
                assert is_true(reason, course, asked), (reason, course, asked)
    counted = (ReasonKind.BECAUSE_YOU_TOOK, ReasonKind.MATCHES_GOAL, ReasonKind.POPULAR_IN_TOPIC)
    assert min(kinds[kind] for kind in counted) > 100
    assert explained > 0.5 * LISTS * LENGTH


def test_named_course_is_the_one_that_contributed_the_most() -> None:
    """Without it in the history, none of the others speaks louder for the course than it did."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        asked = question(rng)
        (first, *_) = rank(model(), asked)
        named = next((why.course_id for why in first.reasons if why.kind is ReasonKind.BECAUSE_YOU_TOOK), None)
        if named is None or len(asked.history) < 2:
            continue
        # Put last, it may have become too old to count; put first, it speaks the loudest it can.
        rest = [key for key in asked.history if key != named]
        leading = replace(asked, history=[named, *rest])
        ((again, *_),) = explain(model(), leading, [first.course_id])
        assert named == again.course_id


def test_only_readable_courses_are_ranked_and_retrieved() -> None:
    """A mask over the matrix's courses keeps the others from the first stage on."""
    asked = question(np.random.default_rng(5))
    mask = np.zeros(len(IDS), np.bool_)
    mask[:30] = True
    narrowed = replace(asked, readable=mask, limit=100)
    listed = {course.course_id for course in rank(model(), narrowed)}
    assert set(IDS[:30].tolist()) - set(asked.history) == listed
    assert () == retrieved_by(model(), narrowed, int(IDS[40]))
    best = rank(model(), narrowed)[0].course_id
    assert "popularity" in retrieved_by(model(), narrowed, best)


def test_logged_vectors_are_those_that_ranked() -> None:
    """The ranker gives them the scores of the list."""
    asked = question(np.random.default_rng(9))
    ranked = rank(model(), asked)
    rows = vectors(model(), asked, [course.course_id for course in ranked])
    assert model().release.layout.names
    assert len(model().release.layout.names) == len(rows[0])
    scores = model().scorer.scores(np.array(rows, np.float32))
    assert [course.score for course in ranked] == pytest.approx(scores.tolist(), abs=1e-6)


def test_reasons_need_a_history() -> None:
    """Of courses that have features; a course that has none has no reason."""
    asked = question(np.random.default_rng(7))
    assert [()] == explain(model(), asked, [99_999])
    with pytest.raises(UnavailableError, match="No course"):
        explain(model(), replace(asked, history=[99_999], moments=np.array([1])), [int(IDS[0])])
