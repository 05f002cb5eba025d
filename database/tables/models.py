"""What the data-science side tells the serving side: materializations and model releases."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata, moment, one_of


class ReleaseStatus(StrEnum):
    """Where a model release stands; at most one is `live`."""

    CANDIDATE = "candidate"
    LIVE = "live"
    RETIRED = "retired"


feature_materializations = Table(
    "feature_materializations",
    metadata,
    identity(),
    moment("features_as_of"),
    moment("finished_at"),
    Column("row_counts", JSONB, nullable=False, comment="rows written, by feature view"),
)

model_releases = Table(
    "model_releases",
    metadata,
    identity(),
    Column("version", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("location", Text, nullable=False, comment="folder below the models folder"),
    Column("digest", Text, nullable=False, comment="sha256 of the release's manifest"),
    Column("feature_service", Text, nullable=False),
    Column("metrics", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("training_rows", Integer, nullable=False),
    moment("created_at"),
    moment("promoted_at", nullable=True),
    one_of("status", ReleaseStatus),
    Index("model_releases_live_idx", "status", unique=True, postgresql_where=text("status = 'live'")),
)
