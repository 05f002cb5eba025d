"""Statements about the installation as a whole."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, literal_column, select

from database.rows import Row
from database.statements import Statement
from database.tables.courses import courses
from database.tables.models import ReleaseStatus, model_releases
from database.tables.platform import platform


class PlatformRow(Row):
    """How far an installation is set up."""

    courses: int
    simulated: bool
    live_releases: int


class PlatformIdRow(Row):
    """The id of an installation."""

    id: UUID


ALIVE = Statement(select(platform.c.id), PlatformIdRow)

STATE = Statement(
    select(
        select(func.count()).select_from(courses).scalar_subquery().label("courses"),
        select(platform.c.simulated).scalar_subquery().label("simulated"),
        select(func.count())
        .select_from(model_releases)
        .where(model_releases.c.status == literal_column(f"'{ReleaseStatus.LIVE}'"))
        .scalar_subquery()
        .label("live_releases"),
    ),
    PlatformRow,
)
