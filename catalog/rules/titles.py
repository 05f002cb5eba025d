"""Rules on the title and the slug."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.metadata import LONGEST_SLUG, LONGEST_TITLE, CourseMetadata
from catalog.problems import excerpt
from catalog.rules.findings import Finding

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Below this many capitals they may be acronyms.
_SHOUTING_LETTERS = 12
# What is left of a neighboring row, or of a form, when a quotation mark was lost.
_GARBLED = re.compile(r"https?://\w|[\r\n\t]|</?(b|i|p|br|div|span|strong|em)\b[^<>]{0,100}>", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(the )?(course )?title( here)?|untitled( course)?|(my )?(new|test|sample|dummy) course( \d+)?"
    r"|test( \d+)?|tbd|todo|x{3,}|asdf\w*|copy of .*|.* \(copy\)|t[ií]tulo( del curso)?|sin t[ií]tulo",
    re.IGNORECASE,
)


def missing_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title."""
    if course.title is not None and not course.title.strip():
        yield Finding("The title is empty. Name the course in a few words.", ("title",))


def long_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title that fits."""
    length = len(course.title or "")
    if length > LONGEST_TITLE:
        yield Finding(f"The title has {length} characters; at most {LONGEST_TITLE} are allowed.", ("title",))


def garbled_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title that is only a title."""
    found = _GARBLED.search(course.title or "")
    if found:
        yield Finding(
            f"The title contains {found.group()!r}: it seems to have swallowed something else, as when a quotation "
            "mark is lost.",
            ("title",),
        )


def placeholder_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title that somebody chose."""
    if course.title and _PLACEHOLDER.fullmatch(course.title.strip()):
        yield Finding(f"The title {excerpt(course.title)} is a placeholder. Say what the course is about.", ("title",))


def shouting_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title that is not all capitals."""
    title = course.title or ""
    # Letters without capitals, as in Japanese, do not shout.
    if title.isupper() and sum(letter.lower() != letter for letter in title) >= _SHOUTING_LETTERS:
        yield Finding(
            f"The title {excerpt(title)} is all capitals. Use capitals as in a sentence or a book's title.", ("title",)
        )


def duplicate_title(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a title that no other course has."""
    if course.same_title:
        yield Finding(
            f"The title {excerpt(course.title or '')} is also that of {course.same_title}. "
            "Say what is special about this one.",
            ("title",),
        )


def missing_slug(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a slug."""
    if course.slug is not None and not course.slug:
        yield Finding("The slug is empty. Give the course a name for its address.", ("slug",))


def malformed_slug(course: CourseMetadata) -> Iterator[Finding]:
    """Demand a slug that needs no escaping."""
    if course.slug and not (_SLUG.fullmatch(course.slug) and len(course.slug) <= LONGEST_SLUG):
        yield Finding(
            f"{excerpt(course.slug)} is not a slug: lower-case ASCII letters, digits, hyphens and underscores, "
            f"at most {LONGEST_SLUG}.",
            ("slug",),
        )
