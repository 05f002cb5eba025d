"""Statements about the event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.events import EventKind, events


async def insert(
    connection: AsyncConnection,
    kind: EventKind,
    *,
    learner_id: int,
    occurred_at: datetime,
    recorded_at: datetime,
    course_id: int | None = None,
    recommendation_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Append one event, in the transaction of what it speaks of.

    Args:
        connection: that transaction.
        kind: what happened.
        learner_id: to whom.
        occurred_at: when it happened, as told by whoever saw it.
        recorded_at: when we were told.
        course_id: the course it happened with, if any.
        recommendation_id: the recommendation that led to it, if any.
        payload: what the kind has besides; ids and enums only, because it is written to the lake.
    """
    await insert_many(
        connection,
        [
            row(
                kind,
                learner_id=learner_id,
                occurred_at=occurred_at,
                recorded_at=recorded_at,
                course_id=course_id,
                recommendation_id=recommendation_id,
                payload=payload,
            )
        ],
    )


async def insert_many(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Append events made by `row`, in the transaction of what they speak of."""
    if rows:
        await connection.execute(insert_into(events), list(rows))


def row(
    kind: EventKind,
    *,
    learner_id: int,
    occurred_at: datetime,
    recorded_at: datetime,
    course_id: int | None = None,
    recommendation_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event for `insert_many`; arguments as for `insert`."""
    return {
        "kind": kind.value,
        "learner_id": learner_id,
        "course_id": course_id,
        "recommendation_id": recommendation_id,
        "payload": dict(payload or {}),
        "occurred_at": occurred_at,
        "recorded_at": recorded_at,
    }
