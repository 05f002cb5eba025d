"""Rules of metadata quality: small, named, each on one column, each with a severity.

An import rejects a row that breaks a blocking rule, and reports the rest. The rules look at one record at a
time; what takes the whole file or the catalog (duplicates) is found by the import, in the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from catalog.languages import UNKNOWN_LANGUAGE
from catalog.levels import UNKNOWN_LEVEL
from catalog.problems import Problem, Severity, excerpt
from catalog.records import CourseRecord

LONGEST_TITLE = 200
LONGEST_SLUG = 200
LONGEST_SKILL = 100
MOST_SKILLS = 100

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Below this many letters capitals may be an acronym.
_SHOUTING_LETTERS = 12

Check = Callable[[CourseRecord], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand on the metadata of a course.

    Attributes:
        name: stable; reports and the documentation use it.
        column: what it looks at, by the name of the record's field.
        severity: whether a course that breaks it is refused.
        check: returns what is wrong, or None.
    """

    name: str
    column: str
    severity: Severity
    check: Check


def _missing_title(course: CourseRecord) -> str | None:
    return None if course.title else "is empty"


def _missing_slug(course: CourseRecord) -> str | None:
    return None if course.slug else "is empty"


def _malformed_slug(course: CourseRecord) -> str | None:
    if not course.slug or (_SLUG.fullmatch(course.slug) and len(course.slug) <= LONGEST_SLUG):
        return None
    return (
        f"{excerpt(course.slug)} is not a slug: lower-case ASCII letters, digits, hyphens and underscores, "
        f"at most {LONGEST_SLUG}"
    )


def _long_title(course: CourseRecord) -> str | None:
    length = len(course.title)
    return None if length <= LONGEST_TITLE else f"has {length} characters; at most {LONGEST_TITLE} are allowed"


def _long_skill(course: CourseRecord) -> str | None:
    if len(course.skills) > MOST_SKILLS:
        return f"names {len(course.skills)} skills; at most {MOST_SKILLS} are allowed"
    longest = max(course.skills, key=len, default="")
    return None if len(longest) <= LONGEST_SKILL else f"{excerpt(longest)} has more than {LONGEST_SKILL} characters"


def _shouting_title(course: CourseRecord) -> str | None:
    letters = [character for character in course.title if character.isalpha()]
    return "is all capitals" if len(letters) >= _SHOUTING_LETTERS and course.title.isupper() else None


def _no_skills(course: CourseRecord) -> str | None:
    return None if course.skills else "names no skills"


def _no_topic(course: CourseRecord) -> str | None:
    return None if course.topics else "names no topic"


def _unknown_level(course: CourseRecord) -> str | None:
    if course.level is not None:
        return None
    text = course.unmapped.get("level", "")
    return f"{excerpt(text) if text else 'empty'} is not in the table of levels; loaded as {UNKNOWN_LEVEL}"


def _unknown_language(course: CourseRecord) -> str | None:
    if course.language is not None:
        return None
    text = course.unmapped.get("language", "")
    return f"{excerpt(text) if text else 'empty'} is not in the table of languages; loaded as {UNKNOWN_LANGUAGE}"


RULES: tuple[Rule, ...] = (
    Rule("missing_title", "title", Severity.REJECTED, _missing_title),
    Rule("missing_slug", "slug", Severity.REJECTED, _missing_slug),
    Rule("malformed_slug", "slug", Severity.REJECTED, _malformed_slug),
    Rule("long_title", "title", Severity.REJECTED, _long_title),
    Rule("long_skill", "skills", Severity.REJECTED, _long_skill),
    Rule("shouting_title", "title", Severity.WARNING, _shouting_title),
    Rule("no_skills", "skills", Severity.WARNING, _no_skills),
    Rule("no_topic", "topics", Severity.WARNING, _no_topic),
    Rule("unknown_level", "level", Severity.WARNING, _unknown_level),
    Rule("unknown_language", "language", Severity.WARNING, _unknown_language),
)


def examine(course: CourseRecord) -> Iterator[Problem]:
    """Yield what is wrong with a course, blocking problems first."""
    for rule in RULES:
        reason = rule.check(course)
        if reason is not None:
            yield Problem(course.line, rule.column, rule.severity, rule.name, reason)
