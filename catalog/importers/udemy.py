"""Courses in the format of the public Udemy catalog: identifiers, titles, categories and concepts, no descriptions."""

from __future__ import annotations

from catalog.importers.files import SourceRow
from catalog.importers.formats import LONGEST_ID, CourseFormat, Unmapped, clean, known_language, known_level, tagged
from catalog.problems import Parsed, excerpt, rejected
from catalog.records import CourseRecord
from catalog.taxonomy import TAG_SEPARATOR, Taxonomy, topic_path

COLUMNS = ("course_id", "slug", "title", "categories", "concepts", "level", "language", "audience")


def read(row: SourceRow, taxonomy: Taxonomy) -> Parsed[CourseRecord]:
    """Return the course of one row, or its rejection.

    `audience` is read and not loaded: there is no field for it yet.
    """
    values = row.values
    source_id = values["course_id"].strip()
    if not (source_id.isascii() and source_id.isdigit()) or len(source_id) > LONGEST_ID:
        return rejected(
            row.line, "course_id", "malformed_id", f"{excerpt(source_id)} is not an id: digits, at most {LONGEST_ID}"
        )
    topics, unknown = tagged(values["categories"], taxonomy)
    try:
        for tag in unknown:
            topic_path(*tag.split(TAG_SEPARATOR))
    except ValueError as error:
        return rejected(row.line, "categories", "malformed_category", f"{excerpt(unknown[0])} {error}")
    unmapped: Unmapped = {"topics": unknown} if unknown else {}
    course = CourseRecord(
        line=row.line,
        source_id=source_id,
        slug=values["slug"].strip(),
        title=clean(values["title"]),
        level=known_level(values["level"], unmapped),
        language=known_language(values["language"], unmapped),
        topics=topics,
        skills=_skills(values["concepts"]),
        unmapped=unmapped,
    )
    return Parsed(course)


def _skills(concepts: str) -> tuple[str, ...]:
    # The order is the source's own, and a skill named twice keeps its first place.
    return tuple(dict.fromkeys(name for name in map(clean, concepts.split("|")) if name))


FORMAT = CourseFormat(
    source="udemy",
    columns=COLUMNS,
    read=read,
    judged={
        "slug": "slug",
        "title": "title",
        "topics": "categories",
        "skills": "concepts",
        "level": "level",
        "language": "language",
    },
)
