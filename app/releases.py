"""Releases, composed: registered, listed, compared, promoted and rolled back; trials are in `app.trials`.

Whatever changes which release is live happens in one transaction, one at a time, is put on record, and is followed by
every server at its next look. A release that could not be loaded never becomes live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import InputError, ReleaseError
from database.queries import releases as queries
from database.queries.releases import RELEASES, ReleaseRow
from database.session import Database
from database.tables.models import ReleaseStatus, TrialKind
from security.audit import DONE, Detail, Subject, record
from serving.artifact import Release, ReleaseManifest, load_release, read_extra, read_manifest, verify_release
from serving.trials import described
from training.distributions import DISTRIBUTIONS, Distributions
from training.judgment import JUDGMENT, Comparison, Judgment, against_popularity, compare

_ROLLED_BACK = "rolled_back"
_INSTANT = timedelta(microseconds=1)


class _Row(Protocol):
    """What a release is told by, whichever way it was read."""

    @property
    def version(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def trial(self) -> str | None: ...


RowT = TypeVar("RowT", bound=_Row)


@dataclass(frozen=True)
class Weighed:
    """A comparison that was made before a promotion, because it takes a look at the log.

    Attributes:
        live: version of the release that was live then.
        refusal: why the other must not take its place; None when it may.
    """

    live: str
    refusal: str | None


@dataclass(frozen=True)
class Tried:
    """How a release is, or was, tried beside the live one.

    Attributes:
        version: of the release.
        kind: how.
        percent: of the learners, in a canary.
        since: when that began.
    """

    version: str
    kind: TrialKind
    percent: float | None
    since: datetime

    @classmethod
    def of(cls, row: Any | None) -> Tried | None:
        """Return what a row says; None when it is not tried."""
        if row is None or row.trial is None:
            return None
        return cls(row.version, TrialKind(row.trial), row.trial_percent, row.trial_since)

    def __str__(self) -> str:
        """Return how a person is told of it."""
        return described(self.kind, self.percent)


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did.

    Attributes:
        live: the version that is live now.
        retired: the one that it replaced.
        ended: the trial that is over.
    """

    live: str
    retired: str
    ended: Tried | None


async def list_releases(database: Database) -> list[ReleaseRow]:
    """Return all releases, the newest first."""
    async with database.reader() as reader:
        return await reader.fetch(RELEASES)


async def damaged(models_dir: Path, rows: Iterable[ReleaseRow]) -> dict[str, str]:
    """Return of the releases whose files are gone or not what they were why, by version; it takes reading them all."""

    def look() -> Iterator[tuple[str, str]]:
        for row in rows:
            try:
                verify_release(models_dir / row.location, row.digest)
            except ReleaseError as error:
                yield row.version, str(error)

    return await asyncio.to_thread(lambda: dict(look()))


async def of_layout(database: Database, models_dir: Path, digest: str) -> frozenset[str]:
    """Return the versions of the releases whose vector is of a layout; of those whose files are gone nobody knows."""
    rows = await list_releases(database)
    return await asyncio.to_thread(lambda: frozenset(_of_layout(models_dir, rows, digest)))


def _of_layout(models_dir: Path, rows: list[ReleaseRow], digest: str) -> Iterator[str]:
    for row in rows:
        with suppress(ReleaseError):
            if read_manifest(models_dir / row.location, row.digest).vector_digest == digest:
                yield row.version


def recorded_with(folder: Path, manifest: ReleaseManifest) -> Distributions | None:
    """Return what a release recorded of its features; None for one of a version that did not.

    Raises:
        ReleaseError: that is damaged.
    """
    content = read_extra(folder, manifest, DISTRIBUTIONS)
    return None if content is None else Distributions.unpacked(content)


async def live_record(database: Database, models_dir: Path) -> tuple[ReleaseManifest, Distributions] | None:
    """Return the live release and what it recorded of its features; None if there is none, or it did not.

    Raises:
        InputError: its files cannot be read.
    """
    row = live_of(await list_releases(database))
    return None if row is None else await asyncio.to_thread(_record_of, models_dir / row.location, row.digest)


def _record_of(folder: Path, digest: str) -> tuple[ReleaseManifest, Distributions] | None:
    try:
        manifest = read_manifest(folder, digest)
        found = recorded_with(folder, manifest)
    except ReleaseError as error:
        raise InputError(str(error)) from error
    return None if found is None else (manifest, found)


