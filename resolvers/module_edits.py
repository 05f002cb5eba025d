"""Writing the modules of a course."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key, encode_id
from database.queries import draft_contents as queries
from database.queries.revisions import ModuleRow
from database.tables.revisions import modules as table
from resolvers import revisions
from resolvers.context import Context
from resolvers.editing import CoursePayload, CourseVersion, Edit, course_row, editing
from resolvers.texts import required

LONGEST_TITLE = 200
MOST_MODULES = 50
_MODULE = ("input", "moduleId")
_POSITION = ("input", "position")


@dataclass(frozen=True, slots=True)
class AddModule:
    """A new module; at the end when no position is given."""

    target: CourseVersion
    title: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateModule:
    """A module's new title."""

    target: CourseVersion
    module_id: str
    title: str


@dataclass(frozen=True, slots=True)
class MoveModule:
    """A module's new place."""

    target: CourseVersion
    module_id: str
    position: int


@dataclass(frozen=True, slots=True)
class RemoveModule:
    """A module to remove, with all that is in it."""

    target: CourseVersion
    module_id: str


@dataclass(frozen=True, kw_only=True)
class ModulePayload(CoursePayload):
    """The answer of a command that changes a module: the draft's copy of it."""

    module: ModuleRow | None = None


async def add_module(context: Context, input: AddModule) -> ModulePayload:  # noqa: A002 - the contract's name.
    """Add a module to the draft of a course.

    Raises:
        CommandError: as for `editing`; REQUIRED, TOO_LONG, TOO_MANY or INVALID.
    """
    title = required(input.title, LONGEST_TITLE, ("input", "title"))
    async with editing(context, "add_module", input.target) as edit:
        ids = await queries.module_ids(edit.connection, edit.revision_id)
        if len(ids) >= MOST_MODULES:
            message = f"A course has at most {MOST_MODULES} modules."
            raise CommandError(UserErrorCode.TOO_MANY, message, ("input", "courseId"))
        row = {"revision_id": edit.revision_id, "position": len(ids), "title": title}
        key = await queries.insert_row(edit.connection, table, row)
        await queries.reorder(edit.connection, table, moved([*ids, key], key, input.position))
    return await _payload(context, edit, key)


async def update_module(context: Context, input: UpdateModule) -> ModulePayload:  # noqa: A002
    """Change the title of a module; errors as for `add_module`, and NOT_FOUND."""
    title = required(input.title, LONGEST_TITLE, ("input", "title"))
    async with editing(context, "update_module", input.target) as edit:
        key = await draft_module(edit, input.module_id)
        await queries.update_row(edit.connection, table, key, {"title": title})
    return await _payload(context, edit, key)


async def move_module(context: Context, input: MoveModule) -> ModulePayload:  # noqa: A002
    """Put a module in another place; errors as for `update_module`."""
    async with editing(context, "move_module", input.target) as edit:
        key = await draft_module(edit, input.module_id)
        ids = await queries.module_ids(edit.connection, edit.revision_id)
        await queries.reorder(edit.connection, table, moved(ids, key, input.position))
    return await _payload(context, edit, key)


async def remove_module(context: Context, input: RemoveModule) -> ModulePayload:  # noqa: A002
    """Remove a module with its lessons and its assessment; errors as for `update_module`."""
    async with editing(context, "remove_module", input.target) as edit:
        key = await draft_module(edit, input.module_id)
        await queries.delete_row(edit.connection, table, key)
        await queries.reorder(edit.connection, table, await queries.module_ids(edit.connection, edit.revision_id))
    return ModulePayload(course=await course_row(context, edit.course.id))


async def draft_module(edit: Edit, module_id: str) -> int:
    """Return the draft's copy of a module of whatever revision of the course.

    Raises:
        CommandError: NOT_FOUND.
    """
    given = decode_key(module_id, "Module")
    key = None
    if given is not None:
        key = await queries.copy_in_draft(
            edit.connection, table, given, course_id=edit.course.id, revision_id=edit.revision_id
        )
    if key is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such module in the course.", _MODULE)
    edit.act.details["module"] = encode_id("Module", key)
    return key


def moved(ids: list[int], key: int, position: int | None) -> list[int]:
    """Return the ids with `key` at a position; at the end when there is none.

    Raises:
        CommandError: INVALID: there is no such place.
    """
    if position is None:
        return [*(one for one in ids if one != key), key]
    if not 0 <= position < len(ids):
        raise CommandError(UserErrorCode.INVALID, f"A place is from 0 to {len(ids) - 1}.", _POSITION)
    others = [one for one in ids if one != key]
    return [*others[:position], key, *others[position:]]


async def _payload(context: Context, edit: Edit, key: int) -> ModulePayload:
    (module,) = await revisions.modules_by_ids(context, [key])
    return ModulePayload(course=await course_row(context, edit.course.id), module=module)
