"""Answers that are kept: given to whom they may be given, forgotten when something changes, and never anybody's own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import redis.asyncio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from typing_extensions import override

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.ids import encode_id
from core.settings import GatewaySettings, OperationsMode
from database.notifications import CATALOG, Notifications, listening
from database.session import Database
from database.tables.accounts import Role, accounts
from execution.directives import public
from gateway import response_cache
from gateway.executors import Answer
from gateway.shared import Script, SharedStore, shared_store
from serving.recommender import Recommender
from tests.contract.conftest import GraphQLClient
from tests.contract.counting import CountingDatabase
from tests.contract.gateways import served
from tests.contract.test_authoring import member
from tests.small_content import teach, write_content

LIST = "{ courses(first: 3, orderBy: {field: TITLE}) { totalCount nodes { id title version topics { name } } } }"
PAGE = """
query ($slug: String!) {
  course(by: {slug: $slug}) { title version status rating { count } reviews { nodes { text } } }
}
"""
PUBLISHED = {"slug": "course-1"}
PERSONAL = (
    "{ viewer { id displayName } courses(first: 1) { nodes { title } } }",
    '{ course(by: {slug: "course-1"}) { title viewerEnrollment { id } viewerReview { text } } }',
    "{ courses(first: 30) { nodes { slug modules { lessons { id ... on VideoLesson { mediaUrl } } } } } }",
    "{ courses(first: 2) { nodes { reviews { nodes { text isViewers } } } } }",
    "{ recommendedCourses(first: 2) { strategy edges { rank } } }",
)
# Everything that is declared to be the same for everybody.
PUBLIC = """
{
  courses(first: 30) {
    totalCount
    edges { cursor node { id slug version status } }
    pageInfo { hasNextPage endCursor }
    facets { levels { level count } languages { language count } topics { count topic { slug } } }
    nodes {
      title enrollmentCount skills rating { average count }
      topics { slug name children { slug } parent { slug } }
      prerequisites { slug }
      instructors(first: 5) { totalCount nodes { id displayName } }
      reviews(first: 5) { totalCount nodes { id rating text hidden } }
      similarCourses(first: 3) { slug }
    }
  }
  topics { totalCount nodes { id slug name children { slug } parent { slug } } }
  topic(by: {slug: "science"}) { name }
}
"""
UPDATE = """
mutation ($input: UpdateCourseInput!) { updateCourse(input: $input) { course { version } userErrors { code } } }
"""
CREATE = "mutation ($input: CreateCourseInput!) { createCourse(input: $input) { course { slug } userErrors { code } } }"
ENROLL = "mutation ($input: EnrollInput!) { enroll(input: $input) { userErrors { code } } }"
REVIEW = "mutation ($input: ReviewCourseInput!) { reviewCourse(input: $input) { userErrors { code } } }"
_PATIENCE = 10


class WatchedStore(SharedStore):
    """Valkey, with what it was asked, and a way to wait for invalidations."""

    def __init__(self, client: redis.asyncio.Redis, clock: ManualClock) -> None:
        super().__init__(client, clock)
        self.scripts: list[Script] = []
        self.invalidated = asyncio.Event()

    @override
    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Any:
        """Remember what is asked, and ask."""
        found = await super().run(script, keys, arguments)
        self.scripts.append(script)
        if script is response_cache._INVALIDATE:
            self.invalidated.set()
        return found

    def taken(self) -> tuple[int, int]:
        """Return how many answers were looked for and how many were stored, since the last call."""
        told = (self.scripts.count(response_cache._READ), self.scripts.count(response_cache._STORE))
        self.scripts.clear()
        return told


@dataclass(frozen=True)
class Keeping(GraphQLClient):
    """A client of a server that keeps answers, whose budgets are out of the way."""

    store: WatchedStore
    database: CountingDatabase
    notifications: Notifications

    async def statements(self, query: str, variables: Any = None, token: str | None = None) -> int:
        """Return how many statements an answer takes."""
        await self.data(query, variables, token)
        return self.database.counts[-1]

    @asynccontextmanager
    async def invalidating(self) -> AsyncIterator[None]:
        """Wait at the end of the block for what a write in it makes worthless."""
        self.store.invalidated.clear()
        yield
        async with asyncio.timeout(_PATIENCE):
            await self.store.invalidated.wait()


@pytest_asyncio.fixture
async def keeping(
    platform_parts: Platform, catalog: Database, database_url: str, valkey_url: str, clock: ManualClock
) -> AsyncIterator[Keeping]:
    """A server with its own Valkey contents, which listens for changes."""
    await write_content(catalog, clock())
    counting = CountingDatabase(platform_parts.database)
    gateway = GatewaySettings(operations=OperationsMode.OPEN, budget=0)
    settings = platform_parts.settings.model_copy(update={"gateway": gateway})
    parts = replace(platform_parts, settings=settings, database=counting)
    client = redis.asyncio.Redis.from_url(valkey_url)
    await client.flushall()
    store = WatchedStore(client, clock)
    async with listening(database_url) as notifications:
        app = build_app(parts, await services(parts, Recommender(None, 1.0), notifications), dict, None, store)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://waymark.test") as http:
            yield Keeping(http, store, counting, notifications)
    await client.aclose()


async def test_answer_is_made_once_for_everybody(keeping: Keeping, catalog: Database) -> None:
    """Signed in or not, by POST or GET, interpreted or compiled; other variables are another answer."""
    token = await member(keeping, catalog, "ana")
    first = await keeping.send(LIST)
    assert (1, 1) == keeping.store.taken()
    for answer in (await keeping.send(LIST), await keeping.send(LIST, token=token)):
        assert first == answer
        assert 0 == keeping.database.counts[-1]
    got = await keeping.http.get("/graphql", params={"query": LIST})
    assert (first, "public, max-age=60", "0") == (got.json(), got.headers["Cache-Control"], got.headers["Age"])
    again = await keeping.http.get("/graphql", params={"query": LIST}, headers={"If-None-Match": got.headers["ETag"]})
    assert (304, b"", "0") == (again.status_code, again.content, again.headers["Age"])
    assert (4, 0) == keeping.store.taken()
    for slug in ("course-1", "course-2", "nothing"):
        assert await keeping.statements(PAGE, {"slug": slug}) > 0
        assert 0 == await keeping.statements(PAGE, {"slug": slug, "unknown": slug})


@pytest.mark.parametrize("document", PERSONAL)
async def test_what_is_somebodys_own_is_never_kept(keeping: Keeping, catalog: Database, document: str) -> None:
    """One field of a caller's own keeps the whole operation out of the cache, for signed-out callers too."""
    tokens = [await member(keeping, catalog, name) for name in ("ana", "bo")]
    await keeping.data(ENROLL, {"input": {"courseId": encode_id("Course", 1)}}, tokens[0])
    keeping.store.taken()
    answers = [await keeping.data(document, token=token) for token in (*tokens, None) for _ in range(2)]
    assert (0, 0) == keeping.store.taken()
    if "viewer {" in document:
        assert ["ana", "ana", "bo", "bo"] == [answer["viewer"]["displayName"] for answer in answers[:4]]
        assert answers[4]["viewer"] is None
    elif "viewerEnrollment" in document:
        assert [True, True, False, False, False, False] == [
            answer["course"]["viewerEnrollment"] is not None for answer in answers
        ]


