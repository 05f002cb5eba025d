"""Ranked lists on a real Valkey: repeated pages are the same, pages fit together, and nothing depends on the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import insert, update

from core.clock import ManualClock
from core.errors import InvalidArgumentError, UnavailableError
from core.ids import encode_id
from database.session import Database
from database.tables.enrollments import enrollments
from database.tables.preferences import learning_preferences
from database.tables.recommendations import RecommendationSurface, recommendation_dismissals
from resolvers.context import Context, Services
from resolvers.courses import CourseFilter
from resolvers.pages import encode_cursor
from resolvers.recommendations import RecommendedCourses, recommended_courses
from security.policies import Identity
from serving.breaker import BusyError
from serving.lists import PART, RankedLists
from serving.rankings import Strategy
from serving.recommender import Recommender
from serving.rulebook import Rulebook
from serving.valkey import Valkey, valkey
from tests.ruled_platform import COURSES, ShuffledModel, add_rule, write_platform

LIFETIME = timedelta(minutes=30)


@dataclass
class Setting:
    """One platform whose model may be swapped, asked by several servers."""

    database: Database
    clock: ManualClock
    store: Any
    rulebook: Rulebook = field(default_factory=Rulebook)
    model: ShuffledModel = field(default_factory=ShuffledModel)
    learner: int | None = 1

    def server(self) -> Recommender:
        """Return another server on the same store."""
        return Recommender(self.model, 10.0, rulebook=self.rulebook, lists=RankedLists(self.store, LIFETIME))

    async def page(self, first: int = 5, after: str | None = None, **arguments: Any) -> RecommendedCourses:
        """Return a page, in a request of its own on a server of its own."""
        unused: Any = None
        identity = None
        if self.learner is not None:
            identity = Identity(self.learner, self.learner, frozenset(), UUID(int=2))
        async with self.database.reader() as reader:
            context = Context(
                reader=reader,
                database=self.database,
                clock=self.clock,
                identity=identity,
                request_id=UUID(int=1),
                services=Services(unused, unused, unused, self.server()),
            )
            (answer,) = await recommended_courses(context, [None], first=first, after=after, **arguments)
            return answer


@pytest_asyncio.fixture
async def setting(database: Database, clock: ManualClock, valkey_url: str) -> AsyncIterator[Setting]:
    """The platform with sequences, and a store without lists of it."""
    await write_platform(database)
    async with valkey(valkey_url, patience=5.0) as store:
        await store._client.flushdb()
        made = Setting(database, clock, store)
        await made.rulebook.load(database, clock())
        yield made


def told(answer: RecommendedCourses) -> list[tuple[int, int, float, tuple[Any, ...]]]:
    """Return what a client can compare of the edges of a page."""
    return [(edge.node.id, edge.rank, edge.score, tuple(why.kind for why in edge.reasons)) for edge in answer.edges]


async def test_repeated_page_is_the_same_page(setting: Setting) -> None:
    """On any server, with the same id, while features change; a stranger gets a list of their own each time."""
    first = await setting.page()
    setting.model.swap(9, version="v1")
    again = await setting.page()
    assert (first.recommendation_id, told(first)) == (again.recommendation_id, told(again))
    assert 1 == setting.model.asked
    assert all(edge.reasons for edge in first.edges)
    setting.learner = 5
    assert first.recommendation_id != (await setting.page()).recommendation_id
    setting.learner = None
    assert (await setting.page()).recommendation_id != (await setting.page()).recommendation_id


@pytest.mark.parametrize("change", ["enrollment", "withdrawal", "dismissal", "preferences", "rule", "model", "time"])
async def test_list_is_made_anew_after(setting: Setting, change: str) -> None:
    """What a learner does, what staff wants and another release show at once; and a list does not live for ever."""
    first = await setting.page()
    shown = first.nodes[0].id
    row = {"learner_id": 1, "course_id": shown}
    async with setting.database.transaction() as connection:
        if change == "enrollment":
            await connection.execute(insert(enrollments), {**row, "status": "ACTIVE", "enrolled_at": setting.clock()})
        elif change == "withdrawal":
            await connection.execute(update(enrollments).where(enrollments.c.course_id == 1).values(status="WITHDRAWN"))
        elif change == "dismissal":
            await connection.execute(insert(recommendation_dismissals), {**row, "dismissed_at": setting.clock()})
        elif change == "preferences":
            saved = {"learner_id": 1, "goals": [], "level": "ADVANCED", "languages": []}
            await connection.execute(insert(learning_preferences), {**saved, "saved_at": setting.clock()})
    if change == "rule":
        await add_rule(setting.database, "EXCLUSION", setting.clock(), course_id=shown)
        await setting.rulebook.look(setting.database, setting.clock())
    elif change == "model":
        setting.model.swap(2)
    elif change == "time":
        setting.clock.now += LIFETIME + timedelta(seconds=1)
    again = await setting.page()
    assert first.recommendation_id != again.recommendation_id
    if change in {"enrollment", "dismissal", "rule"}:
        assert shown not in [node.id for node in again.nodes]


async def walked(setting: Setting, first: int, **arguments: Any) -> tuple[list[int], set[str]]:
    """Return the courses and list ids of all pages, with another model behind each."""
    met: list[int] = []
    ids: set[str] = set()
    after: str | None = None
    while True:
        answer = await setting.page(first, after, **arguments)
        met += [row.id for row in answer.nodes]
        ids.add(answer.recommendation_id)
        assert [rank for _, rank, _, _ in told(answer)] == list(range(len(met) - len(answer.nodes) + 1, len(met) + 1))
        if not answer.page_info.has_next_page:
            return met, ids
        after = answer.page_info.end_cursor
        setting.model.swap(len(met))


@pytest.mark.parametrize("part", [4, 7, PART])
@pytest.mark.parametrize("first", [3, 10])
async def test_pages_of_one_list_neither_repeat_nor_skip_while_models_are_swapped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, part: int, first: int
) -> None:
    """However long the parts that a list grows by; and all pages have one id."""
    monkeypatch.setattr("serving.lists.PART", part)
    whole = {edge.node.id for edge in (await setting.page(100)).edges}
    setting.model.swap(99)
    met, ids = await walked(setting, first)
    assert len(set(met)) == len(met)
    assert whole == set(met)
    assert 1 == len(ids)


async def test_scores_order_the_list_across_models(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another model adds to a list stands below what was there."""
    monkeypatch.setattr("serving.lists.PART", 4)
    scores: list[float] = []
    after: str | None = None
    for seed in range(2, 7):
        answer = await setting.page(4, after)
        scores += [edge.score for edge in answer.edges]
        after = answer.page_info.end_cursor
        setting.model.swap(seed)
    assert sorted(scores, reverse=True) == scores


