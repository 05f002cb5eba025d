"""Courses in the format of the public Udemy catalog: identifiers, titles, categories and concepts, no descriptions."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from catalog.importers.files import SourceRow
from catalog.languages import language_of
from catalog.levels import level_of
from catalog.problems import Parsed, Severity, excerpt, rejected
from catalog.quality import examine
from catalog.records import CourseRecord
from catalog.taxonomy import TopicPath, topic_path

SOURCE = "udemy"
COLUMNS = ("course_id", "slug", "title", "categories", "concepts", "level", "language", "audience")
_COLUMN_OF = {"skills": "concepts", "topics": "categories"}
_LIST = "|"
_LONGEST_ID = 64


def parse(row: SourceRow) -> Parsed[CourseRecord]:
    """Return the course of one row, with the warnings it earns, or its rejection.

    `audience` is read and not loaded: there is no field for it yet.
    """
    values = row.values
    source_id = values["course_id"].strip()
    if not (source_id.isascii() and source_id.isdigit()) or len(source_id) > _LONGEST_ID:
        return rejected(
            row.line, "course_id", "malformed_id", f"{excerpt(source_id)} is not an id: digits, at most {_LONGEST_ID}"
        )
    try:
        topics = _topics(values["categories"])
    except ValueError as error:
        return rejected(row.line, "categories", "malformed_category", f"{excerpt(values['categories'])} {error}")
    course = CourseRecord(
        line=row.line,
        source_id=source_id,
        slug=values["slug"].strip(),
        title=clean(values["title"]),
        level=level_of(values["level"]),
        language=language_of(values["language"]),
        topics=topics,
        skills=_skills(values["concepts"]),
        unmapped={name: values[name].strip() for name in ("level", "language")},
    )
    # Problems name the columns of the file, not the fields of the record.
    problems = tuple(
        replace(problem, column=_COLUMN_OF.get(problem.column or "", problem.column)) for problem in examine(course)
    )
    blocking = [problem for problem in problems if problem.severity is Severity.REJECTED]
    return Parsed(None, (blocking[0],)) if blocking else Parsed(course, problems)


def clean(text: str) -> str:
    """Return a text on one line, in Unicode's composed form, without control characters or doubled spaces."""
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if unicodedata.category(character) == "Cc" else character for character in composed)
    return " ".join(spaced.split())


def _topics(categories: str) -> tuple[TopicPath, ...]:
    text = categories.strip()
    return (topic_path(*text.split(_LIST)),) if text else ()


def _skills(concepts: str) -> tuple[str, ...]:
    # The order is the source's own, and a skill named twice keeps its first place.
    return tuple(dict.fromkeys(name for name in map(clean, concepts.split(_LIST)) if name))
