"""Releases compared: on what both were judged on or, trained on different logs, one or both of them judged again.

Judging again takes a look at the log and at the features of then, so it is done before a promotion and not in its
transaction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from app.interruptible import in_thread
from app.model_training import feature_places, learning_history
from app.progress import Report
from app.releases import Weighed, incomparable, judged, list_releases, live_of, loaded, named, recorded, refused
from app.wiring import Platform
from core.errors import InputError
from database.queries.releases import ReleaseRow
from database.session import Database
from serving.artifact import Release, ReleaseManifest
from training.history import EPOCH, LearningHistory
from training.judgment import FEWEST_COMMON, Comparison, Judgment, compare, judged_alike
from training.rejudgment import after, asked_from, rejudged
from training.release import counted
from training.split import ENOUGH_HELD_OUT


class Judges(Protocol):
    """Judges releases by a log, again."""

    async def since(self, moment: int) -> Judgment:
        """Return the decisions at or after a moment, microseconds since 1970, as of it; nobody has ranked them."""
        ...

    async def again(self, release: Release, asked: Judgment) -> Judgment:
        """Ask a release decisions, and return its ranks of those that it cannot have learned from.

        Raises:
            InputError: it cannot be asked.
        """
        ...


@dataclass(frozen=True)
class Compared:
    """Two releases.

    Attributes:
        ours: what the first is.
        theirs: what the second is.
        comparison: of the first with the second.
        again: which of them were judged again: none when both were judged alike, the older one, or both on what came
            after the logs of both.
        as_of: the moment that both were asked as of; None where each decision had its own.
    """

    ours: ReleaseManifest
    theirs: ReleaseManifest
    comparison: Comparison
    again: tuple[ReleaseManifest, ...]
    as_of: datetime | None

    @property
    def other(self) -> ReleaseManifest:
        """The release whose decisions the one that was judged again was asked."""
        return self.theirs if self.ours in self.again else self.ours

    @property
    def knew_more(self) -> bool:
        """Whether the one that was judged again had learned from what lay after the moment, as the other had not."""
        return len(self.again) == 1 and self.as_of is not None and self.again[0].trained_until >= self.as_of


async def compare_releases(database: Database, models_dir: Path, ours: str, theirs: str, judges: Judges) -> Compared:
    """Compare two releases on decisions that both were judged on.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        ours: version of the first.
        theirs: version of the second.
        judges: judges again where they were judged as of different moments.

    Raises:
        InputError: there is no such release, its files cannot be read, or the two cannot be compared.
    """
    rows = await list_releases(database)
    return await _compared(models_dir, named(rows, ours), named(rows, theirs), judges)


async def weigh(
    database: Database, models_dir: Path, version: str, judges: Judges
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
        found = await _compared(models_dir, row, live, judges)
    except InputError as error:
        return Weighed(live.version, incomparable(error)), None
    return Weighed(live.version, _refused(found)), found


class JudgesByLog:
    """Judges releases again by the log and the feature tables of a platform, which are read when they are needed.

    Args:
        parts: the opened platform.
        report: draws progress.
    """

    def __init__(self, parts: Platform, report: Report) -> None:
        self._parts = parts
        self._report = report
        self._log: LearningHistory | None = None

    async def since(self, moment: int) -> Judgment:
        """As of `Judges`."""
        return await asyncio.to_thread(asked_from, await self._history(), moment)

    async def again(self, release: Release, asked: Judgment) -> Judgment:
        """As of `Judges`."""
        from training.pointintime import FeastFeatures  # noqa: PLC0415 - it imports Feast, which takes seconds.

        history = await self._history()
        manifest = release.manifest
        store = await asyncio.to_thread(feature_places(self._parts).store)
        # Releases of before features were recorded read what their service declares.
        read = manifest.stored_features or manifest.feature_service
        features = await asyncio.to_thread(FeastFeatures, store, read)
        return await in_thread(
            lambda told: rejudged(history, features, release, asked, lambda name, total: counted(name, total, told)),
            self._report,
        )

    async def _history(self) -> LearningHistory:
        if self._log is None:
            places = feature_places(self._parts)
            places.lake.contents()
            self._log = await learning_history(self._parts, places)
        return self._log


class _Side(NamedTuple):
    """One of two releases.

    Attributes:
        row: of the register.
        manifest: what it is.
        judgment: what it was judged on; None where nobody recorded it.
    """

    row: ReleaseRow
    manifest: ReleaseManifest
    judgment: Judgment | None


async def _compared(models_dir: Path, row: ReleaseRow, other: ReleaseRow, judges: Judges) -> Compared:
    ours, theirs = [
        _Side(each, *await asyncio.to_thread(judged, models_dir / each.location, each.digest)) for each in (row, other)
    ]
    again: tuple[ReleaseManifest, ...] = ()
    mine, its = ours.judgment, theirs.judgment
    if mine is None or its is None or not judged_alike(mine, its):
        older, newer = (ours, theirs) if ours.manifest.trained_until < theirs.manifest.trained_until else (theirs, ours)
        asked = await judges.since(after(newer.manifest.trained_until))
        if len(asked.moments) >= min(ENOUGH_HELD_OUT, max(FEWEST_COMMON, _later(older, newer))):
            again = (ours.manifest, theirs.manifest)
            mine, its = [await _again(models_dir, each.row, asked, judges) for each in (ours, theirs)]
        else:
            again = (older.manifest,)
            its_own, ranked = await _of_newer(models_dir, older, newer, judges)
            mine, its = (ranked, its_own) if older is ours else (its_own, ranked)
    comparison = await asyncio.to_thread(compare, mine, its)
    as_of = None if mine.as_of < 0 else EPOCH + timedelta(microseconds=mine.as_of)
    return Compared(ours.manifest, theirs.manifest, comparison, again, as_of)


def _later(older: _Side, newer: _Side) -> int:
    """Return how many decisions that the newer one was judged on are later than the log of the older one."""
    if newer.judgment is None:
        return 0
    return int((newer.judgment.moments >= after(older.manifest.trained_until)).sum())


async def _of_newer(models_dir: Path, older: _Side, newer: _Side, judges: Judges) -> tuple[Judgment, Judgment]:
    """Return what the newer one was judged on, and the ranks of the older one, which is asked the same."""
    if older.manifest.trained_until == newer.manifest.trained_until:
        raise InputError(
            f"Both have learned from a log that ends {older.manifest.trained_until:%Y-%m-%d %H:%M:%S} UTC, and were "
            "judged as of different moments, as the log or --held-out-since was another: train both on the same lake, "
            "or wait until more has happened since."
        )
    asked = recorded(newer.manifest, newer.judgment)
    return asked, await _again(models_dir, older.row, asked, judges)


async def _again(models_dir: Path, row: ReleaseRow, asked: Judgment, judges: Judges) -> Judgment:
    try:
        release = await asyncio.to_thread(loaded, models_dir, row)
        return await judges.again(release, asked)
    except InputError as error:
        raise InputError(f"Release {row.version} is to be judged again on newer decisions. {error}") from error


def _are_alike(models_dir: Path, row: ReleaseRow, live: ReleaseRow) -> bool:
    (_, mine), (_, its) = (judged(models_dir / each.location, each.digest) for each in (row, live))
    return mine is not None and its is not None and judged_alike(mine, its)


def _refused(found: Compared) -> str | None:
    refusal = refused(found.comparison, f"the live release {found.theirs.version}")
    if refusal is None or found.theirs not in found.again or not found.knew_more:
        return refusal
    return f"{refusal} {remedy(found.theirs)}"


def remedy(older: ReleaseManifest) -> str:
    """Return what to do where the release that was judged again knew more than the other at the moment of both."""
    begins = older.trained_until + timedelta(seconds=1)
    return (
        f"Release {older.version} had learned from the log until {older.trained_until:%Y-%m-%d %H:%M:%S} UTC, and "
        "the other was judged by what was known earlier: "
        f"`waymark model train --held-out-since {begins:%Y-%m-%dT%H:%M:%S}` judges a release by what was known then. "
        "Or promote later: once more has happened after the logs of both, both are asked that."
    )