async def register(database: Database, row: dict[str, Any], judgment: Judgment) -> bool:
    """Register a release that was just trained; it becomes live if none is and it beats popularity.

    Returns:
        Whether it is live.
    """
    beats_popularity = (await asyncio.to_thread(against_popularity, judgment)).better
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        first = not await queries.has_live(connection)
        await queries.register(connection, row)
        live = first and beats_popularity
        if live:
            await queries.make_live(connection, row["version"], row["created_at"], row["metrics"])
            details: dict[str, Detail] = {"replaced": None, "forced": False}
            await audit(connection, "promoteRelease", row["version"], row["created_at"], details)
        return live


async def promote(
    database: Database,
    models_dir: Path,
    version: str,
    *,
    force: bool,
    reason: str | None,
    now: datetime,
    weighed: Weighed | None = None,
) -> Tried | None:
    """Make a release live, and end a trial, of this release or another one; serving follows at its next look.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        version: of the release.
        force: whether it goes live although it does not beat the live one.
        reason: why, for the record.
        now: the moment.
        weighed: how it compares with the live one, where that was found out beforehand (`app.comparisons`).

    Returns:
        The trial that is over.

    Raises:
        InputError: there is no such release, it is live, it cannot be loaded, it does not beat the live one and is
            not forced, another one has become live since it was weighed, or the reason is no text.
    """
    check_text(reason)
    if force and not (reason or "").strip():
        raise InputError("--force needs --reason: why a release goes live that did not beat the live one.")
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        rows = {row.version: row for row in await queries.all_releases(connection)}
        row, live = named(rows.values(), version), live_of(rows.values())
        if live is not None and live.version == version:
            raise InputError(f"Release {version} is live already.")
        await asyncio.to_thread(loaded, models_dir, row)
        if weighed is not None and (live is None or live.version != weighed.live):
            raise InputError(f"Meanwhile release {live.version if live else 'none'} has become live: promote again.")
        refusal = weighed.refusal if weighed else await asyncio.to_thread(_refusal, models_dir, row, live)
        if refusal is not None and not force:
            raise InputError(f"Release {version} is not promoted: {refusal} Use --force --reason TEXT to insist.")
        told = {"forced": refusal is not None, "reason": reason, "at": now.isoformat()}
        metrics = {name: value for name, value in row.metrics.items() if name != _ROLLED_BACK}
        # What was live before is told by these moments, also when the clock of this machine is behind another's.
        since = max(now, live.promoted_at + _INSTANT) if live else now
        await queries.make_live(connection, version, since, {**metrics, "promotion": told})
        ended = Tried.of(tried_of(rows.values()))
        details = {"replaced": live.version if live else None, "forced": refusal is not None, **_ending(ended)}
        await audit(connection, "promoteRelease", version, now, details)
        return ended


async def roll_back(
    database: Database, models_dir: Path, *, expected: str | None, reason: str | None, now: datetime
) -> RolledBack:
    """Make the release live that was live before the present one, and end a trial; serving follows at its next look.

    What is rolled back is not rolled back to, so that another rollback goes one step further back, and not forward
    again; `promote` goes forward.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        expected: what is live as far as the caller knows.
        reason: why, for the record.
        now: the moment.

    Raises:
        InputError: nothing was live before, it cannot be loaded, another release has become live meanwhile, or the
            reason is no text.
    """
    check_text(reason)
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        rows = {row.version: row for row in await queries.all_releases(connection)}
        live = live_of(rows.values())
        if live is None:
            raise InputError("No release is live, so there is nothing to roll back.")
        if live.version != expected:
            raise InputError(f"Meanwhile release {live.version} has become live; look at it first.")
        ended = Tried.of(tried_of(rows.values()))
        chosen = _before(rows, live, ended)
        await asyncio.to_thread(loaded, models_dir, chosen)
        told = {"to": chosen.version, "reason": reason, "at": now.isoformat()}
        await queries.describe(connection, live.version, {**live.metrics, _ROLLED_BACK: told})
        await queries.make_live(connection, chosen.version, chosen.promoted_at, chosen.metrics)
        details = {"replaced": live.version, "forced": False, **_ending(ended)}
        await audit(connection, "rollBackRelease", chosen.version, now, details)
        return RolledBack(chosen.version, live.version, ended)


