"""Reviews as clients see and change them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from database.queries.reviews import ReviewRow
from execution.fields import InstanceOf, batch, column
from resolvers import reviews
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.nodes import Node, global_id
from schema.policies import ANYONE

if TYPE_CHECKING:
    from schema.courses import Course

LazyCourse = Annotated["Course", strawberry.lazy("schema.courses")]


@strawberry.type(description="How learners rate a course, counted over the reviews that are shown.")
class CourseRating:
    """A rating."""

    average: float | None = column(ANYONE, "Mean of the ratings, from 1 to 5; null without a review.")
    count: int = column(ANYONE, "How many reviews there are.")


@strawberry.type(
    description="What one learner says of a course. Who it was is not told, except to themselves by `isViewers`."
)
class Review(Node):
    """A review."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Review"))
    rating: int = column(ANYONE, "From 1 to 5.")
    text: str | None = column(
        ANYONE, "Plain text by a stranger: never show it as HTML or Markdown. Null when there is none."
    )
    created_at: datetime = column(ANYONE, "When it was first written.")
    updated_at: datetime = column(ANYONE, "When it was written last.")
    hidden: bool = column(
        ANYONE,
        "Whether a moderator has hidden it: only its author and moderators still see it, and no rating counts it.",
        read=lambda row: row.hidden_at is not None,
    )

    @batch(reviews.is_viewers, policy=ANYONE)
    def is_viewers(self) -> bool:
        """Whether the caller wrote it, and so may change it."""
        raise NotImplementedError

    @batch(reviews.course, policy=ANYONE)
    def course(self) -> LazyCourse:
        """The course, even if it has been archived since."""
        raise NotImplementedError

    is_type_of = InstanceOf(ReviewRow)


@strawberry.type(description="The answer of `reviewCourse`.")
class ReviewCoursePayload:
    """The answer of `reviewCourse`."""

    review: Review | None = column(ANYONE, "The review as it is now; null when refused.")
    course: LazyCourse | None = column(ANYONE, "The course with its new rating; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `deleteReview`.")
class DeleteReviewPayload:
    """The answer of `deleteReview`."""

    course: LazyCourse | None = column(ANYONE, "The course with its new rating; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `hideReview` and `showReview`.")
class ModerateReviewPayload:
    """The answer of `hideReview` and `showReview`."""

    review: Review | None = column(ANYONE, "The review as it is now; null when refused.")
    course: LazyCourse | None = column(ANYONE, "The course with its new rating; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="What the caller says of a course, in place of what they said before.")
class ReviewCourseInput:
    """Input of `reviewCourse`."""

    course_id: strawberry.ID = strawberry.field(description="A course that the caller takes or has completed.")
    rating: int = strawberry.field(description="From 1, the worst, to 5.")
    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="Plain text of at most 5000 characters; blank text is none."
    )

    def to_criteria(self) -> reviews.ReviewCourse:
        """Return the resolver's form."""
        return reviews.ReviewCourse(course_id=self.course_id, rating=self.rating, text=given(self.text))


@strawberry.input(description="A review to delete.")
class DeleteReviewInput:
    """Input of `deleteReview`."""

    review_id: strawberry.ID = strawberry.field(description="A review of the caller's own.")

    def to_criteria(self) -> reviews.NamedReview:
        """Return the resolver's form."""
        return reviews.NamedReview(review_id=self.review_id)


@strawberry.input(description="A review to hide.")
class HideReviewInput:
    """Input of `hideReview`."""

    review_id: strawberry.ID = strawberry.field(description="Any review.")
    reason: str = strawberry.field(description="Why, for other moderators; at most 500 characters.")

    def to_criteria(self) -> reviews.HideReview:
        """Return the resolver's form."""
        return reviews.HideReview(review_id=self.review_id, reason=self.reason)


@strawberry.input(description="A review to show again.")
class ShowReviewInput:
    """Input of `showReview`."""

    review_id: strawberry.ID = strawberry.field(description="A hidden review.")

    def to_criteria(self) -> reviews.NamedReview:
        """Return the resolver's form."""
        return reviews.NamedReview(review_id=self.review_id)
