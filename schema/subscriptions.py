"""The root of all subscriptions: the state at once, and again whenever it changes."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.fields import subscription
from resolvers import attempts as attempt_resolvers, enrollments as enrollment_resolvers
from schema.attempts import Attempt
from schema.enrollments import Enrollment
from schema.policies import SIGNED_IN


@strawberry.type(
    description="What can be watched. The first value comes at once; a client that is slow gets the latest one."
)
class Subscription:
    """The subscription type."""

    @subscription(enrollment_resolvers.enrollment_progress, policy=SIGNED_IN)
    def enrollment_progress(
        self,
        enrollment_id: Annotated[strawberry.ID, strawberry.argument(description="An enrollment of the caller's own.")],
    ) -> Enrollment:
        """The enrollment, whenever its progress, status or revision changes; not at each position of a player."""
        raise NotImplementedError

    @subscription(attempt_resolvers.attempt_graded, policy=SIGNED_IN)
    def attempt_graded(
        self,
        attempt_id: Annotated[strawberry.ID, strawberry.argument(description="An attempt of the caller's own.")],
    ) -> Attempt:
        """The attempt, whenever it is graded, also again."""
        raise NotImplementedError
