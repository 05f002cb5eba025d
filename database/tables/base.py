"""What all tables share: one metadata, named constraints, and a few column shapes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Identity, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def identity() -> Column[int]:
    """Return the surrogate primary key `id`, numbered by PostgreSQL."""
    return Column("id", BigInteger, Identity(), primary_key=True)


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column of moments in UTC. Its value is always passed in, never PostgreSQL's own clock."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def reference(name: str, target: str, *, ondelete: str = "CASCADE", **options: Any) -> Column[int]:
    """Return a column that refers to `target` (`table.column`); not null unless told otherwise."""
    options.setdefault("nullable", False)
    return Column(name, BigInteger, ForeignKey(target, ondelete=ondelete), **options)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that `column` holds one of the values of an enum.

    Text and a check, and not a PostgreSQL enum type: a value can be added or retired in one transaction.
    """
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
