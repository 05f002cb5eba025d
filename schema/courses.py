"""Courses as clients see them, and how to ask for them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from database.notifications import CATALOG
from database.queries.course_filters import CourseOrderField
from database.queries.courses import INSTRUCTORS_OF_COURSE, PREREQUISITES_OF_COURSE, CourseRow, InstructorRow
from database.queries.revisions import MODULES_OF_COURSE
from database.queries.topics import TOPICS_OF_COURSE
from database.tables.courses import CourseStatus
from execution.directives import INHERITED, public
from execution.fields import InstanceOf, batch, column
from resolvers import (
    analytics as analytics_resolvers,
    attempt_views,
    course_facets,
    courses,
    enrollments as enrollment_resolvers,
    quality as quality_resolvers,
    reviews as review_resolvers,
    revisions as revision_resolvers,
    similar_courses,
)
from schema.enums import describe
from schema.inputs import given, given_tuple
from schema.levels import CourseLevel
from schema.nodes import Node, global_id
from schema.pagination import After, Connection, First
from schema.policies import ANYONE, AUTHOR
from schema.quality import CourseQuality
from schema.reviews import CourseRating, Review
from schema.revisions import CourseRevision, Module
from schema.topics import TOPICS, Topic

if TYPE_CHECKING:
    from schema.analytics import CourseAnalytics
    from schema.attempts import Attempt
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
    RATING="How learners rate it: the average after ten more ratings of 3.5, so that one review proves little.",
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

    @batch(courses.topics, policy=ANYONE, cached=TOPICS, relation=TOPICS_OF_COURSE)
    def topics(self) -> list[Topic]:
        """What it is about, most important first."""
        raise NotImplementedError

    @batch(courses.skills, policy=ANYONE, cached=INHERITED)
    def skills(self) -> list[str]:
        """Names of the skills it teaches, most important first."""
        raise NotImplementedError

    @batch(courses.prerequisites, policy=ANYONE, cached=public(60, CATALOG), relation=PREREQUISITES_OF_COURSE)
    def prerequisites(self) -> list[Course]:
        """Published courses that it builds upon."""
        raise NotImplementedError

    @batch(courses.instructors, policy=ANYONE, cached=public(300), relation=INSTRUCTORS_OF_COURSE)
    def instructors(self, first: First = strawberry.UNSET, after: After = strawberry.UNSET) -> Connection[Instructor]:
        """Who teaches it, in the order that the course names them."""
        raise NotImplementedError

    @batch(revision_resolvers.modules, policy=ANYONE, relation=MODULES_OF_COURSE)
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

    @batch(attempt_views.attempts_to_grade, policy=AUTHOR)
    def attempts_to_grade(
        self, first: First = strawberry.UNSET, after: After = strawberry.UNSET
    ) -> Connection[Annotated[Attempt, strawberry.lazy("schema.attempts")]] | None:
        """Attempts that wait for an instructor, for the authors of the course; those first that wait longest."""
        raise NotImplementedError

    @batch(quality_resolvers.quality, policy=AUTHOR)
    def quality(self) -> CourseQuality | None:
        """How good it is as it would be published, for its authors: the draft if there is one."""
        raise NotImplementedError

    @batch(analytics_resolvers.analytics, policy=AUTHOR)
    def analytics(self) -> Annotated[CourseAnalytics, strawberry.lazy("schema.analytics")] | None:
        """How learners go through it, for its authors; null until the warehouse knows anything."""
        raise NotImplementedError

    @batch(enrollment_resolvers.viewer_enrollment, policy=ANYONE)
    def viewer_enrollment(self) -> Annotated[Enrollment, strawberry.lazy("schema.enrollments")] | None:
        """The caller's enrollment; null when signed out, never enrolled or withdrawn."""
        raise NotImplementedError

    @batch(review_resolvers.rating, policy=ANYONE, cached=INHERITED)
    def rating(self) -> CourseRating:
        """How learners rate it."""
        raise NotImplementedError

    @batch(review_resolvers.reviews, policy=ANYONE, cached=public(60))
    def reviews(self, first: First = strawberry.UNSET, after: After = strawberry.UNSET) -> Connection[Review]:
        """What learners say of it, newest first, without what moderators have hidden."""
        raise NotImplementedError

    @batch(review_resolvers.viewer_review, policy=ANYONE)
    def viewer_review(self) -> Review | None:
        """The caller's own review, even if it is hidden; null when signed out or when there is none."""
        raise NotImplementedError

    @batch(similar_courses.similar_courses, policy=ANYONE, cached=public(300, CATALOG))
    def similar_courses(
        self,
        first: Annotated[
            int | None, strawberry.argument(description="How many at most, 0 to 20; 10 when nothing is said.")
        ] = strawberry.UNSET,
    ) -> list[Course]:
        """Published courses like it, most similar first; never itself, and the same for everybody.

        They are what learners take together with it and what is about the same.
        """
        raise NotImplementedError

    is_type_of = InstanceOf(CourseRow)


