"""Enrollments as clients see and change them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from database.queries.enrollments import EnrollmentRow
from database.tables.enrollments import EnrollmentStatus
from execution.fields import InstanceOf, batch, column
from resolvers import enrollments as enrollment_resolvers
from schema.courses import Course
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.nodes import Node, global_id
from schema.policies import ANYONE, SIGNED_IN

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

    @batch(enrollment_resolvers.course, policy=SIGNED_IN)
    def course(self) -> Course:
        """The course, even if it has been archived since."""
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