async def test_draft_is_seen_by_its_author_and_never_through_a_kept_answer(keeping: Keeping, catalog: Database) -> None:
    """Whoever asks first: what depends on who asks is kept for nobody but those who are nobody."""
    author = await member(keeping, catalog, "ana", Role.INSTRUCTOR)
    moderator = await member(keeping, catalog, "mo", Role.MODERATOR)
    stranger = await member(keeping, catalog, "bo")
    course = {"title": "Secret waves", "level": "BEGINNER", "language": "en"}
    created = (await keeping.data(CREATE, {"input": course}, author))["createCourse"]
    asked = {"slug": created["course"]["slug"]}
    keeping.store.taken()
    for token, sees in ((author, True), (None, False), (stranger, False), (moderator, True), (None, False)) * 2:
        answer = await keeping.data(PAGE, asked, token)
        assert sees == (answer["course"] is not None)
        assert sees == ("Secret waves" in str(answer))
    # Four of the ten were signed out: one of them made the answer that the others got.
    assert (4, 1) == keeping.store.taken()


async def test_public_fields_are_the_same_for_everybody(keeping: Keeping, catalog: Database) -> None:
    """Every field with a public hint, answered without the cache to callers of every kind."""
    tokens: list[str | None] = [None]
    tokens += [await member(keeping, catalog, role.value.lower(), role) for role in Role]
    async with catalog.transaction() as connection:
        newest = (await connection.execute(accounts.select().order_by(accounts.c.id))).first()
    assert newest is not None
    await teach(catalog, newest.id)
    await keeping.data(ENROLL, {"input": {"courseId": encode_id("Course", 1)}}, tokens[-1])
    await keeping.data(
        REVIEW, {"input": {"courseId": encode_id("Course", 1), "rating": 4, "text": "Good."}}, tokens[-1]
    )
    keeping.store.taken()
    # Each text is another document, so none is answered out of the cache.
    answers = [await keeping.data(f"{PUBLIC} # {number}", token=token) for number, token in enumerate(tokens)]
    assert all(answer == answers[0] for answer in answers)
    assert (len(tokens), len(tokens)) == keeping.store.taken()


