"""Subscriptions on real PostgreSQL: changes made by another process reach whoever watches, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text, update

from core.ids import encode_id
from core.settings import DatabaseSettings
from database.notifications import Notifications, enrollment_topic, listening
from database.queries import enrollments as queries
from database.session import Database, open_database
from database.tables.accounts import sessions as session_table
from resolvers import attempts, enrollments, progress, regrading
from resolvers.attempts import StartAttempt, SubmitAttempt
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.enrollments import Enroll, Unenroll
from resolvers.progress import ProgressReport, RecordProgress
from resolvers.regrading import GradeAnswer
from schema.contract import build_schema
from tests.conftest import NOW
from tests.integration.test_resolvers_regrading import ESSAY, ESSAYS
from tests.small_accounts import Contexts
from tests.small_learning import COURSE_ID, add_revision, another, assessment_id, lesson_id, question_id

SCHEMA = build_schema()
# Long enough for a busy machine; nothing waits for it to pass.
PATIENCE = 20.0
PROGRESS = (
    "subscription ($id: ID!) { enrollmentProgress(enrollmentId: $id) { id progress status nextLesson { title } } }"
)
GRADED = "subscription ($id: ID!) { attemptGraded(attemptId: $id) { status score passed answers { points } } }"


class Process:
    """A server process: connections of its own, and a listener of its own."""

    def __init__(self, database: Database, notifications: Notifications) -> None:
        self.database = database
        self.notifications = notifications

    def subscribe(self, like: Context, document: str, key: str) -> AsyncGenerator[Any, None]:
        """Subscribe as the caller of another request, and return the results."""
        context = Context(
            reader=self.database.passing_reader(),
            database=self.database,
            clock=like.clock,
            identity=like.identity,
            request_id=uuid4(),
            services=replace(like.services, notifications=self.notifications),
        )
        return _results(context, document, key)


async def _results(context: Context, document: str, key: str) -> AsyncGenerator[Any, None]:
    # Closed as the gateway closes it: when the client leaves.
    async with aclosing(await SCHEMA.subscribe(document, {"id": key}, context_value=context)) as results:
        async for result in results:
            yield result


@asynccontextmanager
async def started(url: str) -> AsyncIterator[Process]:
    """Start a process that has two connections for reading."""
    async with open_database(url, DatabaseSettings(read_connections=2)) as database, listening(url) as notifications:
        yield Process(database, notifications)


@pytest_asyncio.fixture
async def process(database_url: str) -> AsyncIterator[Process]:
    """A server process beside the one that commands run in."""
    async with started(database_url) as process:
        yield process


async def next_of(stream: AsyncGenerator[Any, None]) -> Any:
    """Return the data of the next value."""
    result = await asyncio.wait_for(anext(stream), PATIENCE)
    assert not result.errors, result.errors
    (value,) = result.data.values()
    return value


async def refusal_of(stream: AsyncGenerator[Any, None]) -> tuple[str, str]:
    """Return code and message of the error that ends a stream."""
    result = await asyncio.wait_for(anext(stream), PATIENCE)
    (error,) = result.errors
    assert [] == [each async for each in stream]
    return error.original_error.code, error.message


async def enrolled(context: Context) -> str:
    """Return the id of the caller's enrollment in course 1."""
    row = (await enrollments.enroll(context, Enroll(COURSE_ID))).enrollment
    assert row is not None
    return encode_id("Enrollment", row.id)


async def complete(context: Context, lesson: int) -> None:
    """Complete a lesson."""
    report = ProgressReport(lesson_id(lesson), f"done-{lesson}", 600, 600, completed=True, occurred_at=NOW)
    payload = await progress.record_progress(context, RecordProgress((report,)))
    assert ["RECORDED"] == [result.outcome for result in payload.results]


async def test_progress_reaches_every_process(pupil: Context, process: Process, database_url: str) -> None:
    """The state comes at once, and again after each commit of yet another process, with what hangs on it."""
    key = await enrolled(pupil)
    async with started(database_url) as other:
        streams = [each.subscribe(pupil, PROGRESS, key) for each in (process, other)]
        for stream in streams:
            value = {"id": key, "progress": 0.0, "status": "ACTIVE", "nextLesson": {"title": "Lesson 1"}}
            assert value == await next_of(stream)
        await complete(pupil, 1)
        for stream in streams:
            value = {"id": key, "progress": 0.25, "status": "ACTIVE", "nextLesson": {"title": "Lesson 2"}}
            assert value == await next_of(stream)
            await stream.aclose()
        assert [0, 0] == [each.notifications.watched for each in (process, other)]


async def test_leaving_and_coming_back_are_told(pupil: Context, process: Process) -> None:
    """The status is part of what is watched."""
    key = await enrolled(pupil)
    stream = process.subscribe(pupil, PROGRESS, key)
    await next_of(stream)
    await enrollments.unenroll(pupil, Unenroll(key))
    assert "WITHDRAWN" == (await next_of(stream))["status"]
    await enrollments.enroll(pupil, Enroll(COURSE_ID))
    assert "ACTIVE" == (await next_of(stream))["status"]
    await stream.aclose()


async def test_grade_reaches_the_learner(
    learner: Context, teacher: Context, catalog: Database, process: Process, strangers: Contexts
) -> None:
    """Points are told when the attempt is graded, and not when it is submitted or graded in part."""
    await add_revision(catalog, 1, at=NOW, asked=ESSAYS)
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    row = (await attempts.start_attempt(learner, StartAttempt(assessment_id()))).attempt
    assert row is not None
    key = encode_id("Attempt", row.id)
    await attempts.submit_attempt(learner, SubmitAttempt(key, ESSAY))
    stream = process.subscribe(learner, GRADED, key)
    await regrading.grade_answer(teacher, GradeAnswer(key, question_id(1), 4))
    waiting = {"status": "SUBMITTED", "score": None, "passed": None, "answers": [{"points": None}] * 2}
    assert waiting == await next_of(stream)
    await regrading.grade_answer(another(strangers, teacher), GradeAnswer(key, question_id(2), 5))
    graded = {"status": "GRADED", "score": 9.0, "passed": True, "answers": [{"points": 4.0}, {"points": 5.0}]}
    assert graded == await next_of(stream)
    await stream.aclose()


