"""What the data-science side tells the serving side: materializations and model releases."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Float, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata, moment, one_of


class ReleaseStatus(StrEnum):
    """Where a model release stands; at most one is `live`."""

    CANDIDATE = "candidate"
    LIVE = "live"
    RETIRED = "retired"


class TrialKind(StrEnum):
    """How a release is tried beside the live one."""

    SHADOW = "shadow"
    CANARY = "canary"


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
    # A release beside the live one; promotion, of whichever release, ends it.
    Column("trial", Text, comment="how it is tried beside the live release; null when it is not"),
    Column("trial_percent", Float, comment="of the learners, in a canary"),
    moment("trial_since", nullable=True),
    one_of("status", ReleaseStatus),
    one_of("trial", TrialKind),
    CheckConstraint("trial IS NULL OR status <> 'live'", name="trial_status"),
    CheckConstraint("(trial IS NOT DISTINCT FROM 'canary') = (trial_percent IS NOT NULL)", name="trial_canary"),
    CheckConstraint("(trial IS NULL) = (trial_since IS NULL)", name="trial_dates"),
    CheckConstraint("trial_percent > 0 AND trial_percent <= 100", name="trial_percent"),
    Index("model_releases_live_idx", "status", unique=True, postgresql_where=text("status = 'live'")),
    # One at a time, of whichever kind.
    Index(
        "model_releases_trial_idx",
        text("(trial IS NOT NULL)"),
        unique=True,
        postgresql_where=text("trial IS NOT NULL"),
    ),
)
