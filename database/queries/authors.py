"""Statements about who writes which course."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, select

from database.queries.courses import IdRow
from database.statements import Statement
from database.tables.courses import course_instructors, instructors

AUTHORED = Statement(
    select(course_instructors.c.course_id.label("id"))
    .join_from(course_instructors, instructors)
    .where(
        course_instructors.c.course_id == any_(bindparam("course_ids", type_=ARRAY(BigInteger))),
        instructors.c.account_id == bindparam("account_id", type_=BigInteger),
    ),
    IdRow,
)