@pytest.mark.parametrize("watched", [(PROGRESS, "Enrollment"), (GRADED, "Attempt")])
async def test_others_are_refused_alike(
    pupil: Context, teacher: Context, strangers: Contexts, process: Process, watched: tuple[str, str]
) -> None:
    """Somebody else's, one that is not there, and no id at all: the same words, so that nothing is revealed."""
    document, type_name = watched
    await attempts.start_attempt(pupil, StartAttempt(assessment_id()))
    keys = [encode_id(type_name, 1), encode_id(type_name, 999), "nonsense"]
    refusals = {await refusal_of(process.subscribe(teacher, document, key)) for key in keys}
    assert {"FORBIDDEN"} == {code for code, _ in refusals}
    assert 1 == len(refusals)
    ((code, _),) = {await refusal_of(process.subscribe(strangers(), document, key)) for key in keys}
    assert "UNAUTHENTICATED" == code
    assert 0 == process.notifications.watched


async def test_session_that_ended_gets_nothing_more(pupil: Context, process: Process) -> None:
    """Who signs out elsewhere is told instead of the next value, and the stream is over."""
    stream = process.subscribe(pupil, PROGRESS, await enrolled(pupil))
    await next_of(stream)
    async with pupil.database.transaction() as connection:
        mine = session_table.c.id == caller(pupil).session_id
        await connection.execute(update(session_table).where(mine).values(revoked_at=NOW))
    await complete(pupil, 1)
    assert "UNAUTHENTICATED" == (await refusal_of(stream))[0]
    assert 0 == process.notifications.watched


async def test_slow_client_gets_the_latest_state_once(pupil: Context, process: Process) -> None:
    """What changes while nobody takes a value is one change, however often it changed."""
    key = await enrolled(pupil)
    slow, fast = (process.subscribe(pupil, PROGRESS, key) for _ in range(2))
    for stream in (slow, fast):
        await next_of(stream)
    for lesson in (1, 2, 3):
        await complete(pupil, lesson)
        assert lesson / 4 == (await next_of(fast))["progress"]
    assert 0.75 == (await next_of(slow))["progress"]
    pending = asyncio.ensure_future(anext(slow))
    async with pupil.database.transaction() as connection:
        await connection.execute(text("SELECT pg_notify('waymark_changes', 'enrollment:999')"))
    await asyncio.wait([pending], timeout=0.05)
    assert not pending.done()
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await fast.aclose()


async def test_waiting_holds_no_connection(pupil: Context, process: Process) -> None:
    """Ten subscriptions wait on a process that has two connections, and it still reads."""
    key = await enrolled(pupil)
    async with AsyncExitStack() as stack:
        streams = [process.subscribe(pupil, PROGRESS, key) for _ in range(10)]
        for stream in streams:
            stack.push_async_callback(stream.aclose)
        await asyncio.gather(*(next_of(stream) for stream in streams))
        waiting = [asyncio.ensure_future(next_of(stream)) for stream in streams]
        async with process.database.reader() as one, process.database.reader() as two:
            for reader in (one, two):
                assert await reader.fetch(queries.COUNTS, learner_ids=[caller(pupil).learner_id])
        await complete(pupil, 1)
        assert {0.25} == {value["progress"] for value in await asyncio.gather(*waiting)}


async def test_outage_is_made_up_for(pupil: Context, process: Process) -> None:
    """When the listening connection is lost, what changed meanwhile is told as soon as there is another."""
    stream = process.subscribe(pupil, PROGRESS, await enrolled(pupil))
    await next_of(stream)
    async with pupil.database.transaction() as connection:
        ended = await connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name = 'waymark notifications' AND datname = current_database()"
            )
        )
        assert 1 == ended.scalar_one()
        # Made without a notification: only a new connection can tell of it.
        await connection.execute(text("UPDATE enrollments SET progress = 0.5"))
    while (value := await next_of(stream))["progress"] != 0.5:
        assert 0.0 == value["progress"]
    await complete(pupil, 1)
    assert 0.25 == (await next_of(stream))["progress"]
    await stream.aclose()


async def test_process_that_stops_ends_its_streams(pupil: Context, database_url: str) -> None:
    """Whoever waits is let go, so that the server can stop; whoever comes later gets the state and no more."""
    key = await enrolled(pupil)
    async with started(database_url) as stopping:
        stream = stopping.subscribe(pupil, PROGRESS, key)
        await next_of(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        stopping.notifications.end()
        assert await asyncio.wait_for(waiting, PATIENCE) is None
        late = [result async for result in stopping.subscribe(pupil, PROGRESS, key)]
        assert [None] == [result.errors for result in late]


async def test_server_that_is_away_is_waited_for(unused_tcp_port: int) -> None:
    """Nothing fails when PostgreSQL is not there yet: watches wait."""
    url = f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/nothing"
    async with listening(url, DatabaseSettings(connect_timeout=0.2)) as notifications:
        with notifications.watch(enrollment_topic(1)) as watch:
            notifications.wake(enrollment_topic(2))
            notifications.wake(enrollment_topic(1))
            assert await watch.changed()
    assert 0 == notifications.watched
