"""Analytics with what they speak of, on a real database and a lake that was exported from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import insert

from core.clock import ManualClock
from database.queries import courses as queries
from database.session import Database
from database.tables.events import events
from resolvers import analytics
from resolvers.analytics import Granularity
from resolvers.context import Context
from tests.small_content import lineage, write_content
from warehouse.analytics import Analyst
from warehouse.export import export
from warehouse.lake import Lake


async def test_reports_speak_of_lessons_questions_and_courses(
    catalog: Database, clock: ManualClock, stranger: Context, tmp_path: Path
) -> None:
    """Lineages are found as their newest published copies; what is gone is null, and not exported is not known."""
    await write_content(catalog, clock())
    kinds = [
        ("enrolled", {}),
        ("lesson_started", {"lesson": str(lineage(2, 1))}),
        ("lesson_completed", {"lesson": str(lineage(2, 99))}),
        ("attempt_graded", {"attempt_id": 1, "number": 1, "questions": {str(lineage(4, 2)): 0.25}}),
    ]
    common = {"learner_id": 7, "course_id": 1, "recorded_at": clock()}
    async with catalog.transaction() as connection:
        for age, (kind, payload) in enumerate(kinds):
            moment = clock() - timedelta(days=40 * age)
            await connection.execute(
                insert(events), {**common, "kind": kind, "payload": payload, "occurred_at": moment}
            )
    stranger.services = replace(stranger.services, analyst=Analyst(tmp_path))
    rows = sorted(await stranger.reader.fetch(queries.BY_IDS, ids=[1, 2]), key=lambda row: row.id)
    assert [None, None] == await analytics.analytics(stranger, rows)
    await export(catalog, Lake(tmp_path), clock)
    report, nothing = await analytics.analytics(stranger, rows)
    assert report is not None
    assert nothing is not None
    assert (1, 0) == (report.funnel.enrolled, nothing.funnel.enrolled)
    (lessons,) = await analytics.lesson_drop_off(stranger, [report])
    assert {"Lesson 1", None} == {None if one.lesson is None else one.lesson.title for one in lessons}
    (asked,) = await analytics.questions(stranger, [report])
    assert [(12, 0.25, None)] == [
        (one.question.id if one.question else None, one.statistics.difficulty, one.statistics.discrimination)
        for one in asked
    ]
    (platform,) = await analytics.platform_analytics(stranger, [None])
    assert platform is not None
    (top,) = await analytics.top_courses(stranger, [platform])
    assert [("Course 01", 1)] == [(one.course.title if one.course else "", one.enrollments) for one in top]
    for granularity, start in (
        (Granularity.DAY, date(2026, 3, 1)),
        (Granularity.WEEK, date(2026, 2, 23)),
        (Granularity.MONTH, date(2026, 3, 1)),
    ):
        (periods,) = await analytics.enrollments_over_time(stranger, [report], granularity=granularity)
        assert [(start, 1, 0, 0)] == [(one.start, one.count, one.withdrawals, one.completions) for one in periods]


async def test_without_a_warehouse_there_are_no_analytics(stranger: Context) -> None:
    """Absent is null."""
    rows = await stranger.reader.fetch(queries.BY_IDS, ids=[1])
    assert [None] == await analytics.analytics(stranger, rows)
    assert [None] == await analytics.platform_analytics(stranger, [None])
