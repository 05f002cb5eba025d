"""What learners did with recommendations, on a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from core.clock import ManualClock
from core.errors import CommandError, UserErrorCode
from core.ids import encode_id
from database.tables.events import events
from database.tables.recommendations import RecommendationEventKind, RecommendationSurface
from resolvers import recommendation_events
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.recommendation_events import RecommendationEvent, RecordRecommendationEvents
from serving.rankings import RecommendationRequest
from serving.recommender import Recommender
from tests.small_accounts import trail

RECOMMENDATION = UUID(int=7)
LIST = encode_id("Recommendation", str(RECOMMENDATION))


def event(clock: ManualClock, course: int, kind: RecommendationEventKind) -> RecommendationEvent:
    """Return a report about a course at the third place of a list on the home page."""
    return RecommendationEvent(LIST, encode_id("Course", course), kind, clock(), 3, RecommendationSurface.HOME)


async def record(context: Context, *reports: RecommendationEvent) -> int:
    """Send reports and return how many were new."""
    payload = await recommendation_events.record_recommendation_events(context, RecordRecommendationEvents(reports))
    return payload.recorded


async def test_report_that_is_sent_again_counts_once(learner: Context, clock: ManualClock) -> None:
    """Within a batch, in a later batch and from two devices at once."""
    shown = event(clock, 1, RecommendationEventKind.IMPRESSION)
    clicked = event(clock, 1, RecommendationEventKind.CLICK)
    assert 1 == await record(learner, shown, shown)
    assert [0, 1] == sorted(await asyncio.gather(record(learner, shown, clicked), record(learner, clicked, shown)))
    async with learner.database.transaction() as connection:
        logged = (await connection.execute(select(events).order_by(events.c.id))).all()
    assert ["recommendation_shown", "recommendation_clicked"] == [row.kind for row in logged]
    assert {"rank": 3, "surface": "HOME"} == logged[0].payload
    assert (RECOMMENDATION, 1, caller(learner).learner_id) == (
        logged[0].recommendation_id,
        logged[0].course_id,
        logged[0].learner_id,
    )
    # The trail holds acts, and an impression is none.
    assert ["sign_up"] == [row[0] for row in await trail(learner.database)]


async def test_dismissed_course_is_not_recommended_again(learner: Context, clock: ManualClock) -> None:
    """The next list is without it, for this learner alone."""
    recommender = Recommender(None, 0.25)
    request = RecommendationRequest(caller(learner).learner_id, clock(), 3)

    async def listed(asked: RecommendationRequest) -> list[int]:
        return [course.course_id for course in (await recommender.recommend(learner.reader, asked)).courses]

    best, second, third = await listed(request)
    await record(learner, event(clock, best, RecommendationEventKind.DISMISSAL))
    assert [second, third] == (await listed(request))[:2]
    assert best == (await listed(replace(request, learner_id=None)))[0]


async def test_clock_that_runs_ahead_does_not_write_into_the_future(learner: Context, clock: ManualClock) -> None:
    """What a client's clock says is bounded by ours."""
    ahead = replace(event(clock, 1, RecommendationEventKind.CLICK), occurred_at=clock() + timedelta(days=3))
    await record(learner, ahead)
    async with learner.database.transaction() as connection:
        assert clock() == (await connection.execute(select(events.c.occurred_at))).scalar_one()


async def test_course_that_is_gone_is_left_out(learner: Context, clock: ManualClock) -> None:
    """The other reports of the batch are recorded."""
    gone, there = (event(clock, course, RecommendationEventKind.IMPRESSION) for course in (999, 2))
    assert 1 == await record(learner, gone, there)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recommendation_id": encode_id("Course", 1)}, "recommendationId"),
        ({"recommendation_id": "nonsense"}, "recommendationId"),
        ({"course_id": encode_id("Topic", 1)}, "courseId"),
        ({"rank": 0}, "rank"),
    ],
)
async def test_what_we_did_not_issue_is_refused_and_nothing_is_written(
    learner: Context, clock: ManualClock, change: dict[str, object], field: str
) -> None:
    """The path names the report at fault."""
    good = event(clock, 1, RecommendationEventKind.CLICK)
    with pytest.raises(CommandError) as refused:
        await record(learner, good, replace(good, **change))  # type: ignore[arg-type]
    assert (UserErrorCode.INVALID, ("input", "events", "1", field)) == (refused.value.code, refused.value.field)
    assert 1 == await record(learner, good)


async def test_too_long_a_batch_is_refused(learner: Context, clock: ManualClock) -> None:
    """The limit is documented on the input."""
    with pytest.raises(CommandError, match="TOO_MANY"):
        await record(learner, *[event(clock, 1, RecommendationEventKind.CLICK)] * 201)
