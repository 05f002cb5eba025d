"""Revisions of courses, and modules, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from database.queries.lessons import LESSONS_OF_MODULE
from database.queries.revisions import MODULES_OF_REVISION, ModuleRow, RevisionRow
from database.tables.revisions import RevisionStatus
from execution.fields import InstanceOf, batch, column
from resolvers import assessments as assessment_resolvers, lessons as lesson_resolvers, revisions as revision_resolvers
from schema.assessments import Assessment
from schema.enums import describe
from schema.lessons import Lesson
from schema.levels import CourseLevel
from schema.nodes import Node, global_id
from schema.policies import ANYONE
from schema.topics import Topic

if TYPE_CHECKING:
    from schema.courses import Course

describe(
    RevisionStatus,
    "Where a revision of a course stands. Open to growth: treat unknown as SUPERSEDED.",
    DRAFT="Being written.",
    IN_REVIEW="Waits to be published, and cannot be edited meanwhile.",
    PUBLISHED="What new learners get.",
    SUPERSEDED="What learners keep who started with it.",
)


@strawberry.type(description="A part of a course: lessons, and an assessment where there is one.")
class Module(Node):
    """A module."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Module"))
    title: str = column(ANYONE, "What it is called.")
    position: int = column(ANYONE, "Place in its course, from 0.")

    @batch(lesson_resolvers.lessons, policy=ANYONE, relation=LESSONS_OF_MODULE)
    def lessons(self) -> list[Lesson]:
        """Its lessons, in order."""
        raise NotImplementedError

    @batch(assessment_resolvers.assessment, policy=ANYONE)
    def assessment(self) -> Assessment | None:
        """What closes it; null when nothing does."""
        raise NotImplementedError

    is_type_of = InstanceOf(ModuleRow)


@strawberry.type(
    description="A state of a course that learners got, get or will get. What is published never changes: an edit "
    "makes a new revision, and learners keep the one that they started with until they move on."
)
class CourseRevision(Node):
    """A revision."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("CourseRevision"))
    number: int = column(ANYONE, "1 for the first revision of a course.")
    status: RevisionStatus = column(ANYONE, "Where it stands.")
    title: str = column(ANYONE, "What the course is called in it.")
    summary: str | None = column(ANYONE, "One or two sentences of plain text; null when there are none.")
    description: str | None = column(ANYONE, "The long description, plain text; null when there is none.")
    level: CourseLevel = column(ANYONE, "How much it expects of its learners.")
    language: str = column(ANYONE, "Language it is taught in: a BCP 47 tag in lower case.")
    duration_minutes: int = column(ANYONE, "Minutes that it takes; 0 when unknown.")
    skills: list[str] = column(ANYONE, "Names of the skills it teaches, most important first.")
    review_note: str | None = column(
        ANYONE, "Why a moderator returned it to its authors; null unless it was returned and not submitted again."
    )
    created_at: datetime = column(ANYONE, "When it was begun.")
    submitted_at: datetime | None = column(ANYONE, "When it was submitted for review; null before that.")
    published_at: datetime | None = column(ANYONE, "When it was published; null before that.")

    @batch(revision_resolvers.course, policy=ANYONE)
    def course(self) -> Annotated[Course, strawberry.lazy("schema.courses")]:
        """The course."""
        raise NotImplementedError

    @batch(revision_resolvers.topics, policy=ANYONE)
    def topics(self) -> list[Topic]:
        """What it is about, most important first."""
        raise NotImplementedError

    @batch(revision_resolvers.prerequisites, policy=ANYONE)
    def prerequisites(self) -> list[Annotated[Course, strawberry.lazy("schema.courses")]]:
        """Published courses that it builds upon."""
        raise NotImplementedError

    @batch(revision_resolvers.revision_modules, policy=ANYONE, relation=MODULES_OF_REVISION)
    def modules(self) -> list[Module]:
        """What it consists of, in order."""
        raise NotImplementedError

    is_type_of = InstanceOf(RevisionRow)
