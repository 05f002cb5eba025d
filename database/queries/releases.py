"""Model releases: what was trained, what is live."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row as Found, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.models import ReleaseStatus, TrialKind, model_releases

# Training and promoting take turns on this advisory lock, so that two releases cannot become live at once.
_ADVISORY_LOCK = 7_236_914


class ReleaseRow(Row):
    """A release as it was registered."""

    id: int
    version: str
    status: str
    location: str
    digest: str
    feature_service: str
    metrics: dict[str, Any]
    training_rows: int
    created_at: datetime
    promoted_at: datetime | None
    trial: str | None
    trial_percent: float | None
    trial_since: datetime | None


_IS_LIVE = model_releases.c.status == ReleaseStatus.LIVE.value
_IS_TRIED = model_releases.c.trial.is_not(None)

RELEASES_IN_USE: Statement[ReleaseRow] = Statement(select(model_releases).where(_IS_LIVE | _IS_TRIED), ReleaseRow)
"""The live release, and the one that is tried beside it."""

RELEASES: Statement[ReleaseRow] = Statement(
    select(model_releases).order_by(model_releases.c.created_at.desc(), model_releases.c.id.desc()), ReleaseRow
)


async def take_turn(connection: AsyncConnection) -> None:
    """Wait until no other transaction registers or promotes a release."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


async def has_live(connection: AsyncConnection) -> bool:
    """Return whether some release is live."""
    query = select(model_releases.c.id).where(_IS_LIVE)
    return (await connection.execute(query)).first() is not None


async def register(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Write a new release as a candidate.

    Args:
        connection: of an open transaction.
        values: the columns of `model_releases` that have no default, but for the status.
    """
    await connection.execute(insert(model_releases).values(**values, status=ReleaseStatus.CANDIDATE.value))


async def all_releases(connection: AsyncConnection) -> list[Found[Any]]:
    """Return all releases, as the transaction sees them."""
    return list(await connection.execute(select(model_releases)))


async def make_live(connection: AsyncConnection, version: str, now: datetime, metrics: dict[str, Any]) -> None:
    """Make a release the live one, with how it came to be so in its metrics; retire the one before, end a trial."""
    await end_trial(connection)
    await connection.execute(update(model_releases).where(_IS_LIVE).values(status=ReleaseStatus.RETIRED.value))
    await connection.execute(
        update(model_releases)
        .where(model_releases.c.version == version)
        .values(status=ReleaseStatus.LIVE.value, promoted_at=now, metrics=metrics)
    )


async def try_release(
    connection: AsyncConnection, version: str, kind: TrialKind, percent: float | None, now: datetime
) -> None:
    """Try a release beside the live one, or go on trying it in another way, from now on.

    Args:
        connection: of an open transaction.
        version: of a release that is not live, while no other one is tried.
        kind: how.
        percent: of the learners, in a canary; else None.
        now: the moment.
    """
    await connection.execute(
        update(model_releases)
        .where(model_releases.c.version == version)
        .values(trial=kind.value, trial_percent=percent, trial_since=now)
    )


async def end_trial(connection: AsyncConnection) -> None:
    """Try no release any more."""
    await connection.execute(
        update(model_releases).where(_IS_TRIED).values(trial=None, trial_percent=None, trial_since=None)
    )


async def describe(connection: AsyncConnection, version: str, metrics: dict[str, Any]) -> None:
    """Replace what is recorded about a release."""
    await connection.execute(update(model_releases).where(model_releases.c.version == version).values(metrics=metrics))


async def relocate(connection: AsyncConnection, version: str, location: str, digest: str) -> None:
    """Register that a release was written anew, in another folder."""
    await connection.execute(
        update(model_releases).where(model_releases.c.version == version).values(location=location, digest=digest)
    )
