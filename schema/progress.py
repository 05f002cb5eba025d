"""Progress in lessons as clients see and report it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from execution.fields import column
from resolvers import progress as progress_resolvers
from resolvers.progress import ProgressOutcome
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.policies import ANYONE

if TYPE_CHECKING:
    from schema.enrollments import Enrollment

describe(
    ProgressOutcome,
    "What became of an event. Open to growth: treat unknown as RECORDED, and do not send it again.",
    RECORDED="It counts.",
    DUPLICATE="It was recorded before; there is nothing left to do.",
    REJECTED="It cannot be recorded; its `userErrors` say why. Sending it again will not help by itself.",
)


@strawberry.type(description="How far the caller is in a lesson.")
class LessonProgress:
    """The caller in a lesson."""

    position_seconds: int = column(ANYONE, "Where the player stood at `updatedAt`.")
    watched_seconds: int = column(ANYONE, "How much was watched in all: the most that was ever reported.")
    completed_at: datetime | None = column(ANYONE, "When it was first completed; null before that. Never undone.")
    updated_at: datetime = column(ANYONE, "Moment of the latest event, by the client's clock.")


@strawberry.type(description="What became of one event.")
class RecordProgressResult:
    """A result."""

    client_event_id: str = column(ANYONE, "The event.")
    outcome: ProgressOutcome = column(ANYONE, "What became of it.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `recordProgress`.")
class RecordProgressPayload:
    """The answer of `recordProgress`."""

    results: list[RecordProgressResult] = column(ANYONE, "One result an event, in their order.")
    enrollments: list[Annotated[Enrollment, strawberry.lazy("schema.enrollments")]] = column(
        ANYONE, "The enrollments that the events belong to, as they are now."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="What a player saw: keep it until it was sent, and send it as often as it takes.")
class LessonProgressEventInput:
    """One event."""

    lesson_id: strawberry.ID = strawberry.field(description="The lesson, in whichever revision it was played.")
    client_event_id: str = strawberry.field(
        description="Tells the event from all others of the learner, such as a UUID; at most 100 printable characters. "
        "What is sent again under the same id counts once."
    )
    position_seconds: int = strawberry.field(description="Where the player stood. The latest `occurredAt` wins.")
    watched_seconds: int = strawberry.field(
        description="How much of the lesson was watched up to then, in all and not since the last event."
    )
    completed: bool = strawberry.field(default=False, description="Whether the lesson was done. It cannot be undone.")
    occurred_at: datetime = strawberry.field(description="When, by the client's clock; the future counts as now.")

    def to_criteria(self) -> progress_resolvers.ProgressReport:
        """Return the resolver's form."""
        return progress_resolvers.ProgressReport(
            lesson_id=self.lesson_id,
            client_event_id=self.client_event_id,
            position_seconds=self.position_seconds,
            watched_seconds=self.watched_seconds,
            completed=self.completed,
            occurred_at=self.occurred_at,
        )


@strawberry.input(description="What players saw, in any order; a bad event spoils no other.")
class RecordProgressInput:
    """Input of `recordProgress`."""

    events: list[LessonProgressEventInput] = strawberry.field(description="At most 100 events.")

    def to_criteria(self) -> progress_resolvers.RecordProgress:
        """Return the resolver's form."""
        return progress_resolvers.RecordProgress(tuple(event.to_criteria() for event in self.events))
