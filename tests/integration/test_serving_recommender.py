"""The way of a recommendation: always an answer, and it says which strategy gave it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from core.clock import ManualClock
from core.errors import UnavailableError
from database.queries.history import HistoryRow, PreferencesRow
from database.session import Database
from serving.breaker import Breaker, BusyError, DeclinedError, Patience
from serving.recommender import (
    RankedCourse,
    RankedList,
    Reason,
    ReasonKind,
    RecommendationRequest,
    Recommender,
    Strategy,
)
from tests.small_platform import add_course, add_learner, add_preferences, add_topics
from tests.telling_models import TellingModel

POPULAR = (Reason(ReasonKind.POPULAR),)


@dataclass
class Answer:
    """A model's list."""

    version: str
    courses: tuple[RankedCourse, ...]


class FakeModel(TellingModel):
    """A model that answers, fails or hangs, as a test says."""

    def __init__(self, failure: BaseException | None = None, seconds: float = 0.0, unready: str | None = None) -> None:
        self.failure = failure
        self.seconds = seconds
        self.cause = unready
        self.asked = 0

    def unready(self, now: datetime) -> str | None:
        """Return what the test said."""
        assert now.tzinfo is not None
        return self.cause

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> tuple[str, ...]:
        """Say that the transitions bring the course after the newest one."""
        assert request.learner_id is not None
        assert preferences is None or preferences.level
        return ("transitions",) if course_id == history[0].course_id + 1 else ()

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> Answer:
        """Return the course after the newest one."""
        assert request.learner_id is not None
        assert preferences is None or preferences.level
        assert patience.waited == 0
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return Answer("v1", (RankedCourse(history[0].course_id + 1, 1.0, ()),))


@pytest_asyncio.fixture
async def platform(database: Database) -> Database:
    """Six courses on two topics below one, of growing popularity; three learners."""
    await add_topics(database, {1: None, 2: 1, 3: 1, 4: None})
    await add_course(database, 1, enrollment_count=1, on=[2])
    await add_course(database, 2, enrollment_count=2, on=[2, 3], level="ADVANCED")
    await add_course(database, 3, enrollment_count=3, on=[4], language="pt-BR")
    await add_course(database, 4, enrollment_count=4, on=[4], level="ALL_LEVELS")
    await add_course(database, 5, enrollment_count=5)
    await add_course(database, 6, enrollment_count=0)
    await add_course(database, 7, enrollment_count=9, status="DRAFT")
    await add_learner(database, 11)
    await add_learner(database, 12, taken=[4, 1])
    await add_learner(database, 13, taken=[5], status="WITHDRAWN")
    return database


async def ask(database: Database, recommender: Recommender, clock: ManualClock, **request: object) -> RankedList:
    """Return a list and check how many statements it took."""
    whole = {"learner_id": None, "now": clock(), "limit": 10, **request}
    async with database.reader() as reader:
        ranked = await recommender.recommend(reader, RecommendationRequest(**whole))  # type: ignore[arg-type]
        assert reader.statements <= 4
    return ranked


def ids(ranked: RankedList) -> list[int]:
    """Return the courses of a list."""
    return [course.course_id for course in ranked.courses]


async def test_somebody_unknown_gets_popular_courses(platform: Database, clock: ManualClock) -> None:
    """Signed out, the published courses come by popularity; what nobody took is not called popular."""
    ranked = await ask(platform, Recommender(FakeModel(), 10.0), clock)
    assert (Strategy.POPULARITY, None, None) == (ranked.strategy, ranked.model_version, ranked.fallback_cause)
    assert [5, 4, 3, 2, 1, 6] == ids(ranked)
    assert [*[POPULAR] * 5, ()] == [course.reasons for course in ranked.courses]
    assert [5.0, 4.0, 3.0, 2.0, 1.0, 0.0] == [course.score for course in ranked.courses]


async def test_a_blank_learner_gets_popular_courses(platform: Database, clock: ManualClock) -> None:
    """Neither history nor preferences: popularity, and a learner who does not exist is no different."""
    for learner_id in (11, 999):
        ranked = await ask(platform, Recommender(FakeModel(), 10.0), clock, learner_id=learner_id)
        assert (Strategy.POPULARITY, None) == (ranked.strategy, ranked.fallback_cause)


async def test_cold_start_learner_gets_courses_on_chosen_topics(platform: Database, clock: ManualClock) -> None:
    """The chosen topic and those below it lead, then the chosen level, then popularity, in readable languages."""
    await add_preferences(platform, 11, on=[1], level="BEGINNER")
    ranked = await ask(platform, Recommender(FakeModel(), 10.0), clock, learner_id=11)
    assert Strategy.PREFERENCE is ranked.strategy
    assert [1, 2, 5, 4, 6] == ids(ranked)
    assert [(Reason(ReasonKind.MATCHES_GOAL, topic_id=1),)] * 2 == [course.reasons for course in ranked.courses[:2]]
    assert [POPULAR, POPULAR, ()] == [course.reasons for course in ranked.courses[2:]]
    scores = [course.score for course in ranked.courses]
    assert sorted(scores, reverse=True) == scores


