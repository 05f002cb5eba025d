"""Statements about the event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.events import EventKind, events


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event of many that are appended together; the fields are those of `insert`."""

    kind: EventKind
    learner_id: int
    course_id: int | None
    occurred_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    recommendation_id: UUID | None = None


async def insert_many(connection: AsyncConnection, new: Sequence[NewEvent], recorded_at: datetime) -> None:
    """Append events in order, with one statement for up to a thousand, in the transaction of what they speak of."""
    if new:
        await connection.execute(
            insert_into(events),
            [
                {
                    "kind": event.kind.value,
                    "learner_id": event.learner_id,
                    "course_id": event.course_id,
                    "recommendation_id": event.recommendation_id,
                    "payload": dict(event.payload),
                    "occurred_at": event.occurred_at,
                    "recorded_at": recorded_at,
                }
                for event in new
            ],
        )


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
    event = NewEvent(kind, learner_id, course_id, occurred_at, payload or {}, recommendation_id)
    await insert_many(connection, [event], recorded_at)
