"""Similar courses on a real database: what the batch job found, and content where it found too little."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from core.errors import InvalidArgumentError
from database.queries.similar_courses import replace_neighbors
from database.session import Database
from database.tables.courses import courses as course_table
from resolvers import courses
from resolvers.context import Context
from resolvers.similar_courses import similar_courses


async def similar(context: Context, *keys: int, first: int | None = None) -> list[list[int]]:
    """Return the keys of what is similar to each course."""
    parents = [row for row in await courses.by_ids(context, keys) if row is not None]
    return [[row.id for row in found] for found in await similar_courses(context, parents, first=first)]


async def test_without_the_batch_job_content_decides(context: Context) -> None:
    """Same topic, then language, level and learners; never itself, never what is not published; always the same."""
    (found,) = await similar(context, 5, first=20)
    assert 12 == len(found)
    assert [25, 15] == found[:2]
    assert all(key % 2 == 1 and key != 5 for key in found)
    assert [found] == await similar(context, 5, first=20)
    assert 26 not in (await similar(context, 24, first=20))[0]


async def test_one_statement_for_a_level_of_parents(context: Context) -> None:
    """However many parents, and each gets its own."""
    for keys in ((1,), tuple(range(1, 26))):
        parents = [row for row in await courses.by_ids(context, keys) if row is not None]
        before = context.reader.statements
        answers = await similar_courses(context, parents)
        assert 1 == context.reader.statements - before
        assert [10] * len(keys) == [len(answer) for answer in answers]


async def test_neighbors_come_first_and_content_fills_up(context: Context, catalog: Database) -> None:
    """In the order found; one that was archived since is left out, and none is listed twice."""
    async with catalog.transaction() as connection:
        await replace_neighbors(connection, {5: [8, 9, 404, 7], 404: [5]})
        await connection.execute(update(course_table).where(course_table.c.id == 9).values(status="ARCHIVED"))
    (found,) = await similar(context, 5, first=6)
    assert [8, 7, 25, 15] == found[:4]
    assert 6 == len(set(found))
    assert [[8, 7]] == await similar(context, 5, first=2)
    assert [[8]] == await similar(context, 5, first=1)
    async with catalog.transaction() as connection:
        await replace_neighbors(connection, {})
    assert [[25]] == await similar(context, 5, first=1)


async def test_course_about_nothing_has_none(context: Context, catalog: Database) -> None:
    """No topic, no skill, no history: an empty list and not a guess."""
    async with catalog.transaction() as connection:
        row = {"id": 90, "slug": "x", "title": "X", "level": "BEGINNER", "language": "en", "status": "PUBLISHED"}
        now = context.clock()
        await connection.execute(insert(course_table).values(**row, published_at=now, created_at=now, updated_at=now))
    assert [[]] == await similar(context, 90)


async def test_more_than_twenty_are_refused(context: Context) -> None:
    """And none is fine."""
    assert [[]] == await similar(context, 5, first=0)
    for first in (21, -1):
        with pytest.raises(InvalidArgumentError, match="20"):
            await similar(context, 5, first=first)
