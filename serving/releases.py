"""The releases in use, in memory: the live one and one that is tried beside it, followed without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry import metrics

from core.errors import ReleaseError
from database.queries.releases import RELEASES_IN_USE, ReleaseRow
from database.session import Database
from database.tables.models import TrialKind

if TYPE_CHECKING:
    from serving.artifact import Release, ReleaseManifest

_LOG = logging.getLogger(__name__)

LIVE, CANDIDATE = "live", "candidate"
"""Roles of a release in use."""

_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The release that is registered to be tried beside the live one.

    Attributes:
        version: its version.
        kind: how it is tried.
        percent: in a canary, how many of a hundred learners are to be shown its lists; else 0.
        release: to rank with; None when it was refused.
    """

    version: str
    kind: TrialKind
    percent: float
    release: Release | None


class ReleaseHolder:
    """Keeps the last live release that could be verified, and the candidate beside it.

    Args:
        database: where releases are registered.
        models_dir: folder of the releases.
    """

    def __init__(self, database: Database, models_dir: Path) -> None:
        self._database = database
        self._models_dir = models_dir
        self._current: Release | None = None
        self._candidate: Candidate | None = None
        # What is in use, by version and digest, so that a candidate that goes live is not read again.
        self._loaded: dict[_Key, Release] = {}
        self._refused: set[tuple[_Key, str]] = set()
        self._turn = asyncio.Lock()
        self._refusals = metrics.get_meter("waymark.serving").create_counter(
            "waymark.releases.refused", description="Releases that could not be served, by role: live or candidate."
        )

    @property
    def current(self) -> Release | None:
        """The release to rank with; None until one is live."""
        return self._current

    @property
    def candidate(self) -> Candidate | None:
        """The release that is tried beside it; None when none is."""
        return self._candidate

    def manifests(self) -> Sequence[ReleaseManifest]:
        """Return what the releases in use are, the live one first."""
        beside = self._candidate.release if self._candidate is not None else None
        return tuple(release.manifest for release in (self._current, beside) if release is not None)

    async def refresh_if_newer(self) -> bool:
        """Load the releases in use if they are others than before; one that is refused is not tried again.

        A live release that is refused leaves the one before in its place. A candidate that is refused is not ranked
        with, and nor is the one before it.

        Returns:
            Whether `current` or `candidate` changed.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        async with self._turn:
            async with self._database.reader() as reader:
                rows = await reader.fetch(RELEASES_IN_USE)
            live, candidate = self._current, self._candidate
            for row in rows:
                if row.trial is None:
                    self._current = await self._live(row) or self._current
            tried = [await self._tried(row, TrialKind(row.trial)) for row in rows if row.trial is not None]
            self._candidate = next(iter(tried), None)
            self._forget({_key(row) for row in rows})
            return self._current is not live or self._candidate != candidate

    async def _live(self, row: ReleaseRow) -> Release | None:
        if (_key(row), LIVE) in self._refused:
            return None
        try:
            return await self._load(row)
        except ReleaseError as error:
            kept = self._current.manifest.version if self._current else None
            _LOG.error("Release %s is refused, %s stays: %s", row.version, kept or "none", error)
            self._refuse(row, LIVE)
            return None

    async def _tried(self, row: ReleaseRow, kind: TrialKind) -> Candidate:
        release = None
        if (_key(row), CANDIDATE) not in self._refused:
            try:
                release = await self._load(row)
                _refuse_other_encodings(self._current, release)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the live release is followed.
                _LOG.error("Release %s is refused, and not tried beside the live one: %r", row.version, error)
                self._refuse(row, CANDIDATE)
                release = None
        return Candidate(row.version, kind, row.trial_percent or 0.0, release)

    def count_refusal(self, role: str) -> None:
        """Count a release that cannot be served, as the `LIVE` one or as the `CANDIDATE`."""
        self._refusals.add(1, {"role": role})

    def _refuse(self, row: ReleaseRow, role: str) -> None:
        self._refused.add((_key(row), role))
        self.count_refusal(role)

    async def _load(self, row: ReleaseRow) -> Release:
        release = self._loaded.get(_key(row))
        if release is None:
            release = await asyncio.to_thread(_load, self._models_dir / row.location, row.digest)
            self._loaded[_key(row)] = release
            _LOG.info("Release %s is loaded.", row.version)
        return release

    def _forget(self, in_use: set[_Key]) -> None:
        self._refused = {(key, role) for key, role in self._refused if key in in_use}
        kept = (self._current, self._candidate.release if self._candidate is not None else None)
        self._loaded = {key: release for key, release in self._loaded.items() if any(release is each for each in kept)}


def _refuse_other_encodings(live: Release | None, candidate: Release) -> None:
    from serving.artifact import refuse_other_encodings  # noqa: PLC0415 - as for `_load`.

    if live is not None:
        refuse_other_encodings(live.manifest, candidate.manifest)


def _key(row: ReleaseRow) -> _Key:
    return row.version, row.digest


def _load(folder: Path, digest: str) -> Release:
    from serving.artifact import load_release  # noqa: PLC0415 - XGBoost is not wanted where recommendations are off.

    return load_release(folder, digest)
