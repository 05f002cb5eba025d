"""Trials of a release beside the live one, composed: begun, changed, ended, in turn with promotions and on record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from app.releases import Tried, audit, check_text, live_of, loaded, named, tried_of
from core.errors import InputError, ReleaseError
from database.queries import releases as queries
from database.session import Database
from database.tables.models import TrialKind
from serving.artifact import read_manifest, refuse_other_encodings

LEAST_PERCENT, MOST_PERCENT = 0.01, 100.0
"""Shares are told apart to the hundredth of a percent."""


async def try_release(
    database: Database,
    models_dir: Path,
    version: str,
    *,
    kind: TrialKind,
    percent: float | None = None,
    reason: str | None = None,
    now: datetime,
) -> Tried | None:
    """Try a release beside the live one, or go on trying it in another way; serving follows at its next look.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        version: of the release.
        kind: how.
        percent: of the learners, in a canary; else None.
        reason: why, for the record.
        now: the moment.

    Returns:
        How it was tried until now; None when it was not.

    Raises:
        InputError: there is no such release, it is live, none is live, another one is tried, serving could not load
            it or serve it beside the live one, the percentage is none, or the reason is no text.
    """
    check_text(reason)
    if percent is not None and not LEAST_PERCENT <= percent <= MOST_PERCENT:
        raise InputError(f"A canary is for {LEAST_PERCENT:g} to {MOST_PERCENT:g} percent of the learners.")
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        rows = await queries.all_releases(connection)
        row = named(rows, version)
        before = _refuse(rows, row)
        await asyncio.to_thread(_fits, models_dir, row, live_of(rows))
        if before is None or (before.kind, before.percent) != (kind, percent):
            await queries.try_release(connection, version, kind, percent, now)
            told = {"trial": kind.value, "percent": None if percent is None else f"{percent:g}", "reason": reason}
            metrics = {**row.metrics, "trial": {**told, "at": now.isoformat()}}
            await queries.describe(connection, version, metrics)
            details = {"trial": told["trial"], "percent": told["percent"]}
            await audit(connection, "tryRelease", version, now, details)
        return before


async def end_trial(database: Database, *, reason: str | None, now: datetime) -> Tried:
    """End the trial and nothing else: the live release ranks for everybody from serving's next look.

    Returns:
        What is over.

    Raises:
        InputError: nothing is tried, or the reason is no text.
    """
    check_text(reason)
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        row = tried_of(await queries.all_releases(connection))
        ended = Tried.of(row)
        if row is None or ended is None:
            raise InputError(
                "No release is tried, so there is nothing to end; `waymark model rollback` takes one back."
            )
        await queries.end_trial(connection)
        told = {"ended": str(ended), "reason": reason, "at": now.isoformat()}
        await queries.describe(connection, ended.version, {**row.metrics, "trial": told})
        await audit(connection, "endTrial", ended.version, now, {"trial": ended.kind.value})
        return ended


def _refuse(rows: Sequence[Any], row: Any) -> Tried | None:
    """Return how a release is tried by now; refuse one that cannot be."""
    live, tried = live_of(rows), Tried.of(tried_of(rows))
    if live is None:
        raise InputError("No release is live, so there is none to try another one beside: promote one first.")
    if row.version == live.version:
        raise InputError(f"Release {row.version} is live already.")
    if tried is not None and tried.version != row.version:
        raise InputError(
            f"Release {tried.version} is tried already ({tried}), and one is at a time: "
            "end it with `waymark model end-trial`, or promote it."
        )
    return tried


def _fits(models_dir: Path, row: Any, live: Any) -> None:
    """Refuse what serving could not load, or not beside the live release."""
    candidate = loaded(models_dir, row)
    try:
        refuse_other_encodings(read_manifest(models_dir / live.location, live.digest), candidate.manifest)
    except ReleaseError as error:
        raise InputError(f"Release {row.version} cannot be tried: {error}") from error
