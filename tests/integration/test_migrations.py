"""Migrations and tables say the same."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.errors import InputError
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
