"""The caller's own account as clients see it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from database.queries.enrollments import ENROLLMENT, TAKEN_BY_LEARNER
from database.tables.accounts import Role
from database.tables.courses import CourseStatus
from database.tables.enrollments import EnrollmentStatus
from execution.fields import InstanceOf, batch, column
from resolvers import (
    accounts as account_resolvers,
    continuing,
    enrollments as enrollment_resolvers,
    preferences as preference_resolvers,
    studio as studio_resolvers,
)
from schema.courses import StudioCourseConnection
from schema.enrollments import Enrollment
from schema.enums import describe
from schema.nodes import Node, global_id
from schema.pagination import After, Connection, First
from schema.policies import SIGNED_IN
from schema.preferences import LearningPreferences

describe(
    Role,
    "What an account may do besides learning. Open to growth: ignore unknown values.",
    LEARNER="Takes courses; everybody does.",
    INSTRUCTOR="Writes courses.",
    MODERATOR="Publishes courses, and hides reviews.",
    ADMINISTRATOR="Does what anybody may do, and manages accounts.",
)


@strawberry.type(description="The caller's own account. Nobody ever sees another's.")
class Viewer(Node):
    """The viewer."""

    id: strawberry.ID = column(SIGNED_IN, "Opaque and stable.", read=global_id("Viewer"))
    email: str = column(SIGNED_IN, "The address that they sign in with. Personal data: stored encrypted.")
    display_name: str = column(SIGNED_IN, "The name that they chose. Personal data: stored encrypted.")
    roles: list[Role] = column(SIGNED_IN, "What they may do; everybody is at least a learner.")

    @batch(preference_resolvers.learning_preferences, policy=SIGNED_IN)
    def learning_preferences(self) -> LearningPreferences | None:
        """What they want to learn; null until onboarding is done."""
        raise NotImplementedError

    @batch(enrollment_resolvers.enrollments, policy=SIGNED_IN, rows=ENROLLMENT, relation=TAKEN_BY_LEARNER)
    def enrollments(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        status: Annotated[
            EnrollmentStatus | None,
            strawberry.argument(description="Only these; all but withdrawn ones when nothing is said."),
        ] = strawberry.UNSET,
    ) -> Connection[Enrollment]:
        """The courses that they take or have completed, newest enrollment first."""
        raise NotImplementedError

    @batch(continuing.continue_learning, policy=SIGNED_IN)
    def continue_learning(
        self,
        first: Annotated[
            int | None, strawberry.argument(description="How many, 0 to 20; 5 when nothing is said.")
        ] = strawberry.UNSET,
    ) -> list[Enrollment]:
        """The courses that they take, those first that they were active in last."""
        raise NotImplementedError

    @batch(studio_resolvers.authored_courses, policy=SIGNED_IN)
    def authored_courses(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        status: Annotated[
            CourseStatus | None, strawberry.argument(description="Only these; all when nothing is said.")
        ] = strawberry.UNSET,
    ) -> StudioCourseConnection:
        """The courses that they have written, drafts included, newest first."""
        raise NotImplementedError

    is_type_of = InstanceOf(account_resolvers.Viewer)
