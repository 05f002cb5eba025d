"""Materializations of features: announced by whoever writes the online store, followed by whoever serves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.models import feature_materializations


class MaterializationRow(Row):
    """A materialization that ended well."""

    id: int
    features_as_of: datetime
    finished_at: datetime
    row_counts: dict[str, int]


LATEST_MATERIALIZATION: Statement[MaterializationRow] = Statement(
    select(feature_materializations).order_by(feature_materializations.c.id.desc()).limit(literal_column("1")),
    MaterializationRow,
)


async def announce(
    connection: AsyncConnection, *, features_as_of: datetime, finished_at: datetime, row_counts: Mapping[str, int]
) -> None:
    """Tell serving processes that the online store holds features of another moment.

    Args:
        connection: of an open transaction.
        features_as_of: moment that the features are of.
        finished_at: moment that the last of them was written.
        row_counts: rows written, by feature view.
    """
    await connection.execute(
        insert(feature_materializations).values(
            features_as_of=features_as_of, finished_at=finished_at, row_counts=dict(row_counts)
        )
    )
