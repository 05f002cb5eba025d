"""What all bulk imports share: COPY into temporary tables, set-based statements, one transaction, a list of problems.

The statements are written as SQL, because the temporary tables exist only while an import runs and are no part
of the metadata. Every function takes the transaction of the whole import; a failure anywhere rolls back everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import DateTime, Row, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

# Two imports at once would wait for each other's rows; the second one is told instead.
_ADVISORY_LOCK = 7_236_919

_PROBLEMS = """
CREATE TEMPORARY TABLE import_problems (
    line bigint NOT NULL, "column" text, severity text NOT NULL, rule text NOT NULL, reason text NOT NULL
) ON COMMIT DROP
"""

# Severities are sorted worst first.
_COUNT = """
SELECT severity, rule, count(*) FROM import_problems GROUP BY 1, 2
ORDER BY array_position(ARRAY['rejected', 'warning', 'info'], severity), 3 DESC, 2
"""
_STREAM = """
SELECT line, "column", severity, rule, reason FROM import_problems
ORDER BY line, array_position(ARRAY['rejected', 'warning', 'info'], severity), rule
"""

PROBLEM_COLUMNS = ("line", "column", "severity", "rule", "reason")


class ProblemCount(NamedTuple):
    """How many problems of one rule there are."""

    severity: str
    rule: str
    rows: int


async def begin(connection: AsyncConnection) -> bool:
    """Prepare a transaction for an import; False when another import is running."""
    # A COPY of many rows, or an upsert of all of them, may rightly take longer than any request.
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    taken: bool = (
        await connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    ).scalar_one()
    if taken:
        await connection.execute(text(_PROBLEMS))
    return taken


async def copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]
) -> None:
    """Append records to a temporary table through PostgreSQL's COPY."""
    if records:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.copy_records_to_table(table, records=records, columns=list(columns))


async def count_problems(connection: AsyncConnection) -> list[ProblemCount]:
    """Return how many problems there are, by severity and rule, the most frequent first."""
    found = await connection.execute(text(_COUNT))
    return [ProblemCount(*row) for row in found]


async def stream_problems(connection: AsyncConnection) -> AsyncIterator[Row[Any]]:
    """Yield all problems in the order of lines, rejections first; bounded in memory."""
    async for row in await connection.stream(text(_STREAM)):
        yield row


async def label_simulated(connection: AsyncConnection, name: str) -> None:
    """Say, for good, that this platform is a simulation."""
    await connection.execute(text("UPDATE platform SET simulated = true, name = :name"), {"name": name})


async def execute(connection: AsyncConnection, statements: Sequence[str], *, source: str, now: datetime) -> int:
    """Execute statements that may use `:source` and `:now`; return how many rows the last one touched."""
    touched = 0
    for statement in statements:
        prepared = text(statement)
        used = prepared.compile().params
        given = (bindparam("source", source, Text), bindparam("now", now, DateTime(timezone=True)))
        result = await connection.execute(prepared.bindparams(*(value for value in given if value.key in used)))
        touched = result.rowcount
    return touched
