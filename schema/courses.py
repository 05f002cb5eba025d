"""Courses as clients see them, and how to ask for them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from database.queries.courses import CourseOrderField, CourseRow, InstructorRow
from database.tables.courses import CourseStatus
from execution.fields import InstanceOf, batch, column
from resolvers import (
    courses,
    enrollments as enrollment_resolvers,
    quality as quality_resolvers,
    revisions as revision_resolvers,
)
from schema.enums import describe
from schema.inputs import given, given_tuple
from schema.levels import CourseLevel
from schema.nodes import Node, global_id
from schema.pagination import After, Connection, First
from schema.policies import ANYONE, AUTHOR
from schema.quality import CourseQuality
from schema.revisions import CourseRevision, Module
from schema.topics import Topic

if TYPE_CHECKING:
    from schema.enrollments import Enrollment

describe(
    CourseStatus,
    "Where a course stands between its first draft and the archive. Open to growth.",
    DRAFT="Being written; nobody else sees it.",
    IN_REVIEW="Waits to be published.",
    PUBLISHED="Takes learners.",
    ARCHIVED="Takes no new learners; those who take it go on.",
)
describe(
    CourseOrderField,
    "What a list of courses is ordered by. RELEVANCE needs a `query`, and is POPULARITY without one.",
    RELEVANCE="How well a course matches the query.",
    POPULARITY="How many learners take it.",
    NEWEST="When it was published.",
    TITLE="Its title, by code point.",
)


@strawberry.enum(description="Which end of an order comes first.")
class OrderDirection(Enum):
    """Ascending or descending."""

    ASC = strawberry.enum_value("ASC", description="The smallest, oldest or first in the alphabet comes first.")
    DESC = strawberry.enum_value("DESC", description="The greatest, newest or last in the alphabet comes first.")


@strawberry.type(description="The public profile of somebody who teaches.")
class Instructor(Node):
    """An instructor."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Instructor"))
    display_name: str = column(ANYONE, "The name that they teach under.")

    is_type_of = InstanceOf(InstructorRow)


@strawberry.type(description="Something to learn: published by its instructors, taken by learners.")
class Course(Node):
    """A course."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Course"))
    slug: str = column(ANYONE, "Readable name for URLs; unique, and stable once published.")
    title: str = column(ANYONE, "What the course is called.")
    summary: str | None = column(ANYONE, "One or two sentences of plain text; null when there are none.")
    description: str | None = column(ANYONE, "The long description, plain text; null when there is none.")
    level: CourseLevel = column(ANYONE, "How much it expects of its learners.")
    language: str = column(ANYONE, "Language it is taught in: a BCP 47 tag in lower case, such as `en` or `pt`.")
    status: CourseStatus = column(ANYONE, "Where it stands; learners only ever see published and archived courses.")
    duration_minutes: int = column(ANYONE, "Minutes that it takes; 0 when unknown.")
    published_at: datetime | None = column(ANYONE, "When it was published; null before that.")
    version: int = column(ANYONE, "Grows with every edit; send it with the next one.")
    enrollment_count: int = column(ANYONE, "How many learners have enrolled and not withdrawn.")

    @batch(courses.topics, policy=ANYONE)
    def topics(self) -> list[Topic]:
        """What it is about, most important first."""
        raise NotImplementedError

    @batch(courses.skills, policy=ANYONE)
    def skills(self) -> list[str]:
        """Names of the skills it teaches, most important first."""
        raise NotImplementedError

    @batch(courses.prerequisites, policy=ANYONE)
    def prerequisites(self) -> list[Course]:
        """Published courses that it builds upon."""
        raise NotImplementedError

    @batch(courses.instructors, policy=ANYONE)
    def instructors(self, first: First = strawberry.UNSET, after: After = strawberry.UNSET) -> Connection[Instructor]:
        """Who teaches it, in the order that the course names them."""
        raise NotImplementedError

    @batch(revision_resolvers.modules, policy=ANYONE)
    def modules(self) -> list[Module]:
        """What it consists of, in order: as the caller learns it, else as it is published, else the draft."""
        raise NotImplementedError

    @batch(revision_resolvers.draft, policy=AUTHOR)
    def draft(self) -> CourseRevision | None:
        """The revision that is being written or reviewed, for the authors of the course; null when there is none."""
        raise NotImplementedError

    @batch(revision_resolvers.revisions, policy=AUTHOR)
    def revisions(
        self, first: First = strawberry.UNSET, after: After = strawberry.UNSET
    ) -> Connection[CourseRevision] | None:
        """All revisions, newest first, for the authors of the course."""
        raise NotImplementedError

    @batch(quality_resolvers.quality, policy=AUTHOR)
    def quality(self) -> CourseQuality | None:
        """How good it is as it would be published, for its authors: the draft if there is one."""
        raise NotImplementedError

    @batch(enrollment_resolvers.viewer_enrollment, policy=ANYONE)
    def viewer_enrollment(self) -> Annotated[Enrollment, strawberry.lazy("schema.enrollments")] | None:
        """The caller's enrollment; null when signed out, never enrolled or withdrawn."""
        raise NotImplementedError

    is_type_of = InstanceOf(CourseRow)


@strawberry.input(one_of=True, description="Names one course: exactly one of the fields.")
class CourseBy:
    """How a client names one course."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its opaque id.")
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="Its slug.")

    def to_criteria(self) -> courses.CourseKey:
        """Return the resolver's form."""
        return courses.CourseKey(id=given(self.id), slug=given(self.slug))


@strawberry.input(description="What the courses of a list have in common; what is left out or null does not matter.")
class CourseFilter:
    """A filter of courses."""

    query: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Words to find in title, summary or description; at most 200 characters. "
        'Understands "phrases", or, and -exclusions.',
    )
    topic_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="On any of these topics or their children; at most 100."
    )
    level: list[CourseLevel] | None = strawberry.field(default=strawberry.UNSET, description="Of any of these levels.")
    language: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="In any of these languages (BCP 47 tags)."
    )
    max_duration_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="At most this many minutes long."
    )

    def to_criteria(self) -> courses.CourseFilter:
        """Return the resolver's form."""
        return courses.CourseFilter(
            query=given(self.query),
            topic_ids=given_tuple(self.topic_ids),
            levels=given_tuple(self.level),
            languages=given_tuple(self.language),
            max_duration_minutes=given(self.max_duration_minutes),
        )


@strawberry.input(description="How a list of courses is ordered. Ties are broken, so that pages never overlap.")
class CourseOrder:
    """An order of courses."""

    field: CourseOrderField = strawberry.field(description="What is compared.")
    direction: OrderDirection | None = strawberry.field(
        default=strawberry.UNSET, description="When left out, titles ascend and everything else descends."
    )

    def to_criteria(self) -> courses.CourseOrder:
        """Return the resolver's form."""
        direction = given(self.direction)
        descending = None if direction is None else direction is OrderDirection.DESC
        return courses.CourseOrder(field=self.field, descending=descending)
