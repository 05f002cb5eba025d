"""How far learners are: reports from players, what they do to an enrollment, and what clients read of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.notifications import enrollment_topic, notify
from database.queries import enrollments as enrollment_queries, events as event_queries, progress as queries
from database.queries.enrollments import EnrollmentRow
from database.queries.events import NewEvent
from database.queries.progress import LessonProgressRow, LockedEnrollment, Recorded, Report, Standing
from database.tables.enrollments import EnrollmentStatus
from database.tables.events import EventKind
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from security.audit import Subject

_MOST_REPORTS = 100
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """What a player saw, once.

    Attributes:
        lesson_id: opaque id of a lesson, of whatever revision.
        client_event_id: what tells this report from every other of the learner.
        position_seconds: where the player stood.
        watched_seconds: how much of the lesson was watched up to then, in all.
        completed: whether the lesson was done then.
        occurred_at: when that was, by the client's clock.
    """

    lesson_id: str
    client_event_id: str
    position_seconds: int
    watched_seconds: int
    completed: bool
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Reports, in any order."""

    events: tuple[ProgressReport, ...]


class ProgressOutcome(StrEnum):
    """What became of a report."""

    RECORDED = "RECORDED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"


@dataclass(frozen=True, kw_only=True)
class ProgressResult(Payload):
    """What became of one report; the errors say why it was rejected."""

    client_event_id: str
    outcome: ProgressOutcome


@dataclass(frozen=True, kw_only=True)
class RecordProgressPayload(Payload):
    """One result a report, in order, and the enrollments that they belong to, as they are now."""

    results: Sequence[ProgressResult] = ()
    enrollments: Sequence[EnrollmentRow] = ()


async def lesson_progress(context: Context, lessons: Sequence[Any]) -> list[LessonProgressRow | None]:
    """Return the caller's progress in each lesson, whichever revision it is of; None where there is none."""
    if context.identity is None:
        return [None] * len(lessons)
    keys = list({row.id for row in lessons})
    found = await context.reader.fetch(queries.IN_LESSONS, ids=keys, learner_id=context.identity.learner_id)
    rows = {row.lesson_id: row for row in found}
    return [rows.get(row.id) for row in lessons]


async def record_progress(context: Context, input: RecordProgress) -> RecordProgressPayload:  # noqa: A002
    """Record what players saw. Reports may be late, out of order or sent again; a bad one spoils no other.

    There is no row in the audit trail: a player reports every few seconds, and the trail is for acts.

    Raises:
        CommandError: TOO_MANY.
    """
    identity = caller(context)
    if len(input.events) > _MOST_REPORTS:
        message = f"At most {_MOST_REPORTS} events can be sent at a time."
        raise CommandError(UserErrorCode.TOO_MANY, message, ("input", "events"))
    batch = _Batch(input.events, context.clock())
    enrollment_ids: list[int] = []
    async with transact(context, "recordProgress", Subject("Learner", identity.learner_id)) as act:
        act.recorded = False
        locked = await _lock(act, batch, identity.learner_id)
        reports = batch.made_out(locked)
        if reports:
            recorded = await queries.record(act.connection, identity.learner_id, reports, act.now)
            batch.counted = {one.client_event_id for one in recorded}
            await _follow_up(act, recorded, {enrollment.id: enrollment for enrollment in locked.values()})
            enrollment_ids = sorted({report.enrollment_id for report in reports})
    rows: list[EnrollmentRow] = []
    if enrollment_ids:
        rows = await context.reader.fetch(enrollment_queries.BY_IDS, ids=enrollment_ids, learner_id=identity.learner_id)
    return RecordProgressPayload(results=batch.results(), enrollments=rows)


class _Batch:
    """The reports of one command: which of them can be recorded, and what became of each."""

    def __init__(self, events: Sequence[ProgressReport], now: datetime) -> None:
        self.events = events
        self.refusals: dict[int, CommandError] = {}
        self.lesson_keys: dict[int, int] = {}
        self.counted: set[str] = set()
        self._lessons: dict[int, queries.ReportedLesson] = {}
        self._first_places: dict[str, int] = {}
        self._moments: dict[int, datetime] = {}
        for place, event in enumerate(events):
            try:
                self._moments[place] = _checked(event, now)
                self.lesson_keys[place] = _lesson_key(event.lesson_id)
            except CommandError as refused:
                self.refuse(place, refused)

    def refuse(self, place: int, refused: CommandError) -> None:
        """Reject the report at a place; the path of the refusal is completed."""
        path = ("input", "events", str(place), *(refused.field or ()))
        self.refusals[place] = CommandError(refused.code, refused.message, path)

    def know(self, lessons: dict[int, queries.ReportedLesson]) -> list[int]:
        """Learn which lessons there are, and return the keys of their courses."""
        self._lessons = lessons
        return sorted({lesson.course_id for lesson in lessons.values()})

    def made_out(self, enrollments: dict[int, LockedEnrollment]) -> list[Report]:
        """Return what can be recorded, each client event id once; reject the rest.

        Args:
            enrollments: the learner's, by course.
        """
        reports: list[Report] = []
        for place, event in enumerate(self.events):
            if place in self.refusals:
                continue
            lesson = self._lessons.get(self.lesson_keys[place])
            enrollment = None if lesson is None else enrollments.get(lesson.course_id)
            if lesson is None:
                self.refuse(place, _no_lesson())
            elif enrollment is None:
                self.refuse(place, _not_enrolled())
            elif self._first_places.setdefault(event.client_event_id, place) == place:
                reports.append(_report(event, enrollment, lesson, self._moments[place]))
        return reports

    def results(self) -> list[ProgressResult]:
        """Return what became of each report, in order."""
        return [self._result(place, event.client_event_id) for place, event in enumerate(self.events)]

    def _result(self, place: int, client_event_id: str) -> ProgressResult:
        refused = self.refusals.get(place)
        if refused is not None:
            return ProgressResult(
                client_event_id=client_event_id, outcome=ProgressOutcome.REJECTED, user_errors=(refused,)
            )
        counted = client_event_id in self.counted and self._first_places[client_event_id] == place
        outcome = ProgressOutcome.RECORDED if counted else ProgressOutcome.DUPLICATE
        return ProgressResult(client_event_id=client_event_id, outcome=outcome)


