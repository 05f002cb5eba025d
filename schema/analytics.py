"""Analytics as authors and administrators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from execution.fields import batch, column
from resolvers import analytics as analytics_resolvers
from resolvers.analytics import Granularity
from schema.assessments import Question
from schema.courses import Course
from schema.enums import describe
from schema.lessons import Lesson
from schema.policies import ANYONE

describe(
    Granularity,
    "How long a period is.",
    DAY="A day, in UTC.",
    WEEK="A week that begins on Monday.",
    MONTH="A month.",
)

_Granularity = Annotated[Granularity, strawberry.argument(description="How long a period is.")]


@strawberry.type(description="What happened in a period; periods in which nothing happened are left out.")
class EnrollmentPeriod:
    """A period."""

    start: str = column(ANYONE, "Its first day, such as `2026-03-01`.", read=lambda period: period.start.isoformat())
    count: int = column(ANYONE, "How often somebody enrolled.")
    withdrawals: int = column(ANYONE, "How often somebody left.")
    completions: int = column(ANYONE, "How often somebody completed.")


@strawberry.type(description="How many learners got how far.")
class CompletionFunnel:
    """A funnel."""

    enrolled: int = column(ANYONE, "Who ever enrolled.")
    started: int = column(ANYONE, "Who began a lesson.")
    halfway: int = column(ANYONE, "Who has completed half of the lessons that anybody began.")
    completed: int = column(ANYONE, "Who has completed the course.")


@strawberry.type(description="How many learners stayed with a lesson.")
class LessonDropOff:
    """A lesson's counts."""

    lesson: Lesson | None = column(ANYONE, "The lesson; null when it is gone.")
    started_count: int = column(ANYONE, "Who began it.", read=lambda row: row.counts.started)
    completed_count: int = column(ANYONE, "Who completed it.", read=lambda row: row.counts.completed)


@strawberry.type(description="A question by classical test theory, over first attempts.")
class QuestionStatistics:
    """A question's statistics."""

    question: Question | None = column(ANYONE, "The question; null when it is gone.")
    attempts: int = column(ANYONE, "How many first attempts there were.", read=lambda row: row.statistics.attempts)
    difficulty: float = column(
        ANYONE,
        "Mean share of its points that was earned, 0 to 1: the higher, the easier.",
        read=lambda row: row.statistics.difficulty,
    )
    discrimination: float | None = column(
        ANYONE,
        "Corrected item-total correlation, -1 to 1: low or negative ones deserve a look. Null below 10 attempts.",
        read=lambda row: row.statistics.discrimination,
    )


@strawberry.type(description="How learners go through a course, from the warehouse; nobody is named.")
class CourseAnalytics:
    """A course's report."""

    as_of: datetime = column(ANYONE, "Until when it knows.")
    completion_funnel: CompletionFunnel = column(ANYONE, "How far learners got.", read=lambda report: report.funnel)

    @batch(analytics_resolvers.enrollments_over_time, policy=ANYONE)
    def enrollments_over_time(self, granularity: _Granularity = Granularity.WEEK) -> list[EnrollmentPeriod]:
        """When learners came, left and completed, oldest first."""
        raise NotImplementedError

    @batch(analytics_resolvers.lesson_drop_off, policy=ANYONE)
    def lesson_drop_off(self) -> list[LessonDropOff]:
        """Its lessons, the most begun first."""
        raise NotImplementedError

    @batch(analytics_resolvers.questions, policy=ANYONE)
    def questions(self) -> list[QuestionStatistics]:
        """Its questions, the hardest first."""
        raise NotImplementedError


@strawberry.type(description="A course with how many enrolled in the 30 days before.")
class TopCourse:
    """A course's enrollments."""

    course: Course | None = column(ANYONE, "The course; null when it is gone.")
    enrollments: int = column(ANYONE, "How many enrolled in the 30 days before.")


@strawberry.type(description="How the platform grows, from the warehouse.")
class PlatformAnalytics:
    """The platform's report."""

    as_of: datetime = column(ANYONE, "Until when it knows.")
    learners: int = column(ANYONE, "Who ever enrolled in anything.")
    active_learners: int = column(ANYONE, "Who did anything in the 30 days before.")

    @batch(analytics_resolvers.enrollments_over_time, policy=ANYONE)
    def enrollments_over_time(self, granularity: _Granularity = Granularity.WEEK) -> list[EnrollmentPeriod]:
        """When learners came, left and completed, oldest first."""
        raise NotImplementedError

    @batch(analytics_resolvers.top_courses, policy=ANYONE)
    def top_courses(self) -> list[TopCourse]:
        """The courses with the most new enrollments, at most 20."""
        raise NotImplementedError
