"""Statements about who writes which course."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.courses import IdRow
from database.statements import Statement
from database.tables.courses import course_instructors, instructors


async def wrote(connection: AsyncConnection, course_id: int, account_id: int) -> bool:
    """Say whether an account is one of the authors of a course."""
    statement = (
        select(course_instructors.c.course_id)
        .join_from(course_instructors, instructors)
        .where(course_instructors.c.course_id == course_id, instructors.c.account_id == account_id)
    )
    return (await connection.execute(statement)).first() is not None


AUTHORED = Statement(
    select(course_instructors.c.course_id.label("id"))
    .join_from(course_instructors, instructors)
    .where(
        course_instructors.c.course_id == any_(bindparam("course_ids", type_=ARRAY(BigInteger))),
        instructors.c.account_id == bindparam("account_id", type_=BigInteger),
    ),
    IdRow,
)
