"""CPU of one operation: graphql-core against the compiled executor, in one process and one run.

    .venv/bin/python -m tests.load.bench_execution --rounds 20 --repeat 30

Answers are compared for equality first. "With reads" includes asyncpg and the rows it makes, but not the server, which
is a process of its own. "Without" answers each statement from memory, so that what is left is executing GraphQL and the
resolvers' own work. Parsing and validation are left out of both: a server would cache them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import orjson
from graphql import DocumentNode, ExecutionResult, execute, parse
from sqlalchemy import insert
from strawberry.execution import optimized_is_awaitable

from app.embedded import embedded_postgres
from core.clock import ManualClock
from core.ids import encode_id
from core.settings import SecuritySettings
from database.migrate import migrate
from database.session import Database, Reader, open_database
from database.tables.courses import course_instructors, instructors
from execution.compile import compile_operation
from resolvers import enrollments, sessions
from resolvers.context import Context, Services
from schema.contract import build_schema
from security.encryption import Cipher
from security.keys import new_key_ring
from security.passwords import Passwords
from security.tokens import Tokens
from tests.small_platform import add_course, add_topics

OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "20 courses": (
        """query Courses($first: Int = 20) { courses(first: $first) { totalCount pageInfo { hasNextPage endCursor }
        nodes { id slug title summary level language durationMinutes publishedAt enrollmentCount
        topics { id slug name } instructors(first: 3) { nodes { id displayName } } } } }""",
        {"first": 20},
    ),
    "viewer enrollments": (
        """query MyCourses($first: Int!, $status: EnrollmentStatus) { viewer { id displayName
        enrollments(first: $first, status: $status) { pageInfo { hasNextPage endCursor }
        nodes { id status progress enrolledAt course { id slug title level } } } } }""",
        {"first": 10},
    ),
    "one row": (
        "query One($slug: String!) { course(by: {slug: $slug}) { id slug title level language } }",
        {"slug": "course-3"},
    ),
}


@dataclass
class Replay:
    """A reader that remembers what PostgreSQL answered."""

    reader: Reader
    known: dict[Any, Any] = field(default_factory=dict)

    async def fetch(self, statement: Any, **values: Any) -> Any:
        """Return all rows of a statement."""
        key = (statement.sql, repr(values))
        if key not in self.known:
            self.known[key] = await self.reader.fetch(statement, **values)
        return self.known[key]

    async def fetch_first(self, statement: Any, **values: Any) -> Any:
        """Return the first row of a statement, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None


async def fill(database: Database, context: Context) -> None:
    """Write 25 courses with topics and instructors, and a learner who takes ten of them; sign `context` in."""
    await add_topics(database, {1: None, 2: 1, 3: 1})
    async with database.transaction() as connection:
        people = [{"id": number, "display_name": f"Teacher {number}"} for number in range(1, 6)]
        await connection.execute(insert(instructors), people)
    for number in range(1, 26):
        await add_course(database, number, enrollment_count=number, on=(1, 2 + number % 2))
        async with database.transaction() as connection:
            taught = [
                {"course_id": number, "instructor_id": 1 + (number + place) % 5, "position": place} for place in (0, 1)
            ]
            await connection.execute(insert(course_instructors), taught)
    await sessions.sign_up(context, sessions.SignUp("ana@example.org", "correct horse battery", "Ana"))
    for number in range(1, 11):
        await enrollments.enroll(context, enrollments.Enroll(course_id=encode_id("Course", number)))


async def cpu(run: Callable[[], Awaitable[Any]], rounds: int, repeat: int) -> float:
    """Return the median over rounds of the microseconds of CPU that one call takes in this process."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time_ns()
        for _ in range(repeat):
            await run()
        taken.append((time.process_time_ns() - start) / repeat / 1000)
    return median(taken)


def with_graphql_core(
    schema: Any, document: DocumentNode, variables: dict[str, Any], make: Callable[[], Context]
) -> Any:
    """Return a function that executes with graphql-core, as Strawberry does."""
    is_awaitable: Any = optimized_is_awaitable

    async def run() -> Any:
        executed: Any = execute(
            schema._schema,
            document,
            context_value=make(),
            variable_values=variables,
            is_awaitable=is_awaitable,
            executor_class=schema.execution_context_class,
        )
        result: ExecutionResult = await executed
        assert result.errors is None, result.errors
        return result.data

    return run


def with_compiled(schema: Any, document: DocumentNode, variables: dict[str, Any], make: Callable[[], Context]) -> Any:
    """Return a function that executes with the compiled executor."""
    compiled = compile_operation(schema, document)

    async def run() -> Any:
        answer = await compiled.execute(make(), variables)
        assert not answer.errors, answer.errors
        assert not answer.detours
        return answer.data

    return run


async def measure(database: Database, rounds: int, repeat: int) -> None:
    """Print a line for each operation and kind of reader."""
    schema = build_schema()
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    keys, settings = new_key_ring(), SecuritySettings(password_memory_kib=8, password_iterations=1)
    recommender: Any = None
    services = Services(
        cipher=Cipher(keys),
        passwords=Passwords(settings),
        tokens=Tokens(keys, settings, clock),
        recommender=recommender,
    )
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(database.reader())
        first = Context(reader, database, clock, None, uuid4(), services, "192.0.2.7")
        await fill(database, first)
        replay: Any = Replay(reader)
        print(f"{'operation':20} {'reads':8} {'graphql-core':>13} {'compiled':>10} {'ratio':>7}   CPU in microseconds")  # noqa: T201 - It is a command.
        for name, (text, variables) in OPERATIONS.items():
            document = parse(text)
            for reads, source in (("with", reader), ("without", replay)):

                def make(source: Any = source) -> Context:
                    return Context(source, database, clock, first.identity, first.request_id, services)

                core = with_graphql_core(schema, document, variables, make)
                compiled = with_compiled(schema, document, variables, make)
                assert orjson.dumps(await core()) == orjson.dumps(await compiled())
                slow, fast = await cpu(core, rounds, repeat), await cpu(compiled, rounds, repeat)
                print(f"{name:20} {reads:8} {slow:13.0f} {fast:10.0f} {slow / fast:7.1f}")  # noqa: T201 - It is a command.


async def main(rounds: int, repeat: int) -> None:
    """Start PostgreSQL, fill it, measure."""
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder)) as url:
        async with open_database(url) as database:
            await migrate(database)
            await measure(database, rounds, repeat)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=30)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.rounds, chosen.repeat))
