"""Enrollments as clients see and change them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from database.queries.courses import COURSE_OF
from database.queries.enrollments import EnrollmentRow
from database.tables.enrollments import EnrollmentStatus
from execution.fields import InstanceOf, batch, column
from resolvers import continuing, enrollments as enrollment_resolvers
from schema.courses import Course
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.lessons import Lesson
from schema.nodes import Node, global_id
from schema.policies import ANYONE, SIGNED_IN
from schema.revisions import CourseRevision

describe(
    EnrollmentStatus,
    "Where a learner stands with a course. Open to growth: treat unknown as ACTIVE.",
    ACTIVE="Takes it.",
    COMPLETED="Has completed it.",
    WITHDRAWN="Has left it; enrolling again continues.",
)


@strawberry.type(description="The caller in a course.")
class Enrollment(Node):
    """An enrollment."""

    id: strawberry.ID = column(SIGNED_IN, "Opaque and stable.", read=global_id("Enrollment"))
    status: EnrollmentStatus = column(SIGNED_IN, "Where they stand.")
    progress: float = column(SIGNED_IN, "Share of the course that is done, from 0 to 1.")
    enrolled_at: datetime = column(SIGNED_IN, "When they enrolled; for a course taken up again, when that was.")
    completed_at: datetime | None = column(SIGNED_IN, "When they completed it; null before that.")

    @batch(enrollment_resolvers.course, policy=SIGNED_IN, relation=COURSE_OF)
    def course(self) -> Course:
        """The course, even if it has been archived since."""
        raise NotImplementedError

    @batch(continuing.revision, policy=SIGNED_IN)
    def revision(self) -> CourseRevision | None:
        """The revision that they learn with; null for a course without content."""
        raise NotImplementedError

    @batch(continuing.newer_revision, policy=SIGNED_IN)
    def newer_revision(self) -> CourseRevision | None:
        """What was published since, if anything; `moveToLatestRevision` moves to it."""
        raise NotImplementedError

    @batch(continuing.next_lesson, policy=SIGNED_IN)
    def next_lesson(self) -> Lesson | None:
        """The first lesson that they have not completed; null when there is none left."""
        raise NotImplementedError

    is_type_of = InstanceOf(EnrollmentRow)


@strawberry.type(description="The answer of `enroll`.")
class EnrollPayload:
    """The answer of `enroll`."""

    enrollment: Enrollment | None = column(
        ANYONE, "The enrollment; with ALREADY_ENROLLED, the one that there is. Null when refused otherwise."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `unenroll`.")
class UnenrollPayload:
    """The answer of `unenroll`."""

    enrollment: Enrollment | None = column(ANYONE, "The enrollment, withdrawn; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `moveToLatestRevision`.")
class MoveToLatestRevisionPayload:
    """The answer of `moveToLatestRevision`."""

    enrollment: Enrollment | None = column(ANYONE, "The enrollment, in its revision; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="The enrollment to move on.")
class MoveToLatestRevisionInput:
    """Input of `moveToLatestRevision`."""

    enrollment_id: strawberry.ID = strawberry.field(description="An enrollment of the caller's own.")

    def to_criteria(self) -> continuing.MoveToLatestRevision:
        """Return the resolver's form."""
        return continuing.MoveToLatestRevision(self.enrollment_id)


@strawberry.input(description="A course to take.")
class EnrollInput:
    """Input of `enroll`."""

    course_id: strawberry.ID = strawberry.field(description="A published course.")
    recommendation_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The `recommendationId` of the list that it was chosen from, if any."
    )

    def to_criteria(self) -> enrollment_resolvers.Enroll:
        """Return the resolver's form."""
        return enrollment_resolvers.Enroll(course_id=self.course_id, recommendation_id=given(self.recommendation_id))


@strawberry.input(description="A course to leave.")
class UnenrollInput:
    """Input of `unenroll`."""

    enrollment_id: strawberry.ID = strawberry.field(description="An enrollment of the caller's own.")

    def to_criteria(self) -> enrollment_resolvers.Unenroll:
        """Return the resolver's form."""
        return enrollment_resolvers.Unenroll(enrollment_id=self.enrollment_id)
