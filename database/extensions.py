"""Extensions of PostgreSQL that the tables need, and a clear line when one cannot be had."""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from core.errors import InputError

_AVAILABLE = text("SELECT count(*) FROM pg_available_extensions WHERE name = :name")
_INSTALLED = text(
    "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    "WHERE e.extname = :name"
)


def require_extension(connection: Connection, name: str) -> str:
    """Create an extension unless it is there, and return the quoted schema that it lives in.

    Args:
        connection: of the migration's transaction.
        name: a name of ours, never of a stranger: it becomes part of a statement.

    Raises:
        InputError: the server does not have it, or the role may not create it; the message says what to do.
    """
    found = connection.execute(_INSTALLED, {"name": name}).scalar_one_or_none()
    if found is not None:
        return str(found)
    if not connection.execute(_AVAILABLE, {"name": name}).scalar_one():
        raise InputError(
            f"This PostgreSQL server does not have the extension {name}. It is one of PostgreSQL's own: install the "
            "package of additional modules (often postgresql-contrib), then migrate again."
        )
    try:
        with connection.begin_nested():
            connection.execute(text(f"CREATE EXTENSION {name}"))
    except ProgrammingError as error:
        raise InputError(
            f"The extension {name} is missing and this role may not create it. Let an administrator of the database "
            f'run "CREATE EXTENSION {name}", or grant the role CREATE on the database; then migrate again.'
        ) from error
    return str(connection.execute(_INSTALLED, {"name": name}).scalar_one())
