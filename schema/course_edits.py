"""Writing and publishing courses as clients do it."""

from __future__ import annotations

from typing import Any

import strawberry

from execution.fields import column
from resolvers import course_edits, publishing
from resolvers.editing import CourseVersion
from schema.courses import Course
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.levels import CourseLevel
from schema.policies import ANYONE

_VERSION = "`Course.version` as it was read; CONFLICT when somebody else has changed the course since."


@strawberry.type(description="The answer of a mutation that changes a course.")
class CoursePayload:
    """The answer of a mutation that changes a course."""

    course: Course | None = column(ANYONE, "The course with its next version; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="A new course. Its author's display name becomes public with it.")
class CreateCourseInput:
    """Input of `createCourse`."""

    title: str = strawberry.field(description="1 to 200 characters.")
    level: CourseLevel = strawberry.field(description="How much it expects of its learners.")
    language: str = strawberry.field(description="Language it is taught in: a BCP 47 tag.")
    slug: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Name for URLs: lower-case letters, digits and hyphens; made from the title when left out.",
    )
    summary: str | None = strawberry.field(
        default=strawberry.UNSET, description="One or two sentences of plain text; at most 1,000 characters."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="The long description, plain text; at most 100,000 characters."
    )
    duration_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="Minutes that it takes; counted from its lessons when left out or 0."
    )
    topic_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="What it is about, most important first; at most 10 topics."
    )
    skills: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Skills it teaches, most important first; at most 100, each at most 100."
    )
    prerequisite_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Published courses that it builds upon; at most 20."
    )

    def to_criteria(self) -> course_edits.CreateCourse:
        """Return the resolver's form."""
        return course_edits.CreateCourse(values=_values(self), slug=given(self.slug))


@strawberry.input
class CourseEditInput:
    """What the input of every edit begins with."""

    course_id: strawberry.ID = strawberry.field(description="A course of the caller's own.")
    version: int = strawberry.field(description=_VERSION)

    @property
    def target(self) -> CourseVersion:
        """The course, and what the caller has seen of it."""
        return CourseVersion(self.course_id, self.version)


@strawberry.input(description="Changes of a course: what is left out stays, and null clears what may be empty.")
class UpdateCourseInput(CourseEditInput):
    """Input of `updateCourse`."""

    title: str | None = strawberry.field(default=strawberry.UNSET, description="1 to 200 characters.")
    level: CourseLevel | None = strawberry.field(
        default=strawberry.UNSET, description="How much it expects of its learners."
    )
    language: str | None = strawberry.field(
        default=strawberry.UNSET, description="Language it is taught in: a BCP 47 tag."
    )
    summary: str | None = strawberry.field(
        default=strawberry.UNSET, description="One or two sentences of plain text; at most 1,000 characters."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="The long description, plain text; at most 100,000 characters."
    )
    duration_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="Minutes that it takes; counted from its lessons when null or 0."
    )
    topic_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="What it is about, most important first; at most 10 topics."
    )
    skills: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Skills it teaches, most important first; at most 100, each at most 100."
    )
    prerequisite_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Published courses that it builds upon; at most 20."
    )

    def to_criteria(self) -> course_edits.UpdateCourse:
        """Return the resolver's form."""
        return course_edits.UpdateCourse(self.target, _values(self))


@strawberry.input(description="A course, and what the caller has seen of it.")
class CourseVersionInput:
    """Input of mutations that move a course on."""

    course_id: strawberry.ID = strawberry.field(description="The course.")
    version: int = strawberry.field(description=_VERSION)

    def to_criteria(self) -> CourseVersion:
        """Return the resolver's form."""
        return CourseVersion(self.course_id, self.version)


@strawberry.input(description="A course to take out of review.")
class ReturnCourseToDraftInput:
    """Input of `returnCourseToDraft`."""

    course_id: strawberry.ID = strawberry.field(description="The course.")
    version: int = strawberry.field(description=_VERSION)
    reason: str = strawberry.field(description="What its authors should do; at most 2,000 characters.")

    def to_criteria(self) -> publishing.ReturnCourse:
        """Return the resolver's form."""
        return publishing.ReturnCourse(CourseVersion(self.course_id, self.version), self.reason)


_NAMES = (
    "title",
    "level",
    "language",
    "summary",
    "description",
    "duration_minutes",
    "topic_ids",
    "skills",
    "prerequisite_ids",
)


def _values(source: Any) -> dict[str, Any]:
    """Return what the client gave, null included."""
    values = {name: getattr(source, name) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not strawberry.UNSET}
