"""Questions that travel together: everybody gets the rows of their own question, whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import BigInteger, Double, Text, bindparam, column, func, literal_column, select, table, text

from core.errors import UnavailableError
from core.settings import DatabaseSettings
from database.queries import accounts as account_queries, courses as course_queries, enrollments as enrollment_queries
from database.rows import Row
from database.session import Database, open_database
from database.statements import Statement
from database.tables.enrollments import EnrollmentStatus
from tests.drawn import drawn

MOST = 2
LEARNERS = 12


class ThingRow(Row):
    """A thing."""

    key: str
    thing: Any


class PartRow(Row):
    """A number divided by another, by a backend of PostgreSQL."""

    part: int
    pid: int


_THINGS = table("things", column("key", Text), column("thing"))
THING: Statement[ThingRow] = Statement(
    select(_THINGS.c.key, _THINGS.c.thing).where(_THINGS.c.key == bindparam("key", type_=Text)), ThingRow, together=64
)
PART: Statement[PartRow] = Statement(
    select(
        literal_column("100").op("/")(bindparam("by", type_=BigInteger)).label("part"),
        func.pg_backend_pid().label("pid"),
    ).where(func.pg_sleep(bindparam("seconds", type_=Double)).is_not(None)),
    PartRow,
    together=4,
)
PAGE = enrollment_queries.page((EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED), after=False)
COURSE = course_queries.visible_by_slug()
VIEWER = account_queries.viewer()
THINGS = 5_000


@pytest_asyncio.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    """A database with two connections for reads, and 5,000 things."""
    chosen = DatabaseSettings(read_connections=MOST, write_connections=1, connect_timeout=5.0)
    async with open_database(database_url, chosen) as opened:
        async with opened.transaction() as connection:
            await connection.execute(text("CREATE TABLE things (key text PRIMARY KEY, thing integer, rest text)"))
            await connection.execute(
                text(f"INSERT INTO things SELECT 'key ' || n, n, repeat('x', 200) FROM generate_series(1, {THINGS}) n")  # noqa: S608
            )
            await connection.execute(text("ANALYZE things"))
        yield opened


async def asked(database: Database, statement: Statement[Any], **values: Any) -> list[Any]:
    """Ask as a request of its own."""
    async with database.reader() as reader:
        return await reader.fetch(statement, **values)


async def part(database: Database, by: int, seconds: float = 0.0) -> int:
    """Return 100 divided by a number."""
    (row,) = await asked(database, PART, by=by, seconds=seconds)
    assert isinstance(row, PartRow)
    return row.part


async def executed(database: Database, statement: Statement[Any] | None) -> int:
    """Return how often connections that are at rest have executed a statement."""
    assert statement is not None
    found = 0
    for lease, _ in database._leases._resting:
        rows = await lease.connection.fetch(
            "SELECT generic_plans + custom_plans AS times FROM pg_prepared_statements WHERE statement = $1",
            statement.sql,
        )
        found += sum(row["times"] for row in rows)
    return found


async def nothing_is_left(database: Database) -> bool:
    """Say whether nobody waits, once what all have given up has come to its end too."""
    await asyncio.gather(*database._batches._tasks)
    return not database._batches._lines


async def test_many_who_ask_at_once_are_answered_by_few_statements(small: Database) -> None:
    """Nobody waits for company, and who comes meanwhile goes together."""
    keys = [f"key {number}" for number in range(1, 201)]
    found = await asyncio.gather(*(asked(small, THING, key=key) for key in keys))
    assert [[(key, number)] for number, key in enumerate(keys, 1)] == [
        [(row.key, row.thing) for row in rows] for rows in found
    ]
    assert all(isinstance(row, ThingRow) for rows in found for row in rows)
    assert 0 < await executed(small, THING.together) + await executed(small, THING) <= 8


async def test_who_is_alone_asks_the_plain_statement(small: Database) -> None:
    """One after another, nothing is gathered; what is not there has no rows."""
    for number in (1, 2, 3):
        (row,) = await asked(small, THING, key=f"key {number}")
        assert number == row.thing
    assert [] == await asked(small, THING, key="nowhere")
    assert 4 == await executed(small, THING)
    assert 0 == await executed(small, THING.together)


async def test_each_question_is_planned_as_if_it_were_alone_and_the_plan_is_kept(small: Database) -> None:
    """By the index, though a table of 5,000 could be joined at once; and not anew for each number of questions."""
    assert THING.together is not None
    async with small.raw() as connection:
        prepared = await connection.prepare(THING.together.sql)
        for number in range(1, 12):
            keys = [f"key {each}" for each in range(number)]
            assert number - 1 == len(await prepared.fetch(keys))
        (kept,) = await connection.fetch(
            "SELECT name, generic_plans FROM pg_prepared_statements WHERE statement = $1", THING.together.sql
        )
        assert kept["generic_plans"] > 0
        plan = await connection.fetch(f"EXPLAIN EXECUTE {kept['name']}(ARRAY['key 1'])")
    said = "\n".join(row[0] for row in plan)
    assert "Index Scan using things_pkey" in said
    assert "Seq Scan" not in said


@pytest.mark.parametrize("wrong", [0, 2**70])
async def test_error_of_one_is_not_the_others(small: Database, wrong: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whether PostgreSQL finds it, or the driver before anything is sent."""
    found = await asyncio.gather(
        *(part(small, by) for by in (1, 2, 4, wrong, 5, 10, 20, 25, 50)), return_exceptions=True
    )
    assert [100, 50, 25, 20, 10, 5, 4, 2] == [each for each in found if isinstance(each, int)]
    expected = asyncpg.DivisionByZeroError if wrong == 0 else asyncpg.DataError
    assert [expected] == [type(each) for each in found if not isinstance(each, int)]
    assert [10] * 8 == await asyncio.gather(*(part(small, 10) for _ in range(8)))
    (said,) = caplog.messages
    assert f"{expected.__name__}: 4 questions for PartRow failed together" in said


