"""Analytics of courses and of the platform: answers of the warehouse, with what they speak of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from core.errors import UnavailableError
from database.queries import courses as course_queries, lineages as queries
from database.queries.assessments import QuestionRow
from database.queries.courses import CourseRow
from database.queries.lessons import LessonRow
from resolvers.context import Context
from warehouse.analytics import PATIENCE, CourseReport, DayCounts, ItemStatistics, LessonCounts, PlatformReport

ReportT = TypeVar("ReportT")


class Granularity(StrEnum):
    """How long a period is."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class EnrollmentPeriod:
    """What happened in a period that begins with `start`."""

    start: date
    count: int
    withdrawals: int
    completions: int


@dataclass(frozen=True, slots=True)
class LessonDropOff:
    """A lesson with its counts; None for a lesson that is gone."""

    lesson: LessonRow | None
    counts: LessonCounts


@dataclass(frozen=True, slots=True)
class QuestionStatistics:
    """A question with its statistics; None for a question that is gone."""

    question: QuestionRow | None
    statistics: ItemStatistics


@dataclass(frozen=True, slots=True)
class TopCourse:
    """A course with its newest enrollments."""

    course: CourseRow | None
    enrollments: int


async def analytics(context: Context, courses: Sequence[CourseRow]) -> list[CourseReport | None]:
    """Return the report of each course; None without a warehouse, or when it cannot be read.

    Raises:
        UnavailableError: the reports together take too long.
    """
    analyst = context.services.analyst
    if analyst is None:
        return [None] * len(courses)
    keys = {row.id for row in courses}
    reports = await _in_time(lambda: {key: analyst.course(key) for key in keys})
    return [reports[row.id] for row in courses]


async def platform_analytics(context: Context, roots: Sequence[None]) -> list[PlatformReport | None]:
    """Return the report of the platform; None and errors as for `analytics`."""
    analyst = context.services.analyst
    report = None if analyst is None else await _in_time(analyst.platform)
    return [report] * len(roots)


async def enrollments_over_time(
    _context: Context, reports: Sequence[CourseReport | PlatformReport], *, granularity: Granularity = Granularity.WEEK
) -> list[list[EnrollmentPeriod]]:
    """Return the periods in which something happened, oldest first."""
    return [_periods(report.days, granularity) for report in reports]


async def lesson_drop_off(context: Context, reports: Sequence[CourseReport]) -> list[list[LessonDropOff]]:
    """Return the lessons of each report, the most begun first."""
    lineages = _lineages(counts.lineage for report in reports for counts in report.lessons)
    found = {str(row.lineage): row for row in await context.reader.fetch(queries.LESSONS, lineages=lineages)}
    return [[LessonDropOff(found.get(one.lineage), one) for one in report.lessons] for report in reports]


async def questions(context: Context, reports: Sequence[CourseReport]) -> list[list[QuestionStatistics]]:
    """Return the questions of each report, the hardest first."""
    lineages = _lineages(one.lineage for report in reports for one in report.questions)
    found = {str(row.lineage): row for row in await context.reader.fetch(queries.QUESTIONS, lineages=lineages)}
    return [[QuestionStatistics(found.get(one.lineage), one) for one in report.questions] for report in reports]


async def top_courses(context: Context, reports: Sequence[PlatformReport]) -> list[list[TopCourse]]:
    """Return the courses with the most new enrollments."""
    keys = sorted({key for report in reports for key, _ in report.top_courses})
    found = {row.id: row for row in await context.reader.fetch(course_queries.BY_IDS, ids=keys)}
    return [[TopCourse(found.get(key), count) for key, count in report.top_courses] for report in reports]


def _lineages(names: Iterable[str]) -> list[UUID]:
    """Return the names that are lineages; what an event calls otherwise is found nowhere, like what is gone."""
    found = []
    for name in names:
        with suppress(ValueError):
            found.append(UUID(name))
    return found


def _periods(days: Sequence[DayCounts], granularity: Granularity) -> list[EnrollmentPeriod]:
    sums: dict[date, list[int]] = {}
    for day in days:
        start = day.day
        if granularity is Granularity.WEEK:
            start -= timedelta(days=start.weekday())
        elif granularity is Granularity.MONTH:
            start = start.replace(day=1)
        counts = sums.setdefault(start, [0, 0, 0])
        for place, number in enumerate((day.enrollments, day.withdrawals, day.completions)):
            counts[place] += number
    return [EnrollmentPeriod(start, *counts) for start, counts in sorted(sums.items())]


async def _in_time(ask: Callable[[], ReportT]) -> ReportT:
    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), PATIENCE)
    except TimeoutError as error:
        raise UnavailableError("The warehouse takes too long.") from error
