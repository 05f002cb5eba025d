"""Leases: connections go from hand to hand, statements stay prepared, and nothing that went wrong is passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import BigInteger, bindparam, cast, column, func, select, table, text

from core.errors import UnavailableError
from core.settings import DatabaseSettings
from database.queries import courses as course_queries, enrollments as enrollment_queries
from database.queries.course_filters import CourseOrderField
from database.queries.courses import PageShape
from database.queries.platform import ALIVE
from database.rows import Row
from database.session import Database, Reader, open_database
from database.statements import Statement
from database.tables.enrollments import EnrollmentStatus

MOST = 2


class PidRow(Row):
    """A backend of PostgreSQL."""

    pid: int


class ThingRow(Row):
    """A row of a table that changes."""

    thing: Any


PID: Statement[PidRow] = Statement(select(func.pg_backend_pid().label("pid")), PidRow)
SLOW: Statement[PidRow] = Statement(
    select(func.pg_backend_pid().label("pid")).where(
        func.pg_sleep(cast(bindparam("seconds", type_=BigInteger), BigInteger)).is_not(None)
    ),
    PidRow,
)
THING: Statement[ThingRow] = Statement(select(column("thing")).select_from(table("things")), ThingRow)


@pytest_asyncio.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    """A database with two connections for reads."""
    settings = DatabaseSettings(read_connections=MOST, write_connections=1, connect_timeout=5.0)
    async with open_database(database_url, settings) as opened:
        yield opened


async def pid(database: Database) -> int:
    """Read once, and return the backend that answered."""
    async with database.reader() as reader:
        (row,) = await reader.fetch(PID)
    return row.pid


async def test_connection_that_was_only_read_with_is_used_again(small: Database) -> None:
    """One at a time needs one."""
    assert 1 == len({await pid(small) for _ in range(5)})


async def test_who_waits_gets_the_connection_that_comes_back(small: Database) -> None:
    """More readers than connections: all are answered, by no more backends than there may be."""
    found = await asyncio.gather(*(pid(small) for _ in range(10)))
    assert len(set(found)) <= MOST


async def test_reader_that_gave_up_leaves_nothing_behind(small: Database) -> None:
    """A statement that is given up is canceled before its connection is used again."""
    for _ in range(2 * MOST):
        async with small.reader() as reader:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.fetch(SLOW, seconds=60)
    assert len(set(await asyncio.gather(*(pid(small) for _ in range(10))))) <= MOST


async def test_waiting_reader_that_gave_up_loses_no_connection(small: Database) -> None:
    """Neither the one that was handed over in that moment, nor the place of another who waits."""
    async with small.raw(), small.raw():
        waiting = [asyncio.create_task(pid(small)) for _ in range(6)]
        await asyncio.sleep(0)
        for each in waiting[::2]:
            each.cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [False, True] * 3 == [isinstance(each, int) for each in found]
    assert len(set(await asyncio.gather(*(pid(small) for _ in range(10))))) <= MOST


async def test_backend_that_was_ended_is_replaced(small: Database) -> None:
    """At rest it is not noticed; in use it is an outage, and the next request is answered."""
    first = await pid(small)
    async with small.transaction() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({first}, 5000)"))
    second = await pid(small)
    assert first != second
    async with small.reader() as reader:
        assert [second] == [row.pid for row in await reader.fetch(PID)]
        async with small.transaction() as connection:
            await connection.execute(text(f"SELECT pg_terminate_backend({second}, 5000)"))
        with pytest.raises(UnavailableError):
            await reader.fetch(PID)
    assert len(set(await asyncio.gather(*(pid(small) for _ in range(10))))) <= MOST


async def test_statement_survives_a_migration_of_what_it_reads(small: Database) -> None:
    """PostgreSQL refuses a prepared statement whose result has another type now; it is prepared again."""
    async with small.transaction() as connection:
        await connection.execute(text("CREATE TABLE things (thing integer)"))
        await connection.execute(text("INSERT INTO things VALUES (7)"))
    for kind, expected in (("bigint", 7), ("text", "7")):
        async with small.reader() as reader:
            assert 1 == len(await reader.fetch(THING))
        async with small.transaction() as connection:
            await connection.execute(text(f"ALTER TABLE things ALTER thing TYPE {kind}"))
        async with small.reader() as reader:
            assert [expected] == [row.thing for row in await reader.fetch(THING)]


async def test_more_statements_than_are_kept_are_prepared_again(small: Database) -> None:
    """The number of prepared statements of a connection is bounded."""
    many: list[Statement[PidRow]] = [
        Statement(select((func.pg_backend_pid() * 0 + text(str(number))).label("pid")), PidRow) for number in range(250)
    ]
    async with small.reader() as reader:
        for _ in range(2):
            assert list(range(250)) == [(await reader.fetch(each))[0].pid for each in many]


async def test_statement_that_is_asked_for_stays_prepared(small: Database) -> None:
    """However many others come between, it is those that nobody asks for any more that go."""
    first, *others = [
        Statement(select((func.pg_backend_pid() * 0 + text(str(number))).label("pid")), PidRow) for number in range(250)
    ]
    async with small.reader() as reader:
        await reader.fetch(first)
        assert isinstance(reader, Reader)
        assert reader._lease is not None
        prepared = reader._lease._prepared[first]
        for other in others:
            await reader.fetch(other)
            await reader.fetch(first)
        assert prepared is reader._lease._prepared[first]


async def test_plans_of_the_most_frequent_statements_are_kept(catalog: Database) -> None:
    """PostgreSQL does not plan a course, a page or a learner's enrollments anew for every request."""
    page = course_queries.page(PageShape(frozenset(), CourseOrderField.POPULARITY, True, False, False, False))  # noqa: FBT003
    viewer = {"learner_id": 1, "account_id": 1, "sees_all_courses": False}
    asked: list[tuple[Statement[Any], dict[str, Any]]] = [
        (course_queries.visible_by_slug(), {"slug": "course-3", **viewer}),
        (page, {"limit": 21}),
        (
            enrollment_queries.page((EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED), after=False),
            {"taker_id": 1, "limit": 21},
        ),
    ]
    async with catalog.raw() as connection:
        await connection.execute("ANALYZE")
        # Held until they are counted: a statement that nobody holds is closed.
        prepared = [(await connection.prepare(each.sql), each.arguments(values)) for each, values in asked]
        for statement, arguments in prepared:
            for _ in range(10):
                await statement.fetch(*arguments)
        kept = await connection.fetch("SELECT statement FROM pg_prepared_statements WHERE generic_plans > 0")
    assert {each.sql for each, _ in asked} <= {row["statement"] for row in kept}


async def test_closed_database_reads_nothing(database_url: str) -> None:
    """All connections are closed at the end of the block, those at rest too."""
    async with open_database(database_url) as opened, opened.reader() as reader:
        await reader.fetch(ALIVE)
    assert not opened._leases._resting
