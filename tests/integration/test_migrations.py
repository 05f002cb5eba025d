"""Migrations and tables say the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.errors import InputError
from database.extensions import require_extension
from database.migrate import differences, migrate
from database.session import Database


async def test_migrated_database_matches_the_tables(database: Database) -> None:
    """What the migrations build is what `database.tables` describes."""
    async with database.transaction() as connection:
        assert [] == await connection.run_sync(differences)


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    """A second run finds nothing to do."""
    before, after = await migrate(database)
    assert before == after


async def test_database_of_a_newer_version_is_refused(database: Database) -> None:
    """A revision that this code does not know gets one clear sentence."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer"):
        await migrate(database)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
async def test_audit_log_is_append_only(database: Database, statement: str) -> None:
    """PostgreSQL itself refuses to change the trail."""
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(text(statement))


async def test_courses_of_an_older_database_are_searchable_and_counted(database: Database) -> None:
    """The migration gives courses that were there their document, their words and their counters, and can go back."""
    async with database.transaction() as connection:
        await connection.run_sync(to_revision, "0002")
        await connection.execute(text(_COURSE))
        assert 0 == (await connection.execute(text("SELECT count(*) FROM course_statistics"))).scalar_one()
    await migrate(database)
    async with database.transaction() as connection:
        assert [] == await connection.run_sync(differences)
        found = await connection.execute(text("SELECT search @@ 'program'::tsquery FROM courses"))
        assert [True] == list(found.scalars())
        words = await connection.execute(text("SELECT word FROM search_words ORDER BY word"))
        assert ["con", "programacion", "python"] == list(words.scalars())
        counted = await connection.execute(text("SELECT enrollment_count, rating_rank FROM course_statistics"))
        assert [(0, 3.5)] == [tuple(row) for row in counted]


_COURSE = """
INSERT INTO courses (slug, title, level, language, status, published_at, created_at, updated_at)
VALUES ('a', 'Programación con Python', 'BEGINNER', 'es-mx', 'PUBLISHED', now(), now(), now())
"""


def to_revision(connection: Connection, revision: str) -> None:
    """Take back every migration after a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[2] / "migrations"))
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_every_course_is_counted_from_the_transaction_that_makes_it(database: Database) -> None:
    """Whoever makes it need not think of it, and may write the counters too."""
    async with database.transaction() as connection:
        await connection.execute(text(_COURSE))
    async with database.transaction() as connection:
        await connection.execute(text(_COURSE.replace("'a'", "'b'")))
        await connection.execute(
            text("INSERT INTO course_statistics (course_id, enrollment_count) SELECT max(id), 5 FROM courses")
        )
    async with database.transaction() as connection:
        counted = await connection.execute(text("SELECT enrollment_count FROM course_statistics ORDER BY course_id"))
        assert [0, 5] == list(counted.scalars())


async def test_courses_published_at_once_teach_their_words(database: Database) -> None:
    """Transactions that bring the same new words in another order wait for one another and never die of it."""

    async def publish(number: int) -> None:
        words = ["alpha", "beta", "gamma", "delta"]
        async with database.transaction() as connection:
            for word in words if number % 2 else reversed(words):
                sql = _COURSE.replace("'a'", f"'{word}-{number}'").replace("Programación con Python", word)
                await connection.execute(text(sql))

    await asyncio.gather(*(publish(number) for number in range(8)))
    async with database.transaction() as connection:
        words = await connection.execute(text("SELECT word FROM search_words ORDER BY word"))
        assert ["alpha", "beta", "delta", "gamma"] == list(words.scalars())


async def test_missing_extension_is_told_in_a_sentence(database: Database) -> None:
    """What the server lacks, and what the role may not do, each with what to do about it."""
    async with database.transaction() as connection:
        assert "public" == await connection.run_sync(require_extension, "pg_trgm")
        with pytest.raises(InputError, match="does not have the extension no_such_thing"):
            await connection.run_sync(require_extension, "no_such_thing")
        role = f"nobody_{uuid4().hex}"
        await connection.execute(text(f"CREATE ROLE {role}"))
        await connection.execute(text(f"SET LOCAL ROLE {role}"))
        with pytest.raises(InputError, match="this role may not create it"):
            await connection.run_sync(require_extension, "cube")
        await connection.execute(text("RESET ROLE"))
        await connection.execute(text(f"DROP ROLE {role}"))