async def test_a_course_on_more_chosen_topics_matches_better(platform: Database, clock: ManualClock) -> None:
    """Two chosen topics count more than one with the right level."""
    await add_preferences(platform, 11, on=[2, 3], level="BEGINNER", languages=[])
    ranked = await ask(platform, Recommender(None, 1.0), clock, learner_id=11)
    assert [2, 1] == ids(ranked)[:2]
    assert 3 in ids(ranked)


async def test_a_language_is_read_in_all_its_regions(platform: Database, clock: ManualClock) -> None:
    """Who reads Portuguese is shown a course in Brazilian Portuguese, and no other language."""
    await add_preferences(platform, 11, languages=["pt"])
    assert [3] == ids(await ask(platform, Recommender(None, 1.0), clock, learner_id=11))


async def test_who_has_a_history_is_answered_by_the_model(platform: Database, clock: ManualClock) -> None:
    """The model gets the history, newest first, and its version is told."""
    ranked = await ask(platform, Recommender(FakeModel(), 10.0), clock, learner_id=12)
    assert (Strategy.MODEL, "v1", None) == (ranked.strategy, ranked.model_version, ranked.fallback_cause)
    assert [2] == ids(ranked)


async def test_a_history_of_withdrawals_is_no_history(platform: Database, clock: ManualClock) -> None:
    """Who left every course is not ranked by them, and is not shown them again."""
    ranked = await ask(platform, Recommender(FakeModel(), 10.0), clock, learner_id=13)
    assert Strategy.POPULARITY is ranked.strategy
    assert [4, 3, 2, 1, 6] == ids(ranked)


async def test_filters_and_limits_hold_in_fallbacks(platform: Database, clock: ManualClock) -> None:
    """Only allowed courses come, at most as many as asked for; an empty filter gives an empty list."""
    recommender = Recommender(None, 1.0)
    assert [4, 2] == ids(await ask(platform, recommender, clock, allowed=frozenset({1, 2, 4, 7}), limit=2))
    assert [] == ids(await ask(platform, recommender, clock, allowed=frozenset()))
    assert [] == ids(await ask(platform, recommender, clock, limit=0))


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (None, "off"),
        (FakeModel(failure=UnavailableError("no store")), "unavailable: no store"),
        (FakeModel(failure=DeclinedError("no history")), "unavailable: no history"),
        (FakeModel(failure=BusyError("too many")), "busy"),
        (FakeModel(failure=ZeroDivisionError()), "failure: ZeroDivisionError"),
        (FakeModel(seconds=60), "deadline"),
        (FakeModel(unready="no model is loaded"), "unready: no model is loaded"),
    ],
)
async def test_without_the_model_the_next_strategy_answers(
    platform: Database, clock: ManualClock, model: FakeModel | None, cause: str
) -> None:
    """Whatever keeps the model from answering, the learner gets a list without what was taken, and no error."""
    recommender = Recommender(model, 0.3 if model is not None and model.seconds else 10.0)
    ranked = await ask(platform, recommender, clock, learner_id=12)
    assert (Strategy.POPULARITY, None, cause) == (ranked.strategy, ranked.model_version, ranked.fallback_cause)
    assert [5, 3, 2, 6] == ids(ranked)
    await add_preferences(platform, 12, on=[3])
    ranked = await ask(platform, recommender, clock, learner_id=12)
    assert (Strategy.PREFERENCE, cause) == (ranked.strategy, ranked.fallback_cause)
    assert 2 == ids(ranked)[0]


async def test_a_model_that_keeps_failing_is_left_alone(platform: Database, clock: ManualClock) -> None:
    """After some failures in a row nothing waits for the model, until a pause is over and it works again."""
    model = FakeModel(failure=UnavailableError("gone"))
    recommender = Recommender(model, 10.0, Breaker(failures=2, open_for=timedelta(seconds=5)))
    causes = [(await ask(platform, recommender, clock, learner_id=12)).fallback_cause for _ in range(4)]
    assert ["unavailable: gone", "unavailable: gone", "paused", "paused"] == causes
    assert 2 == model.asked
    model.failure = None
    clock.now += timedelta(seconds=6)
    assert Strategy.MODEL is (await ask(platform, recommender, clock, learner_id=12)).strategy
    assert Strategy.MODEL is (await ask(platform, recommender, clock, learner_id=12)).strategy


@pytest.mark.parametrize("failure", [BusyError("too many"), DeclinedError("no history")])
async def test_what_is_no_failure_of_the_model_does_not_pause_it(
    platform: Database, clock: ManualClock, failure: Exception
) -> None:
    """However often the model sends somebody away, the next one is ranked."""
    model = FakeModel(failure=failure)
    recommender = Recommender(model, 10.0, Breaker(failures=2, open_for=timedelta(seconds=5)))
    for _ in range(4):
        assert Strategy.POPULARITY is (await ask(platform, recommender, clock, learner_id=12)).strategy
    model.failure = None
    assert Strategy.MODEL is (await ask(platform, recommender, clock, learner_id=12)).strategy


async def test_an_empty_platform_answers_an_empty_list(database: Database, clock: ManualClock) -> None:
    """No course at all is popularity without courses."""
    ranked = await ask(database, Recommender(FakeModel(), 10.0), clock)
    assert (Strategy.POPULARITY, ()) == (ranked.strategy, ranked.courses)