async def test_writes_make_kept_answers_worthless(keeping: Keeping, catalog: Database) -> None:
    """A review and an edit are seen as soon as they are told, wherever the course is; other answers stay."""
    author = await member(keeping, catalog, "ana", Role.INSTRUCTOR)
    async with catalog.transaction() as connection:
        key = (await connection.execute(accounts.select())).one().id
    await teach(catalog, key)
    await keeping.data(ENROLL, {"input": {"courseId": encode_id("Course", 1)}}, author)
    other = {"slug": "course-9"}
    for asked in (PUBLISHED, other):
        await keeping.data(PAGE, asked)
    before = (await keeping.data(LIST))["courses"]["nodes"][0]["version"]
    async with keeping.invalidating():
        sent = {"courseId": encode_id("Course", 1), "rating": 5, "text": "Splendid."}
        assert [] == (await keeping.data(REVIEW, {"input": sent}, author))["reviewCourse"]["userErrors"]
    page = (await keeping.data(PAGE, PUBLISHED))["course"]
    assert (1, [{"text": "Splendid."}]) == (page["rating"]["count"], page["reviews"]["nodes"])
    async with keeping.invalidating():
        edit = {"courseId": encode_id("Course", 1), "version": before, "title": "Course 01, again"}
        assert [] == (await keeping.data(UPDATE, {"input": edit}, author))["updateCourse"]["userErrors"]
    assert before + 1 == (await keeping.data(LIST))["courses"]["nodes"][0]["version"]
    assert before + 1 == (await keeping.data(PAGE, PUBLISHED))["course"]["version"]
    assert 0 == await keeping.statements(PAGE, other)


async def test_answer_that_was_begun_before_a_write_is_not_kept_after_it(keeping: Keeping) -> None:
    """However late it is stored: a slow reader does not bring back what a writer has changed."""
    cache = response_cache.ResponseCache(keeping.store, "test")
    key = cache.key("digest", None, "everybody", {})

    async def slow(observe: Callable[[Sequence[Any]], None]) -> Answer:
        observe([None])
        await cache.invalidate([CATALOG])
        return Answer({"old": True})

    async def fresh(_observe: Callable[[Sequence[Any]], None]) -> Answer:
        return Answer({"new": True})

    hint = public(60, CATALOG)
    await cache.answer(key, hint, slow, lambda _answer: 1)
    answers = [await cache.answer(key, hint, fresh, lambda _answer: 1) for _ in range(2)]
    assert [b'{"new":true}'] * 2 == [orjson.dumps(answer.data) for answer in answers]


