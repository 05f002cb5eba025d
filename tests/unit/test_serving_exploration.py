"""Exploration: whose lists have a place for a new course, which one, and where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from database.tables.recommendations import RecommendationSurface
from serving.arrangement import arrange
from serving.constraints import Constraints
from serving.exploration import PLACES, Exploration, Explored
from serving.learners import Learner
from serving.rankings import RankedCourse, Reason, ReasonKind, RecommendationRequest
from serving.rulebook import NEW_FOR, CourseFacts, Rules
from training.metrics import NOT_RANKED, exploration_cost, gains

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYBODY = Exploration(1.0)
OLD, NEW, OTHER, STEP, NEEDY = 1, 50, 51, 52, 53
COURSES = {
    **{key: CourseFacts("en", frozenset({10}), 10) for key in range(1, 41)},
    NEW: CourseFacts("en", frozenset({10, 11}), 11),
    OTHER: CourseFacts("en", frozenset({20}), 20),
    STEP: CourseFacts("es", frozenset({30}), 30),
    NEEDY: CourseFacts("en", frozenset({10}), 10),
}
RULES = Rules(
    COURSES, {NEEDY: (STEP,)}, {STEP: (NEEDY,)}, (), {key: NOW - timedelta(days=1) for key in (NEW, OTHER, STEP, NEEDY)}
)


def row(**columns: object) -> Any:
    """Return a row like those of PostgreSQL, which only asyncpg makes."""
    return SimpleNamespace(**columns)


TAKEN = row(course_id=OLD, status="ACTIVE")
LEARNER = Learner([TAKEN])
RANKED = [RankedCourse(key, float(100 - key), ()) for key in range(2, 41)]


def asked(
    learner_id: int | None = 7, learner: Learner = LEARNER, rules: Rules | None = RULES, **named: object
) -> Constraints:
    """Return the constraints of a learner's list."""
    request = RecommendationRequest(learner_id, NOW, 10)
    return Constraints(rules, learner, replace(request, **named))  # type: ignore[arg-type]


def test_new_course_on_a_topic_of_the_learner_is_chosen() -> None:
    """The others are on topics that the learner has nothing to do with, or need something first."""
    found = {EVERYBODY.choose(asked(learner_id)) for learner_id in range(300)}
    assert {Explored(place, NEW) for place in PLACES} == found


def test_topics_are_those_that_were_chosen_too() -> None:
    """Whoever has taken nothing has preferences; whoever has left a course does not want its topic."""
    wishes = row(level="BEGINNER", languages=[], topic_ids=[20], goals=[])
    assert {OTHER} == {one.course_id for n in range(50) if (one := EVERYBODY.choose(asked(n, Learner((), wishes))))}
    left = Learner([row(course_id=OLD, status="WITHDRAWN")])
    assert EVERYBODY.choose(asked(learner=left)) is None


@pytest.mark.parametrize(
    "constraints",
    [
        asked(None),
        asked(rules=None),
        asked(surface=RecommendationSurface.COURSE_PAGE, around=3),
        asked(surface=RecommendationSurface.AFTER_COMPLETION),
        asked(learner=Learner([TAKEN], dismissed=frozenset({NEW}))),
        asked(learner=Learner([TAKEN, row(course_id=NEW, status="WITHDRAWN")])),
        asked(allowed=frozenset({2, 3})),
        asked(now=NOW + timedelta(days=NEW_FOR)),
        asked(now=NOW - timedelta(days=2)),
    ],
)
def test_nothing_is_explored_where_nothing_may_be(constraints: Constraints) -> None:
    """Strangers, lists around a course, courses that were dismissed, left, filtered out, or are not new (yet)."""
    assert EVERYBODY.choose(constraints) is None


def test_share_is_kept_and_a_learner_is_the_same_all_day() -> None:
    """A twentieth of ten thousand learners, other ones on other days."""
    few = Exploration(0.05)
    days = [NOW, NOW + timedelta(hours=11), NOW + timedelta(days=1)]
    chosen = [{n: one for n in range(10_000) if (one := few.choose(asked(n, now=day)))} for day in days]
    assert 430 < len(chosen[0]) < 570
    assert chosen[0] == chosen[1]
    assert len(chosen[0].keys() & chosen[2].keys()) < 60
    assert Exploration().choose(asked()) is None


def listed(explored: Explored | None, limit: int, ranked: list[RankedCourse] | None = None) -> list[int]:
    """Return the courses of a list."""
    arranged = arrange(RANKED if ranked is None else ranked, asked(), (), limit, explored)
    assert sorted((course.score for course in arranged), reverse=True) == [course.score for course in arranged]
    return [course.course_id for course in arranged]


@given(place=st.sampled_from(PLACES), limit=st.integers(0, 45))
def test_list_is_the_beginning_of_a_longer_one_with_the_place_given_away(place: int, limit: int) -> None:
    """Nothing is lost: what follows moves down by one."""
    whole = listed(Explored(place, NEW), 45)
    assert NEW == whole[place - 1]
    assert listed(None, 45) == [key for key in whole if key != NEW]
    assert whole[:limit] == listed(Explored(place, NEW), limit)


def test_explored_course_says_so_and_a_better_place_is_kept() -> None:
    """What the model ranks higher by itself needs no help; a list that is too short has no such place."""
    (course,) = [one for one in arrange(RANKED, asked(), (), 10, Explored(6, NEW)) if one.course_id == NEW]
    assert (Reason(ReasonKind.NEW_COURSE),) == course.reasons
    assert listed(None, 20) == listed(Explored(6, 4), 20)
    assert 20 == listed(Explored(6, 20), 20)[5]
    assert [2, 3, 4] == listed(Explored(6, NEW), 20, RANKED[:3])


def test_cost_is_that_of_lists_with_the_place_given_away() -> None:
    """By hand: a course at rank 10 falls out, those at 5 to 9 move down if they stand at the place or below."""
    ranks = np.array([1, 4, 5, 7, 10, 11, NOT_RANKED])
    before = gains(ranks).sum()
    after = np.mean(
        [
            sum(1 / np.log2(1 + moved) for rank in (1, 4, 5, 7, 10) if (moved := rank + (rank >= place)) <= 10)
            for place in PLACES
        ]
    )
    assert 1 - after / before == pytest.approx(exploration_cost(ranks))
    assert 0.0 == exploration_cost(np.array([1, 2, 3, 4]))
    assert 0.0 == exploration_cost(np.array([], np.int64))