async def test_course_just_taken_is_gone_from_the_rest_of_its_list(setting: Setting) -> None:
    """The other places stay where they were."""
    whole = await setting.page(20)
    taken = whole.edges[12].node.id
    first = await setting.page(10)
    async with setting.database.transaction() as connection:
        row = {"learner_id": 1, "course_id": taken, "status": "ACTIVE", "enrolled_at": setting.clock()}
        await connection.execute(insert(enrollments), row)
    second = await setting.page(10, first.page_info.end_cursor)
    assert [one for one in told(whole)[10:] if one[0] != taken] == [
        (key, rank, score, why)
        for (key, rank, score, _), (_, _, _, why) in zip(
            told(second), [one for one in told(whole)[10:] if one[0] != taken], strict=True
        )
    ]


async def test_servers_that_make_the_same_part_agree(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ask for the second part of a list at once, each with another model: all are shown the same."""
    monkeypatch.setattr("serving.lists.PART", 5)
    first = await setting.page(5)

    async def second(seed: int) -> list[tuple[int, int, float, tuple[Any, ...]]]:
        setting.model.swap(seed)
        return told(await setting.page(5, first.page_info.end_cursor))

    answers = await asyncio.gather(*(second(seed) for seed in range(2, 8)))
    assert [answers[0]] * 6 == answers
    assert not {one[0] for one in answers[0]} & {one[0] for one in told(first)}


async def test_cursor_of_another_question_is_refused(setting: Setting) -> None:
    """A list goes on with the arguments that it began with."""
    first = await setting.page()
    after = first.page_info.end_cursor
    others: list[dict[str, Any]] = [
        {"surface": RecommendationSurface.HOME},
        {"course_id": encode_id("Course", 40)},
        {"filter": CourseFilter(languages=("en",))},
    ]
    for arguments in others:
        with pytest.raises(InvalidArgumentError, match="other arguments"):
            await setting.page(5, after, **arguments)


@pytest.mark.parametrize("forged", [(5, "nonsense"), (-1, str(UUID(int=5))), (2**62, str(UUID(int=5))), ("5", "5")])
async def test_forged_cursor_is_refused(setting: Setting, forged: tuple[Any, ...]) -> None:
    """Places out of range, and what is no id of a list."""
    with pytest.raises(InvalidArgumentError, match="cursor"):
        await setting.page(5, encode_cursor("recommendedCourses", forged))


async def test_list_of_somebody_else_cannot_be_read(setting: Setting) -> None:
    """Its cursor leads on in the caller's own ranking."""
    after = (await setting.page(5)).page_info.end_cursor
    setting.learner = 5
    own = [edge.node.id for edge in (await setting.page(10)).edges]
    assert own[5:] == [edge.node.id for edge in (await setting.page(5, after)).edges]


async def test_cursor_of_a_place_alone_still_leads_on(setting: Setting) -> None:
    """As it was given out while nothing kept lists."""
    whole = await setting.page(10)
    rest = await setting.page(5, encode_cursor("recommendedCourses", (5,)))
    assert told(whole)[5:] == told(rest)


async def test_what_stood_in_for_the_model_is_not_shown_again(setting: Setting) -> None:
    """While the model was busy popularity answered; its list goes on, and the next first page is the model's."""

    async def busy(*_: Any) -> Any:
        raise BusyError("too many")

    rank = setting.model.rank
    setting.model.rank = busy  # type: ignore[method-assign,assignment]  # The outage of this test.
    first = await setting.page()
    setting.model.rank = rank  # type: ignore[method-assign]
    assert Strategy.POPULARITY is first.strategy
    second = await setting.page(5, first.page_info.end_cursor)
    assert (Strategy.POPULARITY, first.recommendation_id) == (second.strategy, second.recommendation_id)
    assert Strategy.MODEL is (await setting.page()).strategy


class Gone:
    """A store that is away."""

    def __init__(self) -> None:
        self.asked = 0

    async def fail(self, *_: Any) -> Any:
        """Fail."""
        self.asked += 1
        raise UnavailableError("gone")

    get = put = replace = fail


async def test_without_the_store_each_page_is_ranked_anew(setting: Setting) -> None:
    """Every course once, as long as nothing changes; and a store that keeps failing is left alone."""
    gone = Gone()
    lists = RankedLists(gone, LIFETIME)
    whole = [edge.node.id for edge in (await setting.page(100)).edges]
    setting.store = gone
    setting.server = lambda: Recommender(setting.model, 10.0, rulebook=setting.rulebook, lists=lists)  # type: ignore[method-assign]
    met: list[int] = []
    after: str | None = None
    while True:
        answer = await setting.page(7, after)
        met += [edge.node.id for edge in answer.edges]
        after = answer.page_info.end_cursor
        if not answer.page_info.has_next_page:
            break
    assert whole == met
    assert 3 >= gone.asked


async def test_what_cannot_be_read_is_as_good_as_gone(setting: Setting) -> None:
    """Bytes of another version, or of nobody's, are ranked over."""
    first = await setting.page()
    client = setting.store._client
    async for key in client.scan_iter():
        await client.set(key, b"[1, 2")
    again = await setting.page()
    assert [edge.node.id for edge in first.edges] == [edge.node.id for edge in again.edges]


async def test_valkey_that_hangs_is_not_waited_for(valkey_url: str) -> None:
    """Whatever the client raises is an UnavailableError."""
    async with AsyncExitStack() as stack:
        closed = await stack.enter_async_context(valkey("redis://127.0.0.1:1", patience=0.5))
        calls = [closed.get(["a"]), closed.put("a", b"", 1.0), closed.replace("a", b"", 1.0)]
        for call in calls:
            with pytest.raises(UnavailableError):
                await call
        there = await stack.enter_async_context(valkey(valkey_url, patience=5.0))
        assert isinstance(there, Valkey)
        assert b"first" == await there.put("once", b"first", 60.0)
        assert b"first" == await there.put("once", b"second", 60.0)
        assert COURSES
