"""Trials of a release beside the live one, composed: begun, changed, ended, in turn with promotions and on record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from app.releases import Tried, audit, check_text, live_of, loaded, named, tried_of
from core.errors import InputError, ReleaseError
from database.queries import releases as queries
from database.session import Database
from database.tables.models import TrialKind
from serving.artifact import read_manifest, refuse_other_encodings

if TYPE_CHECKING:
    from app.feature_pipeline import FeaturePlaces

Declares: TypeAlias = Callable[[str], bool]
"""Tells whether a feature service is declared."""
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
    declares: Declares | None = None,
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
        declares: tells whether a feature service is declared; None where there is no registry to look at.

    Returns:
        How it was tried until now; None when it was not.

    Raises:
        InputError: there is no such release, it is live, none is live, another one is tried, serving could not load
            it or serve it beside the live one, nobody declares what it reads, the percentage is none, or the reason is
            no text.
    """
    check_text(reason)
    if percent is not None and not LEAST_PERCENT <= percent <= MOST_PERCENT:
        raise InputError(f"A canary is for {LEAST_PERCENT:g} to {MOST_PERCENT:g} percent of the learners.")
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        rows = await queries.all_releases(connection)
        row = named(rows, version)
        before = _refuse(rows, row)
        await asyncio.to_thread(_fits, models_dir, row, live_of(rows), declares)
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


def declared_services(places: FeaturePlaces) -> Declares:
    """Return what looks whether Feast's registry declares a feature service; blocks, so call it in a thread."""

    def declares(service: str) -> bool:
        from feast.errors import FeastObjectNotFoundException  # noqa: PLC0415 - importing Feast takes seconds.

        from feature_repo.store import registry_path  # noqa: PLC0415 - as above.

        # Opening a registry that is not there would make it.
        if not registry_path(places.data_dir).exists():
            return False
        try:
            places.store().get_feature_service(service)
        except FeastObjectNotFoundException:
            return False
        return True

    return declares


def _fits(models_dir: Path, row: Any, live: Any, declares: Declares | None) -> None:
    """Refuse what serving could not load, or not beside the live release."""
    candidate = loaded(models_dir, row)
    service = candidate.manifest.feature_service
    # Releases of before features were recorded read what their service declares, and others what they recorded.
    if not candidate.manifest.stored_features and declares is not None and not declares(service):
        raise InputError(
            f"Release {row.version} cannot be tried: it reads the feature service {service}, which is not declared. "
            "Declare it again in feature_repo/ and run `waymark features apply`."
        )
    try:
        refuse_other_encodings(read_manifest(models_dir / live.location, live.digest), candidate.manifest)
    except ReleaseError as error:
        raise InputError(f"Release {row.version} cannot be tried: {error}") from error