async def test_error_of_one_who_is_alone_is_told(small: Database) -> None:
    """As it is of any other statement."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await part(small, 0)


async def test_who_gives_up_disturbs_nobody(small: Database) -> None:
    """Before they are sent, while they are under way, and by a deadline; connections go on being used."""
    first = [asyncio.create_task(part(small, 10, 0.2)) for _ in range(4)]
    await asyncio.sleep(0.1)
    later = [asyncio.create_task(part(small, 20, 0.01)) for _ in range(12)]
    await asyncio.sleep(0)
    for each in (*first[:2], *later[::2]):
        each.cancel()

    async def late() -> int:
        async with asyncio.timeout(0.01):
            return await part(small, 50)

    hasty = asyncio.create_task(late())
    found = await asyncio.gather(*first, hasty, *later, return_exceptions=True)
    assert [asyncio.CancelledError, asyncio.CancelledError, 10, 10] == _kinds(found[:4])
    assert [TimeoutError] == _kinds(found[4:5])
    assert [asyncio.CancelledError, 5] * 6 == _kinds(found[5:])
    assert await nothing_is_left(small)
    pids = {
        row.pid
        for rows in await asyncio.gather(*(asked(small, PART, by=1, seconds=0) for _ in range(9)))
        for row in rows
    }
    assert len(pids) <= MOST


async def test_all_who_ask_may_give_up(small: Database) -> None:
    """Nothing is left of them, and others are answered."""
    tasks = [asyncio.create_task(part(small, 10, 0.05)) for _ in range(10)]
    await asyncio.sleep(0)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [25, 25] == await asyncio.gather(*(part(small, 4) for _ in range(2)))
    assert await nothing_is_left(small)


async def test_backend_that_is_ended_under_way_costs_nobody_their_answer(small: Database) -> None:
    """Those who went together are asked alone, on other connections."""
    tasks = [asyncio.create_task(part(small, 10, 0.3)) for _ in range(4)]
    await asyncio.sleep(0.2)
    async with small.transaction() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid != pg_backend_pid()"
            )
        )
    assert [10] * 4 == await asyncio.gather(*tasks)


async def test_outage_is_told_to_everybody(small: Database) -> None:
    """No connection is to be had: each is told that the service is unavailable, by an error of its own."""
    small._batches._patience = 0.1
    async with small.raw(), small.raw():
        found = await asyncio.gather(*(part(small, 10) for _ in range(6)), return_exceptions=True)
    assert [UnavailableError] * 6 == [type(each) for each in found]
    assert 6 == len({id(each) for each in found})
    assert [10] * 6 == await asyncio.gather(*(part(small, 10) for _ in range(6)))


async def test_backend_that_was_ended_is_an_outage_for_who_is_alone(small: Database) -> None:
    """As with any other statement, and the next request is answered."""
    (row,) = await asked(small, PART, by=1, seconds=0)
    task = asyncio.create_task(part(small, 10, 30))
    await asyncio.sleep(0.1)
    async with small.transaction() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({row.pid}, 5000)"))
    with pytest.raises(UnavailableError):
        await task
    assert 10 == await part(small, 10)


async def test_rows_are_of_the_new_type_after_a_migration(small: Database) -> None:
    """A statement that asks together is prepared again like any other."""
    for kind, expected in (("bigint", 7), ("text", "7")):
        await asyncio.gather(*(asked(small, THING, key=f"key {n}") for n in range(20)))
        async with small.transaction() as connection:
            await connection.execute(text(f"ALTER TABLE things ALTER thing TYPE {kind}"))
        found = await asyncio.gather(*(asked(small, THING, key="key 7") for _ in range(20)))
        assert [expected] * 20 == [row.thing for rows in found for row in rows]


async def test_request_that_holds_a_connection_asks_there(small: Database) -> None:
    """Its later statements need no other one."""

    async def both() -> tuple[int, int]:
        async with small.reader() as reader:
            await reader._leased()
            (first,) = await reader.fetch(PART, by=1, seconds=0)
            assert reader._lease is not None
            return first.pid, reader._lease.connection.get_server_pid()

    for one, other in await asyncio.gather(*(both() for _ in range(6))):
        assert one == other
    assert 0 == await executed(small, PART.together)


async def test_request_that_is_traced_asks_alone(small: Database) -> None:
    """Its spans tell of its own statements."""
    tracer = TracerProvider().get_tracer("test")

    async def traced() -> int:
        with tracer.start_as_current_span("request"):
            return await part(small, 10)

    assert [10] * 8 == await asyncio.gather(*(traced() for _ in range(8)))
    assert 0 == await executed(small, PART.together)
    assert 8 == await executed(small, PART)


async def test_database_that_is_closed_leaves_nobody_waiting(database_url: str) -> None:
    """Neither those under way nor those who wait for them."""
    async with open_database(database_url, DatabaseSettings(read_connections=2)) as opened:
        tasks = [asyncio.create_task(part(opened, 10, 30)) for _ in range(9)]
        await asyncio.sleep(0.1)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [UnavailableError] * 9 == [type(each) for each in found]
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await part(opened, 10)


@dataclass(frozen=True)
class Caller:
    """Somebody who asks, and how it goes.

    Attributes:
        learner: who.
        kind: what for.
        limit: of a page.
        course: of a course.
        turns: of the event loop until they ask.
        gives_up_after: turns until they give up; None for those who wait.
    """

    learner: int
    kind: str
    limit: int
    course: int
    turns: int
    gives_up_after: int | None

    def question(self) -> tuple[Statement[Any], dict[str, Any]]:
        """Return what is asked."""
        if self.kind == "page":
            return PAGE, {"taker_id": self.learner, "limit": self.limit}
        if self.kind == "viewer":
            return VIEWER, {"id": self.learner}
        seen = {"learner_id": self.learner or None, "account_id": None, "sees_all_courses": self.learner == 1}
        return COURSE, {"slug": f"course-{self.course}", **seen}


CALLERS = st.builds(
    Caller,
    learner=st.integers(0, LEARNERS),
    kind=st.sampled_from(["page", "page", "viewer", "course"]),
    limit=st.integers(0, 7),
    course=st.integers(20, 27),
    turns=st.integers(0, 12),
    gives_up_after=st.none() | st.none() | st.integers(0, 8),
)


def scenarios(count: int) -> list[list[Caller]]:
    """Return crowds of callers, the same in every run."""
    return drawn(st.lists(CALLERS, min_size=5, max_size=60), count)


async def write_learners(database: Database) -> None:
    """Let learner n take n courses, archive some of these, and give each learner an account of the same key."""
    async with database.transaction() as connection:
        for number in range(1, LEARNERS + 1):
            await connection.execute(
                text("INSERT INTO learners (id, created_at) OVERRIDING SYSTEM VALUE VALUES (:id, now())"),
                {"id": number},
            )
            await connection.execute(
                text(
                    "INSERT INTO accounts (id, learner_id, email_index, email_ciphertext, display_name_ciphertext,"
                    " encryption_key_id, password_hash, roles, created_at) OVERRIDING SYSTEM VALUE VALUES (:id, :id,"
                    " :mail, :mail, :mail, 'none', 'none', ARRAY['LEARNER'], now())"
                ),
                {"id": number, "mail": f"learner {number}".encode()},
            )
            for course in range(number):
                await connection.execute(
                    text(
                        "INSERT INTO enrollments (learner_id, course_id, status, enrolled_at)"
                        " VALUES (:learner, :course, 'ACTIVE', now() - make_interval(days => :days))"
                    ),
                    {"learner": number, "course": 25 - course, "days": (7 * course + number) % 11},
                )
        await connection.execute(text("UPDATE courses SET status = 'ARCHIVED' WHERE id BETWEEN 20 AND 23"))


async def asked_alone(connection: Any, callers: Sequence[Caller]) -> list[list[tuple[Any, ...]]]:
    """Return what each caller should get."""
    found = []
    for caller in callers:
        statement, values = caller.question()
        found.append([tuple(row) for row in await connection.fetch(statement.sql, *statement.arguments(values))])
    return found


async def answer(database: Database, caller: Caller) -> list[tuple[Any, ...]] | None:
    """Ask as a caller does; None for one who gave up."""
    for _ in range(caller.turns):
        await asyncio.sleep(0)
    statement, values = caller.question()
    task = asyncio.create_task(asked(database, statement, **values))
    if caller.gives_up_after is not None:
        for _ in range(caller.gives_up_after):
            await asyncio.sleep(0)
        task.cancel()
    try:
        rows = await task
    except asyncio.CancelledError:
        return None
    # Rows of a batch have besides, at their end, which question they answer.
    wide = len(statement.row.__annotations__)
    return [tuple(row)[: max(wide, len(row) - 1) if "asked_place" in row.keys() else len(row)] for row in rows]  # noqa: SIM118 - of asyncpg.


async def test_everybody_gets_exactly_their_own_rows(catalog: Database, database_url: str) -> None:
    """Random crowds that ask for their own lists, accounts and what they may see, while some of them give up."""
    await write_learners(catalog)
    chosen = DatabaseSettings(read_connections=3, write_connections=1)
    together = 0
    async with open_database(database_url, chosen) as opened, catalog.raw() as plain:
        for callers in scenarios(60):
            expected = await asked_alone(plain, callers)
            found = await asyncio.gather(*(answer(opened, each) for each in callers))
            for caller, mine, got in zip(callers, expected, found, strict=True):
                assert got == mine or (got is None and caller.gives_up_after is not None), caller
            assert await nothing_is_left(opened)
        for statement in (PAGE, VIEWER, COURSE):
            together += await executed(opened, statement.together)
    assert together > 50


def _kinds(found: Sequence[Any]) -> list[Any]:
    return [type(each) if isinstance(each, BaseException) else each for each in found]
