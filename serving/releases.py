"""The live release in memory: looked up, verified and swapped without a restart."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ReleaseError
from database.queries.releases import LIVE_RELEASE
from database.session import Database

if TYPE_CHECKING:
    from serving.artifact import Release

_LOG = logging.getLogger(__name__)


class ReleaseHolder:
    """Keeps the last release that could be verified.

    Args:
        database: where releases are registered.
        models_dir: folder of the releases.
    """

    def __init__(self, database: Database, models_dir: Path) -> None:
        self._database = database
        self._models_dir = models_dir
        self._current: Release | None = None
        self._seen: tuple[str, str] | None = None
        self._turn = asyncio.Lock()

    @property
    def current(self) -> Release | None:
        """The release to rank with; None until one is live."""
        return self._current

    async def refresh_if_newer(self) -> bool:
        """Load the live release if it is another one than before; one that is refused is not tried again.

        Returns:
            Whether `current` changed.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        async with self._turn:
            async with self._database.reader() as reader:
                row = await reader.fetch_first(LIVE_RELEASE)
            if row is None or (row.version, row.digest) == self._seen:
                return False
            try:
                release = await asyncio.to_thread(_load, self._models_dir / row.location, row.digest)
            except ReleaseError as error:
                kept = self._current.manifest.version if self._current else None
                _LOG.error("Release %s is refused, %s stays: %s", row.version, kept or "none", error)
                self._seen = (row.version, row.digest)
                return False
            self._seen = (row.version, row.digest)
            self._current = release
            _LOG.info("Release %s is loaded.", row.version)
            return True


def _load(folder: Path, digest: str) -> Release:
    from serving.artifact import load_release  # noqa: PLC0415 - XGBoost is not wanted where recommendations are off.

    return load_release(folder, digest)
