"""Statements about who is forgotten: written when an account is deleted, read by every copy that must follow."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.learners import erasures


class ErasureRow(Row):
    """Somebody who is forgotten."""

    learner_id: int
    erased_at: datetime
    forgotten_at: datetime | None


_COLUMNS = (erasures.c.learner_id, erasures.c.erased_at, erasures.c.forgotten_at)

ERASURES: Statement[ErasureRow] = Statement(select(*_COLUMNS).order_by(erasures.c.learner_id), ErasureRow)
"""Everybody."""

RECENT_ERASURES: Statement[ErasureRow] = Statement(
    select(*_COLUMNS)
    .where(
        or_(
            erasures.c.forgotten_at.is_(None),
            erasures.c.erased_at > bindparam("since", type_=DateTime(timezone=True)),
        )
    )
    .order_by(erasures.c.learner_id),
    ErasureRow,
)
"""Those whom no materialization has forgotten yet, or who were erased after `since`."""


async def add(
    connection: AsyncConnection, learner_id: int, now: datetime, *, source: str | None, source_index: bytes | None
) -> None:
    """Remember that a learner is forgotten.

    Args:
        connection: the transaction that deletes them.
        learner_id: who.
        now: the moment.
        source: where their history was imported from, if it was.
        source_index: keyed hash of their id there; None without a source.
    """
    values = {"learner_id": learner_id, "erased_at": now, "source": source, "source_index": source_index}
    await connection.execute(insert(erasures), values)


async def source_indexes(connection: AsyncConnection, source: str) -> set[bytes]:
    """Return the keyed hashes of the ids under which a source knows learners who are forgotten."""
    found = await connection.execute(select(erasures.c.source_index).where(erasures.c.source == source))
    return {bytes(index) for index in found.scalars()}


async def mark_forgotten(connection: AsyncConnection, learner_ids: Collection[int], now: datetime) -> None:
    """Put on record that no copy holds learners any more, since a moment."""
    await connection.execute(_MARK, {"learner_ids": sorted(learner_ids), "now": now})


_MARK = (
    update(erasures)
    .where(erasures.c.learner_id == func.any(bindparam("learner_ids", type_=ARRAY(BigInteger))))
    .values(forgotten_at=bindparam("now", type_=DateTime(timezone=True)))
)
