"""Bringing a database to the tables that this code expects."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from core.errors import InputError
from database.session import Database
from database.tables import metadata
from database.tables.events import TransactionId

_SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
# A migration waits this long for a lock before it gives way to traffic, and no statement runs forever.
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "10min"
# Any two processes that migrate at once take turns on this advisory lock.
_ADVISORY_LOCK = 7_236_912


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


async def migrate(database: Database) -> tuple[str | None, str]:
    """Apply every migration that is missing, in one transaction.

    Returns:
        The revision before and the revision after; equal when there was nothing to do.

    Raises:
        InputError: the database was written by a newer version of Waymark.
        UnavailableError: PostgreSQL cannot be reached.
    """
    async with database.transaction() as connection:
        return await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    connection.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"))
    # Another migration is waited for; the lock timeout is for tables that traffic holds.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    before = MigrationContext.configure(connection).get_current_revision()
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    if before is not None and before not in known:
        raise InputError(
            f"The database is at revision {before}, which this version of Waymark does not know: "
            "it was written by a newer one. Upgrade Waymark, or use another data folder."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, str(scripts.get_current_head())


async def pending(database: Database) -> bool:
    """Say whether the database is at another revision than this code.

    Raises:
        UnavailableError: PostgreSQL cannot be reached.
    """
    head = ScriptDirectory.from_config(_config()).get_current_head()
    async with database.transaction() as connection:
        found = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    return found != head


def differences(connection: Connection) -> list[str]:
    """Return what separates a migrated database from `database.tables`, one line a difference."""
    # So that reflection knows the one type that SQLAlchemy does not bring.
    connection.dialect.ischema_names["xid8"] = TransactionId  # type: ignore[attr-defined]
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [str(difference) for difference in compare_metadata(context, metadata)]


async def refuse_pending(database: Database) -> None:
    """Refuse to work on a database that is not at this version's revision.

    Raises:
        InputError: it is not.
    """
    if await pending(database):
        raise InputError("The database is not at this version's revision; run `waymark database migrate`.")
