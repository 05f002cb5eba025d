"""A course as it would be published: what the rules of metadata quality look at, whoever asks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from database.tables.courses import CourseLevel

LONGEST_TITLE = 200
LONGEST_SLUG = 200
LONGEST_SKILL = 100
MOST_SKILLS = 100

FieldPath = tuple[str, ...]
"""Where something stands, by the names of `CourseMetadata` and numbers from 0: `("modules", "2", "lessons")`."""


@dataclass(frozen=True, slots=True)
class ModuleOutline:
    """A module, in numbers.

    Attributes:
        title: name for people.
        lesson_count: how many lessons it has.
        has_assessment: whether it has an assessment; a module of that alone is not empty.
    """

    title: str
    lesson_count: int
    has_assessment: bool = False


@dataclass(frozen=True, slots=True)
class MediaLink:
    """The address of a video or of another file of a course.

    Attributes:
        url: as the author wrote it.
        path: where it stands.
        failure: why it could not be reached, by `catalog.media`; None when it was reached or nobody tried.
    """

    url: str
    path: FieldPath = ("media",)
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class CourseMetadata:
    """A course as it would be published. None means that the caller cannot know it: it is not judged.

    An author's draft knows nearly everything, a row of a file only what its format has. What the author could have
    said and did not is empty (`""`, `()`), and that is judged.

    Attributes:
        title: name for people.
        slug: name in addresses.
        summary: one or two sentences.
        description: what the course is about, at length.
        level: how much it expects.
        language: BCP 47 tag, lower case; `und` when it is not determined.
        topics: slugs, most specific first.
        skills: what learners take away.
        prerequisites: any names or ids of courses to take before.
        has_assessment: whether anything in it is assessed.
        lesson_count: lessons of all modules.
        modules: the modules, in order.
        media: addresses of its videos and files.
        unmapped: texts of the source, by field, that a table had no entry for.
        same_title: where else the title is used, as the end of "The title is also that of ...".
        same_summary: where else the summary stands word for word, likewise.
        same_description: where else the description stands word for word, likewise.
    """

    title: str | None = None
    slug: str | None = None
    summary: str | None = None
    description: str | None = None
    level: CourseLevel | None = None
    language: str | None = None
    topics: tuple[str, ...] | None = None
    skills: tuple[str, ...] | None = None
    prerequisites: tuple[str, ...] | None = None
    has_assessment: bool | None = None
    lesson_count: int | None = None
    modules: tuple[ModuleOutline, ...] | None = None
    media: tuple[MediaLink, ...] | None = None
    unmapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    same_title: str | None = None
    same_summary: str | None = None
    same_description: str | None = None
