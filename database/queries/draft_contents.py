"""Statements that change the modules, lessons and assessments of a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Integer, Table, bindparam, cast, column, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.assessments import assessments, questions
from database.tables.revisions import course_revisions, lessons, modules


async def copy_in_draft(
    connection: AsyncConnection, table: Table, key: int, *, course_id: int, revision_id: int
) -> int | None:
    """Return the draft's copy of a module or lesson of whatever revision of a course, or None."""
    given, copy = table.alias("given"), table.alias("copy")
    statement = (
        select(copy.c.id)
        .join_from(given, course_revisions, course_revisions.c.id == given.c.revision_id)
        .join(copy, copy.c.lineage == given.c.lineage)
        .where(given.c.id == key, course_revisions.c.course_id == course_id, copy.c.revision_id == revision_id)
    )
    found: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return found


async def module_ids(connection: AsyncConnection, revision_id: int) -> list[int]:
    """Return the modules of a revision, in order."""
    statement = select(modules.c.id).where(modules.c.revision_id == revision_id).order_by(modules.c.position)
    return list((await connection.execute(statement)).scalars())


async def lesson_ids(connection: AsyncConnection, module_id: int) -> list[int]:
    """Return the lessons of a module, in order."""
    statement = select(lessons.c.id).where(lessons.c.module_id == module_id).order_by(lessons.c.position)
    return list((await connection.execute(statement)).scalars())


async def module_of(connection: AsyncConnection, lesson_id: int) -> int:
    """Return the module of a lesson."""
    key: int = (await connection.execute(select(lessons.c.module_id).where(lessons.c.id == lesson_id))).scalar_one()
    return key


async def insert_row(connection: AsyncConnection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a module or lesson and return its key."""
    key: int = (await connection.execute(insert(table).values(dict(values)).returning(table.c.id))).scalar_one()
    return key


async def update_row(connection: AsyncConnection, table: Table, key: int, values: Mapping[str, Any]) -> None:
    """Change columns of a module or lesson."""
    await connection.execute(update(table).where(table.c.id == key).values(dict(values)))


async def delete_row(connection: AsyncConnection, table: Table, key: int) -> None:
    """Delete a module or lesson, with all that is in it."""
    await connection.execute(delete(table).where(table.c.id == key))


async def reorder(connection: AsyncConnection, table: Table, ids: Sequence[int]) -> None:
    """Number modules or lessons from 0, in the order given."""
    listed = (
        func.unnest(bindparam("ids", list(ids), ARRAY(BigInteger)))
        .table_valued(column("key", BigInteger), with_ordinality="place", name="listed")
        .render_derived()
    )
    await connection.execute(
        update(table).where(table.c.id == listed.c.key).values(position=cast(listed.c.place, Integer) - 1)
    )


async def assessment_of(connection: AsyncConnection, module_id: int) -> int | None:
    """Return the assessment of a module, or None."""
    statement = select(assessments.c.id).where(assessments.c.module_id == module_id)
    key: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return key


async def put_assessment(
    connection: AsyncConnection, module_id: int, revision_id: int, values: Mapping[str, Any]
) -> int:
    """Write the assessment of a module over the one that it has, and return its key."""
    key = await assessment_of(connection, module_id)
    if key is None:
        return await insert_row(connection, assessments, {"module_id": module_id, "revision_id": revision_id, **values})
    await update_row(connection, assessments, key, values)
    return key


async def question_lineages(connection: AsyncConnection, keys: Sequence[int], course_id: int) -> dict[int, Any]:
    """Return the lineage of each question that belongs to a course, of whatever revision."""
    statement = (
        select(questions.c.id, questions.c.lineage)
        .join_from(questions, assessments, assessments.c.id == questions.c.assessment_id)
        .join(course_revisions, course_revisions.c.id == assessments.c.revision_id)
        .where(questions.c.id.in_(list(keys)), course_revisions.c.course_id == course_id)
    )
    return {row.id: row.lineage for row in await connection.execute(statement)}


async def replace_questions(connection: AsyncConnection, assessment_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put questions in the place of those that a draft's assessment has."""
    await connection.execute(delete(questions).where(questions.c.assessment_id == assessment_id))
    if rows:
        await connection.execute(insert(questions), [{**row, "assessment_id": assessment_id} for row in rows])
