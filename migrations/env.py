"""Alembic's entry: runs migrations on the connection that `database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from database.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    message = "Run migrations with `waymark database migrate`, which knows the database and sets timeouts."
    raise SystemExit(message)

context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=False)
with context.begin_transaction():
    context.run_migrations()
