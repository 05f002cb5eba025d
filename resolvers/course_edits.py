"""Writing a course: its first draft, and what every revision says of it as a whole."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import drafts as queries, preferences as topic_queries
from database.tables.courses import CourseLevel, CourseStatus
from resolvers.accounts import by_ids as viewers_by_ids
from resolvers.commands import caller, transact
from resolvers.context import Context
from resolvers.editing import CoursePayload, CourseVersion, course_row, editing
from resolvers.texts import at_most, optional, required, within
from security.audit import Subject

LONGEST_TITLE = 200
LONGEST_SUMMARY = 1_000
LONGEST_DESCRIPTION = 100_000
LONGEST_SKILL = 100
MOST_TOPICS = 10
MOST_SKILLS = 100
MOST_PREREQUISITES = 20
MOST_MINUTES = 60_000
_LONGEST_SLUG = 100
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,4}")
_TRIES = 20
# Of a revision these are columns, and of a course rows of other tables.
_LISTS = frozenset({"topic_ids", "skills", "prerequisite_ids"})


@dataclass(frozen=True, slots=True)
class CreateCourse:
    """A new course.

    Attributes:
        values: what it says, by the names of `UpdateCourse.changes`; `title`, `level` and `language` are among them.
        slug: its name in addresses; made from the title when not given.
    """

    values: Mapping[str, Any]
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateCourse:
    """Changes of a course.

    Attributes:
        target: the course and its version.
        changes: new values of title, summary, description, level, language, duration_minutes, topic_ids, skills and
            prerequisite_ids (opaque ids); what is not among them stays, and None clears.
    """

    target: CourseVersion
    changes: Mapping[str, Any]


async def create_course(context: Context, input: CreateCourse) -> CoursePayload:  # noqa: A002 - the contract's name.
    """Begin a course, with the caller as its author.

    Raises:
        CommandError: SLUG_TAKEN, or as for `update_course`.
    """
    identity = caller(context)
    values = _checked(input.values)
    async with transact(context, "create_course", Subject("Course")) as act:
        await _refuse_unknown(act.connection, 0, values)
        name = await _public_name(context)
        instructor_id = await queries.instructor_of(act.connection, identity.account_id, name)
        course_id = await _insert(act.connection, input.slug, values, instructor_id, act.now)
        act.subject = Subject("Course", course_id)
        revision_id = await queries.begin_draft(act.connection, course_id, act.now)
        lists: dict[str, Any] = {name: value for name, value in values.items() if name in _LISTS}
        await queries.update_revision(act.connection, revision_id, lists)
        await apply(act.connection, course_id, revision_id, ("input", "prerequisiteIds"))
    context.authorship[course_id] = True
    return CoursePayload(course=await course_row(context, course_id))


async def update_course(context: Context, input: UpdateCourse) -> CoursePayload:  # noqa: A002
    """Change what the draft of a course says.

    Raises:
        CommandError: as for `editing`; REQUIRED, TOO_LONG, TOO_MANY or INVALID for a value, NOT_FOUND for a topic or
            prerequisite, PREREQUISITE_CYCLE.
    """
    values = _checked(input.changes)
    async with editing(context, "update_course", input.target) as edit:
        await _refuse_unknown(edit.connection, edit.course.id, values)
        await queries.update_revision(edit.connection, edit.revision_id, values)
        await mirror(edit.connection, edit.course, edit.revision_id)
        edit.act.details["changed"] = sorted(values)
    return CoursePayload(course=await course_row(context, edit.course.id))


async def mirror(connection: AsyncConnection, course: queries.StoredCourse, revision_id: int) -> None:
    """Let a course that never was published say what its draft says.

    Raises:
        CommandError: PREREQUISITE_CYCLE.
    """
    if course.status in {CourseStatus.DRAFT, CourseStatus.IN_REVIEW}:
        await apply(connection, course.id, revision_id, ("input", "prerequisiteIds"))


async def apply(connection: AsyncConnection, course_id: int, revision_id: int, path: tuple[str, ...]) -> None:
    """Make a course say what a revision says.

    Raises:
        CommandError: PREREQUISITE_CYCLE at `path`: another course, perhaps one that is published at this moment,
            builds upon this one.
    """
    try:
        await queries.apply_revision(connection, course_id, revision_id)
    except queries.PrerequisiteCycle as closed:
        raise cycle(path) from closed


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are stored, or refuse one of them."""
    return {name: _CHECKS[name](value, ("input", _camel(name))) for name, value in given.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _given(value: Any, path: tuple[str, ...]) -> Any:
    if value is None:
        raise CommandError(UserErrorCode.REQUIRED, "This must not be empty.", path)
    return value


def _language(value: str | None, path: tuple[str, ...]) -> str:
    tag = str(_given(value, path)).lower()
    if not _LANGUAGE.fullmatch(tag):
        raise CommandError(UserErrorCode.INVALID, "A language is a BCP 47 tag, such as `en` or `pt-BR`.", path)
    return tag


def _keys(texts: Sequence[str], type_name: str, most: int, path: tuple[str, ...]) -> list[int]:
    at_most(texts, most, path)
    keys: list[int] = []
    for place, text in enumerate(texts):
        key = decode_key(text, type_name)
        if key is None:
            raise CommandError(UserErrorCode.NOT_FOUND, f"There is no such {type_name.lower()}.", (*path, str(place)))
        keys.append(key)
    return list(dict.fromkeys(keys))


def _level(value: CourseLevel | None, path: tuple[str, ...]) -> str:
    level: CourseLevel = _given(value, path)
    return level.value


def _minutes(value: int | None, path: tuple[str, ...]) -> int:
    within(value, 0, MOST_MINUTES, path)
    return value or 0


def _skills(values: Sequence[str] | None, path: tuple[str, ...]) -> list[str]:
    at_most(values or (), MOST_SKILLS, path)
    skills = [required(text, LONGEST_SKILL, (*path, str(place))) for place, text in enumerate(values or ())]
    return list(dict.fromkeys(skills))


_CHECKS: Mapping[str, Callable[[Any, tuple[str, ...]], Any]] = MappingProxyType(
    {
        "title": lambda value, path: required(value, LONGEST_TITLE, path),
        "summary": lambda value, path: optional(value, LONGEST_SUMMARY, path),
        "description": lambda value, path: optional(value, LONGEST_DESCRIPTION, path),
        "level": _level,
        "language": _language,
        "duration_minutes": _minutes,
        "topic_ids": lambda value, path: _keys(value or (), "Topic", MOST_TOPICS, path),
        "skills": _skills,
        "prerequisite_ids": lambda value, path: _keys(value or (), "Course", MOST_PREREQUISITES, path),
    }
)


async def _refuse_unknown(connection: AsyncConnection, course_id: int, values: Mapping[str, Any]) -> None:
    topics = values.get("topic_ids", [])
    if topics and len(await topic_queries.existing_topics(connection, topics)) < len(topics):
        raise CommandError(UserErrorCode.NOT_FOUND, "One of the topics does not exist.", ("input", "topicIds"))
    path = ("input", "prerequisiteIds")
    needed = values.get("prerequisite_ids", [])
    if course_id in needed or (needed and await queries.would_close_cycle(connection, course_id, needed)):
        raise cycle(path)
    if set(needed) - await queries.published_courses(connection, needed):
        raise CommandError(UserErrorCode.NOT_FOUND, "One of the courses does not exist or is not published.", path)


def cycle(path: tuple[str, ...]) -> CommandError:
    """Return the refusal of prerequisites that lead back to the course."""
    return CommandError(UserErrorCode.PREREQUISITE_CYCLE, "The course would become a prerequisite of itself.", path)


async def _insert(
    connection: AsyncConnection, slug: str | None, values: Mapping[str, Any], instructor_id: int, now: Any
) -> int:
    columns = {name: value for name, value in values.items() if name not in _LISTS}
    path = ("input", "slug")
    if slug is not None and (len(slug) > _LONGEST_SLUG or not _SLUG.fullmatch(slug)):
        message = f"A slug is lower-case letters, digits and hyphens, at most {_LONGEST_SLUG}."
        raise CommandError(UserErrorCode.INVALID, message, path)
    base = slug if slug is not None else _slug_of(values["title"])
    for number in range(1 if slug is not None else _TRIES):
        tried = base if number == 0 else f"{base}-{number + 1}"
        key = await queries.insert_course(connection, {**columns, "slug": tried}, instructor_id=instructor_id, now=now)
        if key is not None:
            return key
    raise CommandError(UserErrorCode.SLUG_TAKEN, "Another course has this slug.", path)


def _slug_of(title: str) -> str:
    """Return the ASCII of a title as a slug; a title without any becomes `course`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    return words[: _LONGEST_SLUG - 10].strip("-") or "course"


async def _public_name(context: Context) -> str:
    (viewer,) = await viewers_by_ids(context, [caller(context).account_id])
    assert viewer is not None  # noqa: S101 - the caller's own account.
    return viewer.display_name
