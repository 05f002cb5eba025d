"""Persisted operations: looked up by id, registered and never replaced, their use counted in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, bindparam, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.operations import operation_registrations, operation_usage, operations


class OperationRow(Row):
    """A registered operation."""

    id: str
    text: str
    sha256: str
    name: str | None
    kind: str
    coordinates: list[str]
    registered_at: datetime


class ListedOperationRow(OperationRow):
    """A registered operation with who has it, and how often it ran."""

    clients: list[str]
    count: int
    last_used_at: datetime | None


class RegistrationRow(Row):
    """A build of a client that has an operation."""

    client: str
    client_version: str
    registered_by: str
    registered_at: datetime


class UsageRow(Row):
    """How one version of a client uses an operation."""

    operation_id: str
    name: str | None
    kind: str
    coordinates: list[str]
    client: str
    client_version: str
    count: int
    first_used_at: datetime
    last_used_at: datetime


_ID = bindparam("id", type_=Text)
_NOTHING: ColumnElement[int] = literal_column("0")

# A client may name an operation by the hash of its text too, whatever id it was registered under.
OPERATION = Statement(
    select(operations)
    .where(or_(operations.c.id == _ID, operations.c.sha256 == _ID))
    .order_by((operations.c.id == _ID).desc(), operations.c.id)
    .limit(literal_column("1")),
    OperationRow,
)

_NAMED = bindparam("named", type_=Text)

OPERATIONS_NAMED = Statement(
    select(operations)
    .where(
        or_(
            operations.c.name == _NAMED,
            func.starts_with(operations.c.id, _NAMED),
            func.starts_with(operations.c.sha256, _NAMED),
        )
    )
    .order_by(operations.c.name, operations.c.id),
    OperationRow,
)

_BUILD = operation_registrations.c.client + literal_column("' '") + operation_registrations.c.client_version

OPERATIONS = Statement(
    select(
        operations,
        select(func.coalesce(func.array_agg(_BUILD), literal_column("'{}'::text[]")))
        .where(operation_registrations.c.operation_id == operations.c.id)
        .scalar_subquery()
        .label("clients"),
        select(func.coalesce(func.sum(operation_usage.c.count), _NOTHING).cast(operation_usage.c.count.type))
        .where(operation_usage.c.operation_id == operations.c.id)
        .scalar_subquery()
        .label("count"),
        select(func.max(operation_usage.c.last_used_at))
        .where(operation_usage.c.operation_id == operations.c.id)
        .scalar_subquery()
        .label("last_used_at"),
    ).order_by(operations.c.name, operations.c.id),
    ListedOperationRow,
)

REGISTRATIONS = Statement(
    select(
        operation_registrations.c.client,
        operation_registrations.c.client_version,
        operation_registrations.c.registered_by,
        operation_registrations.c.registered_at,
    )
    .where(operation_registrations.c.operation_id == _ID)
    .order_by(operation_registrations.c.registered_at, operation_registrations.c.client),
    RegistrationRow,
)

USAGE = Statement(
    select(
        operation_usage.c.operation_id,
        operations.c.name,
        operations.c.kind,
        operations.c.coordinates,
        operation_usage.c.client,
        operation_usage.c.client_version,
        operation_usage.c.count,
        operation_usage.c.first_used_at,
        operation_usage.c.last_used_at,
    )
    .join_from(operation_usage, operations)
    .order_by(
        operations.c.name, operations.c.id, operation_usage.c.last_used_at.desc(), operation_usage.c.client_version
    ),
    UsageRow,
)


async def register(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> tuple[set[str], dict[str, str]]:
    """Write operations that are not there yet; those that are stay as they are.

    Args:
        connection: of an open transaction.
        rows: the columns of `operations`; no id twice.

    Returns:
        The ids that are new, and the text that each id has now.
    """
    if not rows:
        return set(), {}
    # In one order, so that two registrations of the same operations wait for each other and never deadlock.
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    ids = [row["id"] for row in ordered]
    known = select(operations.c.id, operations.c.text).where(
        operations.c.id == any_(bindparam("ids", type_=ARRAY(Text)))
    )
    before = {row.id for row in await connection.execute(known, {"ids": ids})}
    new: set[str] = set()
    for row in ordered:
        if row["id"] not in before:
            written = await connection.execute(
                insert_or(operations).values(row).on_conflict_do_nothing().returning(operations.c.id)
            )
            new |= set(written.scalars())
    return new, {row.id: row.text for row in await connection.execute(known, {"ids": ids})}


async def register_builds(
    connection: AsyncConnection,
    ids: Iterable[str],
    *,
    client: str,
    client_version: str,
    registered_by: str,
    registered_at: datetime,
) -> None:
    """Record that a build of a client has operations; what is on record already stays."""
    rows = [
        {
            "operation_id": id_,
            "client": client,
            "client_version": client_version,
            "registered_by": registered_by,
            "registered_at": registered_at,
        }
        for id_ in sorted(ids)
    ]
    if rows:
        await connection.execute(insert_or(operation_registrations).on_conflict_do_nothing(), rows)


async def versions_seen(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """Return which clients, in which versions, are on record as users of each operation."""
    found = await connection.execute(
        select(operation_usage.c.operation_id, operation_usage.c.client, operation_usage.c.client_version).where(
            operation_usage.c.operation_id == any_(bindparam("ids", type_=ARRAY(Text)))
        ),
        {"ids": list(ids)},
    )
    seen: dict[str, set[tuple[str, str]]] = {}
    for row in found:
        seen.setdefault(row.operation_id, set()).add((row.client, row.client_version))
    return seen


async def add_usage(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Add counts of use to those on record.

    Args:
        connection: of an open transaction.
        rows: the columns of `operation_usage`; no key twice.
    """
    if not rows:
        return
    statement = insert_or(operation_usage)
    added = statement.excluded
    # In one order, so that processes that write at the same moment never deadlock.
    ordered = sorted(rows, key=lambda row: (row["operation_id"], row["client"], row["client_version"]))
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(operation_usage.primary_key.columns),
            set_={
                "count": operation_usage.c.count + added.count,
                "first_used_at": func.least(operation_usage.c.first_used_at, added.first_used_at),
                "last_used_at": func.greatest(operation_usage.c.last_used_at, added.last_used_at),
            },
        ),
        ordered,
    )
