"""What every importer makes of its format, and what the one way into the database takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from catalog.taxonomy import TopicPath
from database.tables.courses import CourseLevel


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """A course as a source describes it. None means that the source says nothing, and what is stored stays.

    Attributes:
        line: physical line of the file, or a running number where there is no file.
        source_id: the course's key in its source.
        slug: name in addresses.
        title: name for people.
        level: how much it expects.
        language: BCP 47 tag, lower case; `und` when the source has it and it is not in the table.
        topics: most specific first; their parents are implied.
        skills: most important first.
        instructors: display names, in order.
        prerequisites: `source_id` of other courses of the same source.
        summary: one or two sentences.
        description: what the course is about, at length.
        duration_minutes: length of the course.
        lesson_count: how many lessons it has; judged and not loaded.
        published_at: when it was published, as far as the source knows.
        unmapped: texts, by field, that a table had no entry for.
    """

    line: int
    source_id: str
    slug: str
    title: str
    level: CourseLevel
    language: str | None
    topics: tuple[TopicPath, ...]
    skills: tuple[str, ...] | None
    instructors: tuple[str, ...] | None = None
    prerequisites: tuple[str, ...] | None = None
    summary: str | None = None
    description: str | None = None
    duration_minutes: int | None = None
    lesson_count: int | None = None
    published_at: datetime | None = None
    unmapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnrollmentRecord:
    """A learner who took a course.

    Attributes:
        line: physical line of the file, or a running number where there is no file.
        learner_id: the learner's pseudonymous key in the source.
        course_id: the course's key in the source.
        enrolled_at: when, in UTC.
    """

    line: int
    learner_id: str
    course_id: str
    enrolled_at: datetime
