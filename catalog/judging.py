"""Rows of a file of courses as the rules of quality see them: one by one, and against the rest of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from catalog.importers import edx, udemy, udemy_catalog
from catalog.importers.files import SourceRow
from catalog.importers.formats import CourseFormat
from catalog.metadata import CourseMetadata
from catalog.problems import Parsed, Problem, Severity, rejected
from catalog.quality import IMPORT_SEVERITY, Issue, Standards, examine
from catalog.records import CourseRecord
from catalog.rules.descriptions import plain
from catalog.taxonomy import Taxonomy
from core.errors import InputError, RowError

# Shorter texts are alike by chance.
_FEWEST_LETTERS = 40


def course_formats() -> Mapping[str, CourseFormat]:
    """Return the formats of course files, by name."""
    return MappingProxyType({"udemy": udemy.FORMAT, "udemy-catalog": udemy_catalog.FORMAT, "edx": edx.FORMAT})


def course_format(name: str) -> CourseFormat:
    """Return a format by its name.

    Raises:
        InputError: there is no such format.
    """
    formats = course_formats()
    if name not in formats:
        raise InputError(f"There is no format {name!r}; formats are {', '.join(formats)}.")
    return formats[name]


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of a file, judged.

    Attributes:
        line: physical line that it begins on.
        parsed: the course with its problems, or its one rejection: what an import does with the row.
        metadata: what the rules of quality looked at; None for a row that could not be read.
        issues: all that they say.
    """

    line: int
    parsed: Parsed[CourseRecord]
    metadata: CourseMetadata | None = None
    issues: tuple[Issue, ...] = ()


def judged(
    rows: Iterable[SourceRow | RowError], chosen: CourseFormat, taxonomy: Taxonomy, standards: Standards
) -> Iterator[Judged]:
    """Yield each row of a file with what is wrong with it.

    What was seen is remembered in digests: some hundred bytes a course.
    """
    seen = _Seen()
    for row in rows:
        if isinstance(row, RowError):
            yield Judged(row.line, rejected(row.line, row.column, "malformed_row", row.reason))
            continue
        parsed = chosen.read(row, taxonomy)
        if parsed.record is None:
            yield Judged(row.line, parsed)
            continue
        yield _judged(parsed.record, chosen, seen, standards)


def metadata_of(
    course: CourseRecord, judged_fields: Iterable[str], elsewhere: Mapping[str, str] | None = None
) -> CourseMetadata:
    """Return what the rules look at of a record.

    Args:
        course: the record.
        judged_fields: what its source can know.
        elsewhere: where else its texts stand, by the names of `CourseMetadata`.
    """
    known = {
        "title": course.title,
        "slug": course.slug,
        "summary": course.summary,
        "description": course.description,
        "level": course.level,
        "language": course.language,
        "topics": tuple(topic.slug for topic in course.topics),
        "skills": course.skills,
        "prerequisites": course.prerequisites,
        "lesson_count": course.lesson_count,
    }
    fields: dict[str, Any] = {**{name: known[name] for name in judged_fields}, **(elsewhere or {})}
    return CourseMetadata(**fields, unmapped=course.unmapped)


def _judged(course: CourseRecord, chosen: CourseFormat, seen: _Seen, standards: Standards) -> Judged:
    metadata = metadata_of(course, chosen.judged, seen.elsewhere(course))
    issues = tuple(examine(metadata, standards))
    # Problems name the columns of the file, not the fields of the record.
    problems = tuple(
        Problem(
            course.line,
            chosen.judged.get(issue.field[0], issue.field[0]),
            IMPORT_SEVERITY[issue.severity],
            issue.rule,
            issue.message,
        )
        for issue in issues
    )
    if problems and problems[0].severity is Severity.REJECTED:
        return Judged(course.line, Parsed(None, problems[:1]), metadata, issues)
    duplicate = seen.duplicate(course, chosen)
    if duplicate is not None:
        return Judged(course.line, duplicate, metadata, issues)
    seen.add(course)
    # The rest of the pipeline has no word for an empty text: it means that the source says nothing.
    loaded = course
    if course.summary == "" or course.description == "":
        loaded = replace(course, summary=course.summary or None, description=course.description or None)
    return Judged(course.line, Parsed(loaded, problems), metadata, issues)


class _Seen:
    """What stood on earlier lines of a file, on courses that are loaded. The first line of a file wins."""

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}
        self._slugs: dict[bytes, int] = {}
        self._titles: dict[bytes, int] = {}
        self._summaries: dict[bytes, int] = {}
        self._descriptions: dict[bytes, int] = {}

    def elsewhere(self, course: CourseRecord) -> dict[str, str]:
        """Return the lines that a course's texts were on before, by the names of `CourseMetadata`."""
        lines = {
            "same_title": self._titles.get(_digest(_title(course.title))),
            "same_summary": self._summaries.get(_digest(_text(course.summary))),
            "same_description": self._descriptions.get(_digest(_text(course.description))),
        }
        return {name: f"line {line}" for name, line in lines.items() if line is not None}

    def duplicate(self, course: CourseRecord, chosen: CourseFormat) -> Parsed[CourseRecord] | None:
        """Return the rejection of a course whose id or slug is taken."""
        line = self._ids.setdefault(_digest(course.source_id), course.line)
        if line != course.line:
            column = chosen.columns[0] if chosen.columns[0] == "course_id" else chosen.judged["slug"]
            return rejected(course.line, column, "duplicate_id", f"the id is already on line {line}")
        line = self._slugs.setdefault(_digest(course.slug), course.line)
        if line != course.line:
            return rejected(course.line, chosen.judged["slug"], "duplicate_slug", f"the slug is already on line {line}")
        return None

    def add(self, course: CourseRecord) -> None:
        """Remember the texts of a course that is loaded."""
        for known, text in (
            (self._titles, _title(course.title)),
            (self._summaries, _text(course.summary)),
            (self._descriptions, _text(course.description)),
        ):
            if text:
                known.setdefault(_digest(text), course.line)


def _title(text: str) -> str:
    return " ".join(text.casefold().split())


def _text(text: str | None) -> str:
    if not text:
        return ""
    compared = plain(text)
    return compared if len(compared) >= _FEWEST_LETTERS else ""


def _digest(text: str) -> bytes:
    """Return what stands for a text; nothing for an empty one, which is no duplicate of another."""
    if not text:
        return b""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
