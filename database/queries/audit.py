"""Statements about the audit trail: appending to it, and counting refused attempts in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, DateTime, Text, any_, bindparam, func, insert as insert_into, select
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.audit import audit_log


class AttemptsRow(Row):
    """How often an action on one subject had an outcome."""

    subject_type: str
    count: int


_ATTEMPTS = (
    select(audit_log.c.subject_type, func.count().label("count"))
    .where(
        audit_log.c.subject_type == any_(bindparam("subject_types", type_=ARRAY(Text))),
        audit_log.c.subject_id == any_(bindparam("subject_ids", type_=ARRAY(Text))),
        audit_log.c.occurred_at > bindparam("since", type_=DateTime(timezone=True)),
        audit_log.c.action == bindparam("action", type_=Text),
        audit_log.c.outcome == bindparam("outcome", type_=Text),
    )
    .group_by(audit_log.c.subject_type)
)

ATTEMPTS = Statement(_ATTEMPTS, AttemptsRow)


async def insert(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Append one row; the table refuses everything but appending."""
    await connection.execute(insert_into(audit_log), values)


async def count_attempts(
    connection: AsyncConnection,
    *,
    subject_types: Sequence[str],
    subject_ids: Sequence[str],
    action: str,
    outcome: str,
    since: datetime,
) -> dict[str, int]:
    """Return how often `action` on each of the subjects ended in `outcome` after `since`, by type of subject."""
    found = await connection.execute(
        _ATTEMPTS,
        {
            "subject_types": list(subject_types),
            "subject_ids": list(subject_ids),
            "action": action,
            "outcome": outcome,
            "since": since,
        },
    )
    return {row.subject_type: row[1] for row in found}
