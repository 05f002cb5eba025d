"""Courses in the format of the public edX catalog: long texts, effort and length; one subject, no skills and no ids."""

from __future__ import annotations

import re

from catalog.importers.files import SourceRow
from catalog.importers.formats import (
    CourseFormat,
    Unmapped,
    clean,
    clean_prose,
    known_language,
    known_level,
    slug_of,
    tagged,
)
from catalog.metadata import LONGEST_SLUG
from catalog.problems import Parsed, excerpt, rejected
from catalog.records import CourseRecord
from catalog.taxonomy import Taxonomy

COLUMNS = (
    "title",
    "summary",
    "n_enrolled",
    "course_type",
    "institution",
    "instructors",
    "Level",
    "subject",
    "language",
    "subtitles",
    "course_effort",
    "course_length",
    "price",
    "course_description",
    "course_syllabus",
    "course_url",
    "price_USD",
)
# Words that stand where the source had nothing.
MISSING = frozenset({"pending", "none", "n/a", "nan", "no abstract available"})

_EFFORT = re.compile(r"(\d{1,2})(?:\s*[\u2013-]\s*(\d{1,2}))? hours? per week")
_LENGTH = re.compile(r"(\d{1,3}) weeks?")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")


def read(row: SourceRow, taxonomy: Taxonomy) -> Parsed[CourseRecord]:
    """Return the course of one row, or its rejection.

    The address is the only key of the source. The syllabus, the numbers of learners, the prices and the subtitles
    are read and not loaded: there are no fields for them yet.
    """
    values = {name: given(value) for name, value in row.values.items()}
    slug = slug_of(values["course_url"])
    if not _ID.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        reason = f"{excerpt(values['course_url'])} is not the address of a course, such as https://host/course/name"
        return rejected(row.line, "course_url", "malformed_address", reason)
    topics, unknown = tagged(values["subject"], taxonomy)
    unmapped: Unmapped = {"topics": unknown} if unknown else {}
    course = CourseRecord(
        line=row.line,
        source_id=slug,
        slug=slug,
        title=clean(values["title"]),
        level=known_level(values["Level"], unmapped),
        language=known_language(values["language"], unmapped),
        topics=topics,
        skills=None,
        instructors=_instructors(values["instructors"]),
        summary=clean(values["summary"]),
        description=clean_prose(values["course_description"]),
        duration_minutes=_minutes(values["course_effort"], values["course_length"]),
        unmapped=unmapped,
    )
    return Parsed(course)


def given(text: str) -> str:
    """Return what the source says, and nothing where it only says that it has nothing."""
    stripped = text.strip()
    return "" if stripped.lower() in MISSING else stripped


def _minutes(effort: str, length: str) -> int | None:
    """Return weeks times the middle of the hours per week, or None when the source does not say both."""
    hours, weeks = _EFFORT.fullmatch(effort.lower()), _LENGTH.fullmatch(length.lower())
    if hours is None or weeks is None:
        return None
    least = int(hours[1])
    most = int(hours[2] or least)
    return (least + most) * 30 * int(weeks[1])


def _instructors(text: str) -> tuple[str, ...] | None:
    """Return the names of people, which the source joins by the hyphen that some names have themselves.

    One word between two hyphens may belong to either neighbor. Rather than making up a person, nothing is said.
    """
    parts = [clean(part) for part in text.split("-")]
    if not clean(text):
        return None
    if all(" " in part for part in parts):
        return tuple(parts)
    return (clean(text),) if len(parts) <= len(("first name", "last-name")) else None


FORMAT = CourseFormat(
    source="edx",
    columns=COLUMNS,
    read=read,
    judged={
        "slug": "course_url",
        "title": "title",
        "summary": "summary",
        "description": "course_description",
        "topics": "subject",
        "level": "Level",
        "language": "language",
    },
)