@strawberry.type(description="How many courses of a list have a level.")
class LevelCount:
    """A level with its count."""

    level: CourseLevel = column(ANYONE, "The level.", read=lambda row: row.value)
    count: int = column(ANYONE, "How many courses.")


@strawberry.type(description="How many courses of a list are taught in a language.")
class LanguageCount:
    """A language with its count."""

    language: str = column(ANYONE, "A BCP 47 tag in lower case.", read=lambda row: row.value)
    count: int = column(ANYONE, "How many courses.")


@strawberry.type(description="How many courses of a list are on a topic.")
class TopicCount:
    """A topic with its count."""

    topic: Topic = column(ANYONE, "The topic.", cached=INHERITED)
    count: int = column(ANYONE, "How many courses are on it or on a child of it.")


@strawberry.type(
    description="How many courses there would be for each choice: each facet counts under the filter of the list "
    "without its own part, so that the other choices can be offered. Each is counted only when asked for."
)
class CourseFacets:
    """Facets of a list of courses."""

    @batch(course_facets.levels, policy=ANYONE, cached=INHERITED)
    def levels(self) -> list[LevelCount]:
        """Levels that have courses, the most frequent first."""
        raise NotImplementedError

    @batch(course_facets.languages, policy=ANYONE, cached=INHERITED)
    def languages(self) -> list[LanguageCount]:
        """Languages that have courses, the most frequent first."""
        raise NotImplementedError

    @batch(course_facets.on_topics, policy=ANYONE, cached=INHERITED)
    def topics(self) -> list[TopicCount]:
        """Topics of both levels that have courses, the most frequent first; at most 100."""
        raise NotImplementedError


@strawberry.type(name="CourseConnection", description="A page of a list.")
class CourseConnection(Connection[Course]):
    """A page of courses that can be counted by what they have in common."""

    facets: CourseFacets = column(
        ANYONE, "How many courses there would be for each choice.", read=lambda page: page, cached=INHERITED
    )


@strawberry.type(name="StudioCourseConnection", description="A page of courses, for those who write or publish them.")
class StudioCourseConnection(Connection[Course]):
    """A page of courses, drafts included."""


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
        'Understands "phrases", or, and -exclusions. Words are found in other forms of the course\'s own language, '
        "with and without accents. When nothing has them, the last word may go on, as while it is typed, and then "
        "typos are corrected.",
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
    min_rating: float | None = strawberry.field(
        default=strawberry.UNSET, description="Rated at least this on average, 1 to 5; courses without reviews are not."
    )
    skills: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Teaching any of these skills, spelled as `Course.skills` tells them; at most 100.",
    )

    def to_criteria(self) -> courses.CourseFilter:
        """Return the resolver's form."""
        return courses.CourseFilter(
            query=given(self.query),
            topic_ids=given_tuple(self.topic_ids),
            levels=given_tuple(self.level),
            languages=given_tuple(self.language),
            max_duration_minutes=given(self.max_duration_minutes),
            min_rating=given(self.min_rating),
            skills=given_tuple(self.skills),
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
