"""Writing the lessons of a course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key, encode_id
from database.queries import draft_contents as queries
from database.queries.lessons import LessonRow
from database.tables.revisions import LessonKind, lessons as table
from resolvers import lessons
from resolvers.context import Context
from resolvers.editing import CoursePayload, CourseVersion, Edit, course_row, editing
from resolvers.module_edits import draft_module, moved
from resolvers.texts import Path, optional, required, web_address, within

LONGEST_TITLE = 200
LONGEST_BODY = 100_000
MOST_LESSONS = 200
MOST_SECONDS = 86_400
_LESSON = ("input", "lessonId")


@dataclass(frozen=True, slots=True)
class LessonContent:
    """What a lesson says; `part` is the input field that it came in, `video`, `article` or `exercise`."""

    kind: LessonKind
    part: str
    title: str
    duration_seconds: int | None = None
    media_url: str | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class AddLesson:
    """A new lesson; at the end of its module when no position is given."""

    target: CourseVersion
    module_id: str
    lesson: LessonContent
    position: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateLesson:
    """What a lesson says from now on, instead of all that it said."""

    target: CourseVersion
    lesson_id: str
    lesson: LessonContent


@dataclass(frozen=True, slots=True)
class MoveLesson:
    """A lesson's new place."""

    target: CourseVersion
    lesson_id: str
    module_id: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveLesson:
    """A lesson to remove."""

    target: CourseVersion
    lesson_id: str


@dataclass(frozen=True, kw_only=True)
class LessonPayload(CoursePayload):
    """The answer of a command that changes a lesson: the draft's copy of it."""

    lesson: LessonRow | None = None


async def add_lesson(context: Context, input: AddLesson) -> LessonPayload:  # noqa: A002 - the contract's name.
    """Add a lesson to a module of the draft.

    Raises:
        CommandError: as for `editing`; NOT_FOUND, REQUIRED, TOO_LONG, TOO_MANY or INVALID.
    """
    values = _checked(input.lesson)
    async with editing(context, "add_lesson", input.target) as edit:
        module_id = await draft_module(edit, input.module_id)
        ids = await queries.lesson_ids(edit.connection, module_id)
        _refuse_too_many(ids)
        row = {"revision_id": edit.revision_id, "module_id": module_id, "position": len(ids), **values}
        key = await queries.insert_row(edit.connection, table, row)
        await queries.reorder(edit.connection, table, moved([*ids, key], key, input.position))
    return await _payload(context, edit, key)


async def update_lesson(context: Context, input: UpdateLesson) -> LessonPayload:  # noqa: A002
    """Write a lesson anew; errors as for `add_lesson`."""
    values = _checked(input.lesson)
    async with editing(context, "update_lesson", input.target) as edit:
        key = await _draft_lesson(edit, input.lesson_id)
        await queries.update_row(edit.connection, table, key, values)
    return await _payload(context, edit, key)


async def move_lesson(context: Context, input: MoveLesson) -> LessonPayload:  # noqa: A002
    """Put a lesson in another place, of the same module or of another; errors as for `add_lesson`."""
    async with editing(context, "move_lesson", input.target) as edit:
        key = await _draft_lesson(edit, input.lesson_id)
        before = await queries.module_of(edit.connection, key)
        after = await draft_module(edit, input.module_id)
        ids = await queries.lesson_ids(edit.connection, after)
        if after != before:
            _refuse_too_many(ids)
            ids = [*ids, key]
            await queries.update_row(edit.connection, table, key, {"module_id": after})
            await queries.reorder(edit.connection, table, await queries.lesson_ids(edit.connection, before))
        await queries.reorder(edit.connection, table, moved(ids, key, input.position))
    return await _payload(context, edit, key)


async def remove_lesson(context: Context, input: RemoveLesson) -> LessonPayload:  # noqa: A002
    """Remove a lesson; errors as for `add_lesson`."""
    async with editing(context, "remove_lesson", input.target) as edit:
        key = await _draft_lesson(edit, input.lesson_id)
        module_id = await queries.module_of(edit.connection, key)
        await queries.delete_row(edit.connection, table, key)
        await queries.reorder(edit.connection, table, await queries.lesson_ids(edit.connection, module_id))
    return LessonPayload(course=await course_row(context, edit.course.id))


def _checked(given: LessonContent) -> dict[str, Any]:
    path: Path = ("input", "lesson", given.part)
    within(given.duration_seconds, 0, MOST_SECONDS, (*path, "durationSeconds"))
    values: dict[str, Any] = {
        "kind": given.kind.value,
        "title": required(given.title, LONGEST_TITLE, (*path, "title")),
        "duration_seconds": given.duration_seconds or 0,
        "media_url": None,
    }
    if given.kind is LessonKind.VIDEO:
        values["media_url"] = web_address(given.media_url, (*path, "mediaUrl"))
        values["body"] = optional(given.body, LONGEST_BODY, (*path, "notes"))
        if values["media_url"] is None:
            raise CommandError(UserErrorCode.REQUIRED, "A video needs an address.", (*path, "mediaUrl"))
    else:
        name = "body" if given.kind is LessonKind.ARTICLE else "instructions"
        values["body"] = required(given.body, LONGEST_BODY, (*path, name))
    return values


async def _draft_lesson(edit: Edit, lesson_id: str) -> int:
    given = decode_key(lesson_id, "Lesson")
    key = None
    if given is not None:
        key = await queries.copy_in_draft(
            edit.connection, table, given, course_id=edit.course.id, revision_id=edit.revision_id
        )
    if key is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such lesson in the course.", _LESSON)
    edit.act.details["lesson"] = encode_id("Lesson", key)
    return key


def _refuse_too_many(ids: list[int]) -> None:
    if len(ids) >= MOST_LESSONS:
        message = f"A module has at most {MOST_LESSONS} lessons."
        raise CommandError(UserErrorCode.TOO_MANY, message, ("input", "moduleId"))


async def _payload(context: Context, edit: Edit, key: int) -> LessonPayload:
    (lesson,) = await lessons.by_ids(context, [key])
    return LessonPayload(course=await course_row(context, edit.course.id), lesson=lesson)
