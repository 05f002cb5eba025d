"""Persisted operations: the documents that clients run by id, which builds have them, and how they are used."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from database.tables.base import metadata, moment, one_of


class OperationKind(StrEnum):
    """What an operation does; the values are GraphQL's own words."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


operations = Table(
    "operations",
    metadata,
    Column("id", Text, primary_key=True, comment="what clients send; a sha256 is bare hexadecimal"),
    Column("text", Text, nullable=False),
    Column("sha256", Text, nullable=False, comment="of the text, whatever the id is"),
    Column("name", Text),
    Column("kind", Text, nullable=False),
    Column("coordinates", ARRAY(Text), nullable=False, comment="what of the schema it needs, such as `Course.title`"),
    moment("registered_at"),
    one_of("kind", OperationKind),
    Index("operations_sha256_idx", "sha256"),
)

# A build of a client lives for years: these rows say which ones have an operation, and are never replaced.
operation_registrations = Table(
    "operation_registrations",
    metadata,
    Column("operation_id", Text, ForeignKey("operations.id"), primary_key=True),
    Column("client", Text, primary_key=True),
    Column("client_version", Text, primary_key=True),
    Column("registered_by", Text, nullable=False),
    moment("registered_at"),
)

operation_usage = Table(
    "operation_usage",
    metadata,
    Column("operation_id", Text, ForeignKey("operations.id"), primary_key=True),
    Column("client", Text, primary_key=True, comment="as the client calls itself"),
    Column("client_version", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    moment("first_used_at"),
    moment("last_used_at"),
)
