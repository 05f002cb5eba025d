"""What learners did with recommendations: impressions, clicks and dismissals, which training learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import events as event_queries, recommendations as queries
from database.queries.events import NewEvent
from database.queries.recommendations import Feedback
from database.tables.events import EventKind
from database.tables.recommendations import RecommendationEventKind, RecommendationSurface
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.enrollments import recommendation_key
from resolvers.payloads import Payload
from security.audit import Subject

MOST_EVENTS = 200
_LAST_RANK = 100_000
_LOGGED = {
    RecommendationEventKind.IMPRESSION: EventKind.RECOMMENDATION_SHOWN,
    RecommendationEventKind.CLICK: EventKind.RECOMMENDATION_CLICKED,
    RecommendationEventKind.DISMISSAL: EventKind.RECOMMENDATION_DISMISSED,
}


@dataclass(frozen=True, slots=True)
class RecommendationEvent:
    """One report of a client.

    Attributes:
        recommendation_id: opaque id of the list.
        course_id: opaque id of the course in it.
        kind: what the learner did.
        occurred_at: when, by the client's clock.
        rank: the course's place in the list, if it was told.
        surface: where the list was shown, if it was told.
    """

    recommendation_id: str
    course_id: str
    kind: RecommendationEventKind
    occurred_at: datetime
    rank: int | None = None
    surface: RecommendationSurface | None = None


@dataclass(frozen=True, slots=True)
class RecordRecommendationEvents:
    """Reports, in any order; each counts once however often it is sent."""

    events: Sequence[RecommendationEvent]


@dataclass(frozen=True, kw_only=True)
class RecordRecommendationEventsPayload(Payload):
    """How many reports were new."""

    recorded: int = 0


@dataclass(frozen=True, slots=True)
class _Checked:
    feedback: Feedback
    given: RecommendationEvent


async def record_recommendation_events(
    context: Context,
    input: RecordRecommendationEvents,  # noqa: A002 - the contract's name.
) -> RecordRecommendationEventsPayload:
    """Record what the caller did with recommended courses. A dismissed course is not recommended to them again.

    A course that is gone is left out: a phone may report what it showed weeks ago.

    Raises:
        CommandError: TOO_MANY, or INVALID for ids that this server did not issue and ranks out of range.
    """
    identity = caller(context)
    if len(input.events) > MOST_EVENTS:
        raise CommandError(
            UserErrorCode.TOO_MANY, f"`events` may hold at most {MOST_EVENTS} values.", ("input", "events")
        )
    checked = [_checked(event, place) for place, event in enumerate(input.events)]
    async with transact(context, "record_recommendation_events", Subject("Learner", identity.learner_id)) as act:
        # Impressions are no acts that an auditor asks for.
        act.recorded = False
        known = await queries.existing_courses(act.connection, [one.feedback.course_id for one in checked])
        there = {one.feedback: one.given for one in reversed(checked) if one.feedback.course_id in known}
        new = await queries.count_once(act.connection, identity.learner_id, list(there), act.now)
        dismissed = [one.course_id for one in new if one.kind == RecommendationEventKind.DISMISSAL]
        await queries.dismiss(act.connection, identity.learner_id, dismissed, act.now)
        counted = [_event(act, identity.learner_id, one, given) for one, given in there.items() if one in new]
        await event_queries.insert_many(act.connection, counted, act.now)
    return RecordRecommendationEventsPayload(recorded=len(new))


def _checked(event: RecommendationEvent, place: int) -> _Checked:
    path = ("input", "events", str(place))
    recommendation_id: UUID = recommendation_key(event.recommendation_id, (*path, "recommendationId"))
    course_id = decode_key(event.course_id, "Course")
    if course_id is None:
        raise CommandError(UserErrorCode.INVALID, "This is not the id of a course.", (*path, "courseId"))
    if event.rank is not None and not 1 <= event.rank <= _LAST_RANK:
        raise CommandError(UserErrorCode.INVALID, f"A rank is from 1 to {_LAST_RANK}.", (*path, "rank"))
    return _Checked(Feedback(recommendation_id, course_id, event.kind.value), event)


def _event(act: Act, learner_id: int, feedback: Feedback, given: RecommendationEvent) -> NewEvent:
    told = {"rank": given.rank, "surface": None if given.surface is None else given.surface.value}
    return NewEvent(
        _LOGGED[given.kind],
        learner_id=learner_id,
        course_id=feedback.course_id,
        # A clock that runs ahead must not write into the future, which training would take for knowledge.
        occurred_at=min(given.occurred_at, act.now),
        payload={name: value for name, value in told.items() if value is not None},
        recommendation_id=feedback.recommendation_id,
    )