def _report(
    event: ProgressReport, enrollment: LockedEnrollment, lesson: queries.ReportedLesson, occurred_at: datetime
) -> Report:
    return Report(
        client_event_id=event.client_event_id,
        enrollment_id=enrollment.id,
        lesson_lineage=lesson.lineage,
        position_seconds=event.position_seconds,
        watched_seconds=event.watched_seconds,
        occurred_at=occurred_at,
        completed_at=occurred_at if event.completed else None,
    )


def _checked(event: ProgressReport, now: datetime) -> datetime:
    """Return when an event happened, not in the future: clocks of phones are not to be trusted.

    Raises:
        CommandError: a value of the event cannot be used.
    """
    name = event.client_event_id
    if not name.strip():
        raise CommandError(UserErrorCode.REQUIRED, "Every event needs an id of its own.", ("clientEventId",))
    if len(name) > _LONGEST_ID:
        message = f"The id of an event may be at most {_LONGEST_ID} characters long."
        raise CommandError(UserErrorCode.TOO_LONG, message, ("clientEventId",))
    if not name.isprintable():
        raise CommandError(UserErrorCode.INVALID, "The id of an event must be printable.", ("clientEventId",))
    for field, seconds in (("positionSeconds", event.position_seconds), ("watchedSeconds", event.watched_seconds)):
        if seconds < 0:
            raise CommandError(UserErrorCode.INVALID, "Seconds cannot be negative.", (field,))
    return min(event.occurred_at, now)


def _lesson_key(lesson_id: str) -> int:
    key = decode_key(lesson_id, "Lesson")
    if key is None:
        raise _no_lesson()
    return key


def _no_lesson() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such lesson.", ("lessonId",))


def _not_enrolled() -> CommandError:
    return CommandError(UserErrorCode.NOT_ENROLLED, "You are not enrolled in the lesson's course.", ("lessonId",))


async def _lock(act: Act, batch: _Batch, learner_id: int) -> dict[int, LockedEnrollment]:
    keys = sorted(set(batch.lesson_keys.values()))
    if not keys:
        return {}
    course_ids = batch.know(await queries.reported_lessons(act.connection, keys))
    return await queries.lock_enrollments(act.connection, learner_id, course_ids)


async def _follow_up(act: Act, recorded: Sequence[Recorded], enrollments: dict[int, LockedEnrollment]) -> None:
    """Write the events of lessons that were started or completed, and settle their enrollments."""
    touched = {(one.enrollment_id, one.lesson_lineage): one for one in recorded}
    events: list[NewEvent] = []
    for one in touched.values():
        if one.is_first:
            moment = one.first_at
            events.append(_lesson_event(EventKind.LESSON_STARTED, enrollments[one.enrollment_id], one, moment))
        if one.completed_before is None and one.completed_at is not None:
            moment = one.completed_at
            events.append(_lesson_event(EventKind.LESSON_COMPLETED, enrollments[one.enrollment_id], one, moment))
    await event_queries.insert_many(act.connection, events, act.now)
    # Nothing else can have changed how much of a course is done.
    changed = {
        one.enrollment_id
        for one in touched.values()
        if one.is_first or (one.completed_before is None and one.completed_at)
    }
    await settle(act.connection, changed, act.now)


def _lesson_event(kind: EventKind, enrollment: LockedEnrollment, one: Recorded, moment: datetime) -> NewEvent:
    return NewEvent(
        kind,
        learner_id=enrollment.learner_id,
        course_id=enrollment.course_id,
        occurred_at=moment,
        payload={"lesson": str(one.lesson_lineage), "revision_id": enrollment.revision_id},
    )


async def settle(connection: AsyncConnection, enrollment_ids: Iterable[int], now: datetime) -> list[Standing]:
    """Compute the progress of enrollments anew, complete those that have everything done, and tell who watches.

    Args:
        connection: a transaction that has locked the enrollments.
        enrollment_ids: theirs.
        now: the moment of the act.
    """
    keys = sorted(set(enrollment_ids))
    if not keys:
        return []
    standings = await queries.recompute(connection, keys, now)
    completed = [
        NewEvent(EventKind.COURSE_COMPLETED, one.learner_id, one.course_id, now)
        for one in standings
        if one.status == EnrollmentStatus.COMPLETED and one.status_before != EnrollmentStatus.COMPLETED
    ]
    await event_queries.insert_many(connection, completed, now)
    # Not at every position of a player: commits that notify wait for each other.
    changed = [
        enrollment_topic(one.enrollment_id)
        for one in standings
        if (one.progress, one.status) != (one.progress_before, one.status_before)
    ]
    await notify(connection, changed)
    return standings