def check_text(reason: str | None) -> None:
    """Refuse what PostgreSQL cannot store: NUL, and bytes of a command line that are no UTF-8.

    Raises:
        InputError: the reason holds some.
    """
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in reason or ""):
        raise InputError("The reason holds characters that are no text.")


def named(rows: Iterable[RowT], version: str) -> RowT:
    """Return a release by its version.

    Raises:
        InputError: there is none.
    """
    found = next((row for row in rows if row.version == version), None)
    if found is None:
        raise InputError(f"There is no release {version}: see `waymark model list`.")
    return found


def live_of(rows: Iterable[RowT]) -> RowT | None:
    """Return the live release, if there is one."""
    return next((row for row in rows if row.status == ReleaseStatus.LIVE.value), None)


def tried_of(rows: Iterable[RowT]) -> RowT | None:
    """Return the release that is tried beside it, if there is one."""
    return next((row for row in rows if row.trial is not None), None)


def _before(rows: dict[str, Any], live: Any, trial: Tried | None) -> Any:
    """Return the release that was live before."""
    found = [
        row
        for row in rows.values()
        if row.promoted_at is not None and row.version != live.version and _ROLLED_BACK not in row.metrics
    ]
    earlier = [row for row in found if (row.promoted_at, row.id) < (live.promoted_at, live.id)]
    if not earlier:
        hint = "" if trial is None else f" To end only the trial of {trial.version}: `waymark model end-trial`."
        raise InputError(f"No release was live before {live.version}.{hint}")
    return max(earlier, key=lambda row: (row.promoted_at, row.id))


def loaded(models_dir: Path, row: Any) -> Release:
    """Load a release as serving does, so that nothing is put in use that serving would refuse.

    Raises:
        InputError: serving would.
    """
    try:
        return load_release(models_dir / row.location, row.digest)
    except ReleaseError as error:
        raise InputError(f"Release {row.version} cannot be served: {error}") from error


def judged(folder: Path, digest: str) -> tuple[ReleaseManifest, Judgment | None]:
    """Return what a release is and what it was judged on; None for one of a version that did not record that.

    Raises:
        InputError: its files cannot be read.
    """
    try:
        manifest = read_manifest(folder, digest)
        content = read_extra(folder, manifest, JUDGMENT)
        return manifest, None if content is None else Judgment.unpacked(content)
    except ReleaseError as error:
        raise InputError(str(error)) from error


def recorded(manifest: ReleaseManifest, judgment: Judgment | None) -> Judgment:
    """Return what a release was judged on.

    Raises:
        InputError: nobody recorded it.
    """
    if judgment is None:
        raise InputError(
            f"Release {manifest.version} was trained by a version that did not record what it was judged on."
        )
    return judgment


def refused(found: Comparison, other: str) -> str | None:
    """Return why a release must not take the place of the live one, or of popularity; None when it may."""
    if found.better:
        return None
    return (
        f"its NDCG@10 is {found.ours.ndcg:.4f} and that of {other} is {found.theirs.ndcg:.4f} on the same "
        f"{found.common} decisions; the difference of {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}) "
        f"{found.verdict}."
    )


def incomparable(error: InputError) -> str:
    """Return why a release must not take the place of another one that it cannot be compared with."""
    return f"it cannot be compared. {error}"


def _refusal(models_dir: Path, row: Any, live: Any | None) -> str | None:
    """Return why a release must not go live, from what both recorded; None when it may."""
    try:
        ours = recorded(*judged(models_dir / row.location, row.digest))
        if live is None:
            return refused(against_popularity(ours), "popularity")
        theirs = recorded(*judged(models_dir / live.location, live.digest))
        return refused(compare(ours, theirs), "the live release")
    except InputError as error:
        return incomparable(error)


def _ending(trial: Tried | None) -> dict[str, Detail]:
    return {} if trial is None else {"endedTrial": trial.version}


async def audit(
    connection: AsyncConnection, action: str, version: str, now: datetime, details: Mapping[str, Detail]
) -> None:
    """Put on record what was done to a release."""
    await record(
        connection,
        actor=None,
        action=action,
        subject=Subject("ModelRelease", version),
        outcome=DONE,
        details=details,
        request_id=None,
        now=now,
    )
