"""Lessons: what a module consists of, and what is in them for those who may see it."""

from __future__ import annotations

from collections.abc import Sequence

from database.queries import lessons as queries
from database.queries.lessons import LessonContentRow, LessonRow
from database.queries.revisions import ModuleRow
from resolvers.authors import viewpoint
from resolvers.batches import aligned, grouped
from resolvers.context import Context


async def lessons(context: Context, modules: Sequence[ModuleRow]) -> list[list[LessonRow]]:
    """Return the lessons of each module, in order."""
    rows = await context.reader.fetch(queries.OF_MODULES, ids=list({row.id for row in modules}))
    return grouped(rows, "module_id", [row.id for row in modules])


async def media_url(context: Context, lessons: Sequence[LessonRow]) -> list[str | None]:
    """Return the address of each video; None where there is none that the caller may see."""
    return [None if row is None else row.media_url for row in await _contents(context, lessons)]


async def body(context: Context, lessons: Sequence[LessonRow]) -> list[str | None]:
    """Return the text of each lesson; None where there is none that the caller may see."""
    return [None if row is None else row.body for row in await _contents(context, lessons)]


async def by_ids(context: Context, keys: Sequence[int]) -> list[LessonRow | None]:
    """Return the lesson of each key if the caller may see it, or None."""
    return aligned(await context.reader.fetch(queries.VISIBLE_BY_IDS, ids=list(keys), **viewpoint(context)), keys)


async def _contents(context: Context, lessons: Sequence[LessonRow]) -> list[LessonContentRow | None]:
    if context.identity is None:
        return [None] * len(lessons)
    keys = list({row.id for row in lessons})
    rows = {row.id: row for row in await context.reader.fetch(queries.CONTENTS, ids=keys, **viewpoint(context))}
    return [rows.get(row.id) for row in lessons]
