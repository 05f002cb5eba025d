"""Releases compared: on what both were judged on or, trained on different logs, the older one judged again.

Judging again takes a look at the log and at the features of then, so it is done before a promotion and not in its
transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from app.interruptible import in_thread
from app.model_training import feature_places, learning_history
from app.progress import Report
from app.releases import Weighed, incomparable, judged, list_releases, live_of, loaded, named, recorded, refused
from app.wiring import Platform
from core.errors import InputError
from database.queries.releases import ReleaseRow
from database.session import Database
from serving.artifact import Release, ReleaseManifest
from training.history import EPOCH
from training.judgment import Comparison, Judgment, compare, judged_alike
from training.rejudgment import rejudged
from training.release import counted

JudgesAgain: TypeAlias = Callable[[Release, Judgment], Awaitable[Judgment]]
"""Asks a release the decisions that another one was judged on, and returns its ranks of those that it cannot have
learned from; raises InputError."""


@dataclass(frozen=True)
class Compared:
    """Two releases.

    Attributes:
        ours: what the first is.
        theirs: what the second is.
        comparison: of the first with the second.
        again: which of them was judged again; None when both were judged alike.
        as_of: the moment that both were asked as of; None where each decision had its own.
    """

    ours: ReleaseManifest
    theirs: ReleaseManifest
    comparison: Comparison
    again: ReleaseManifest | None
    as_of: datetime | None

    @property
    def other(self) -> ReleaseManifest:
        """The release whose decisions `again` was asked."""
        return self.theirs if self.again is self.ours else self.ours

    @property
    def knew_more(self) -> bool:
        """Whether the one that was judged again had learned from what lay after the moment, as the other had not."""
        return self.again is not None and self.as_of is not None and self.again.trained_until >= self.as_of


async def compare_releases(
    database: Database, models_dir: Path, ours: str, theirs: str, again: JudgesAgain
) -> Compared:
    """Compare two releases on decisions that both were judged on.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        ours: version of the first.
        theirs: version of the second.
        again: judges the older one again where they were judged as of different moments.

    Raises:
        InputError: there is no such release, its files cannot be read, or the two cannot be compared.
    """
    rows = await list_releases(database)
    return await _compared(models_dir, named(rows, ours), named(rows, theirs), again)


async def weigh(
    database: Database, models_dir: Path, version: str, again: JudgesAgain
) -> tuple[Weighed, Compared | None] | None:
    """Compare a release with the live one, where that takes more than what both recorded.

    Returns:
        What a promotion has to know, and the comparison if there could be one; None where the promotion compares by
        itself.

    Raises:
        InputError: there is no such release, or it cannot be loaded.
    """
    rows = await list_releases(database)
    row, live = named(rows, version), live_of(rows)
    if live is None or live.version == version:
        return None
    await asyncio.to_thread(loaded, models_dir, row)
    try:
        if await asyncio.to_thread(_are_alike, models_dir, row, live):
            return None
        found = await _compared(models_dir, row, live, again)
    except InputError as error:
        return Weighed(live.version, incomparable(error)), None
    return Weighed(live.version, _refused(found)), found


def judging_again(parts: Platform, report: Report) -> JudgesAgain:
    """Return what judges releases by the log and the feature tables of a platform.

    Args:
        parts: the opened platform.
        report: draws progress.
    """

    async def again(release: Release, asked: Judgment) -> Judgment:
        places = feature_places(parts)
        from training.pointintime import FeastFeatures  # noqa: PLC0415 - it imports Feast, which takes seconds.

        places.lake.contents()
        history = await learning_history(parts, places)
        manifest = release.manifest
        store = await asyncio.to_thread(places.store)
        # Releases of before features were recorded read what their service declares.
        read = manifest.stored_features or manifest.feature_service
        features = await asyncio.to_thread(FeastFeatures, store, read)
        return await in_thread(
            lambda told: rejudged(history, features, release, asked, lambda name, total: counted(name, total, told)),
            report,
        )

    return again


async def _compared(models_dir: Path, row: ReleaseRow, other: ReleaseRow, again: JudgesAgain) -> Compared:
    (ours, mine), (theirs, its) = [
        await asyncio.to_thread(judged, models_dir / each.location, each.digest) for each in (row, other)
    ]
    judged_again = None
    if mine is None or its is None or not judged_alike(mine, its):
        if ours.trained_until == theirs.trained_until:
            raise InputError(
                f"Both have learned from a log that ends {ours.trained_until:%Y-%m-%d %H:%M:%S} UTC, and were judged "
                "as of different moments, as the log has changed since: train both on the same lake."
            )
        if ours.trained_until < theirs.trained_until:
            its, judged_again = recorded(theirs, its), ours
            mine = await _again(models_dir, row, its, again)
        else:
            mine, judged_again = recorded(ours, mine), theirs
            its = await _again(models_dir, other, mine, again)
    comparison = await asyncio.to_thread(compare, mine, its)
    as_of = None if mine.as_of < 0 else EPOCH + timedelta(microseconds=mine.as_of)
    return Compared(ours, theirs, comparison, judged_again, as_of)


async def _again(models_dir: Path, row: ReleaseRow, asked: Judgment, again: JudgesAgain) -> Judgment:
    try:
        release = await asyncio.to_thread(loaded, models_dir, row)
        return await again(release, asked)
    except InputError as error:
        raise InputError(f"Release {row.version} is to be judged again on newer decisions. {error}") from error


def _are_alike(models_dir: Path, row: ReleaseRow, live: ReleaseRow) -> bool:
    (_, mine), (_, its) = (judged(models_dir / each.location, each.digest) for each in (row, live))
    return mine is not None and its is not None and judged_alike(mine, its)


def _refused(found: Compared) -> str | None:
    refusal = refused(found.comparison, f"the live release {found.theirs.version}")
    if refusal is None or found.again is not found.theirs or not found.knew_more:
        return refusal
    return f"{refusal} {remedy(found.theirs)}"


def remedy(older: ReleaseManifest) -> str:
    """Return what to do where the release that was judged again knew more than the other at the moment of both."""
    begins = older.trained_until + timedelta(seconds=1)
    return (
        f"Release {older.version} had learned from the log until {older.trained_until:%Y-%m-%d %H:%M:%S} UTC, and "
        "the other was judged by what was known earlier: "
        f"`waymark model train --held-out-since {begins:%Y-%m-%dT%H:%M:%S}` judges a release by what was known then."
    )
