"""Who has written which course."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from core.errors import ForbiddenError
from database.queries import courses as queries
from database.session import Database
from database.tables.accounts import Role
from database.tables.courses import instructors
from resolvers import authors
from resolvers.commands import caller
from resolvers.context import Context
from tests.small_accounts import Contexts


async def test_author_sees_their_own_courses_and_moderators_all(catalog: Database, learner: Context) -> None:
    """Teacher 1 has written courses 1 and 2; one statement answers for all courses of a level."""
    async with catalog.transaction() as connection:
        await connection.execute(
            update(instructors).where(instructors.c.id == 1).values(account_id=caller(learner).account_id)
        )
    rows = await learner.reader.fetch(queries.BY_IDS, ids=[1, 2, 3])
    before = learner.reader.statements
    refusals = await authors.refusals(learner, sorted(rows, key=lambda row: row.id))
    assert [None, None] == refusals[:2]
    assert isinstance(refusals[2], ForbiddenError)
    assert [refusal is None for refusal in await authors.refusals(learner, rows)].count(True) == 2
    assert before + 1 == learner.reader.statements
    learner.identity = replace(caller(learner), roles=frozenset({Role.MODERATOR.value}))
    assert [None] * 3 == await authors.refusals(learner, rows)


async def test_stranger_has_written_nothing(strangers: Contexts) -> None:
    """Whoever is signed out has written no course."""
    assert frozenset() == await authors.authored(strangers(), [1, 2])