async def test_one_request_makes_what_many_wait_for(keeping: Keeping) -> None:
    """A hundred requests at once cost the statements of one; more than there are connections wait without harm."""
    keeping.database.counts.clear()
    answers = await asyncio.gather(*(keeping.data(PAGE, PUBLISHED) for _ in range(100)))
    assert all(answer == answers[0] for answer in answers)
    assert 1 == sum(count > 0 for count in keeping.database.counts)
    assert 1 == keeping.store.taken()[1]


async def test_request_that_is_cancelled_leaves_the_making_to_another(keeping: Keeping) -> None:
    """Whoever waits for an answer gets one, even if the client who asked first goes away."""
    cache = response_cache.ResponseCache(keeping.store, "test")
    key = cache.key("cancelled", None, "everybody", {})
    begun = asyncio.Event()

    async def endless(_observe: Callable[[Sequence[Any]], None]) -> Answer:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def quick(_observe: Callable[[Sequence[Any]], None]) -> Answer:
        return Answer({"done": True})

    first = asyncio.create_task(cache.answer(key, public(60), endless, lambda _answer: 1))
    await begun.wait()
    second = asyncio.create_task(cache.answer(key, public(60), quick, lambda _answer: 1))
    await asyncio.sleep(0)
    first.cancel()
    answer = await second
    assert b'{"done":true}' == orjson.dumps(answer.data)


async def test_answers_with_errors_are_not_kept(keeping: Keeping) -> None:
    """The next request may have more luck."""
    wrong = "{ courses(first: 101) { nodes { id } } }"
    for _ in range(2):
        assert "INVALID_ARGUMENT" == (await keeping.send(wrong))["errors"][0]["extensions"]["code"]
    assert (2, 0) == keeping.store.taken()


async def test_cost_of_a_kept_answer_is_what_making_it_cost(keeping: Keeping) -> None:
    """So that clients can plan, whoever asked before."""
    told = [(await keeping.send(LIST))["extensions"]["cost"] for _ in range(3)]
    assert [{"requested": 65, "actual": 11}] * 3 == told


async def test_metrics_tell_what_became_of_answers(
    keeping: Keeping, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, kept, given again, shared with who waited, and made worthless; and when Valkey cannot tell."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("gateway.response_cache.metrics.get_meter", provider.get_meter)
    cache = response_cache.ResponseCache(keeping.store, "test")
    key = cache.key("counted", None, "everybody", {})

    async def make(_observe: Callable[[Sequence[Any]], None]) -> Answer:
        await asyncio.sleep(0)
        return Answer({"made": True})

    async def ask(asked: response_cache.ResponseCache) -> None:
        await asked.answer(key, public(60), make, lambda _answer: 1)

    await asyncio.gather(ask(cache), ask(cache), ask(cache))
    await ask(cache)
    await cache.invalidate(["course:1", "course:2"])
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{reserved.getsockname()[1]}/0"
        async with shared_store(url, clock) as away:
            assert away is not None
            await ask(response_cache.ResponseCache(away, "test"))
    assert {
        ("waymark.answers.asked", "miss"): 1,
        ("waymark.answers.asked", "shared"): 2,
        ("waymark.answers.asked", "hit"): 1,
        ("waymark.answers.asked", "unavailable"): 1,
        ("waymark.answers.stored", ""): 1,
        ("waymark.answers.invalidated", ""): 2,
        ("waymark.shared_store.failures", ""): 1,
    } == counted(reader)


def counted(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """Return the sum of each counter, by its name and outcome."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (metric.name, str((point.attributes or {}).get("outcome", ""))): getattr(point, "value", 0)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


async def test_without_valkey_nothing_is_kept_and_nothing_breaks(
    platform_parts: Platform, catalog: Database, clock: ManualClock
) -> None:
    """Every request is answered as ever."""
    counting = CountingDatabase(catalog)
    parts = replace(platform_parts, database=counting)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{reserved.getsockname()[1]}/0"
        async with shared_store(url, clock) as store, served(parts, OperationsMode.OPEN, store) as app:
            answers = [await app.post({"query": LIST}) for _ in range(5)]
    assert all(answer == answers[0] and "errors" not in answer for answer in answers)
    assert all(count > 0 for count in counting.counts)
