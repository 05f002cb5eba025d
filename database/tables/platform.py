"""The identity of one installation."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Table, Text, Uuid

from database.tables.base import metadata, moment

# One row. The lake and the models carry the id, so that a folder is never mixed with another database.
platform = Table(
    "platform",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default="true"),
    Column("id", Uuid, nullable=False),
    Column("simulated", Boolean, nullable=False, server_default="false"),
    Column("name", Text, nullable=False, server_default=""),
    moment("created_at"),
    CheckConstraint("singleton", name="one_row"),
)
