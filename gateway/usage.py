"""Who uses which registered operation: counted in memory, written in batches, never on the way of a request."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core.clock import Clock
from core.errors import UnavailableError
from core.tasks import running
from database.queries import operations as queries
from database.session import Database

_LOG = logging.getLogger(__name__)

# What a client calls itself is its own word: bounded in length, and in how many names an operation may have.
_NAME_HEADERS = ("apollographql-client-name", "graphql-client-name")
_VERSION_HEADERS = ("apollographql-client-version", "graphql-client-version")
_PLAIN = re.compile(r"[ -~]{1,100}")
_MOST_COUNTS = 10_000
_MOST_VERSIONS = 500
UNNAMED = "unnamed"
OTHERS = "others"


class Client(NamedTuple):
    """What a client calls itself."""

    name: str
    version: str


_NOBODY = Client(UNNAMED, "")
_OTHERS = Client(OTHERS, "")


def client_of(said: Mapping[str, object]) -> Client:
    """Return what a client calls itself, by the names that Apollo's and other clients give these headers."""
    name = _plain(said, _NAME_HEADERS)
    return Client(name, _plain(said, _VERSION_HEADERS)) if name else _NOBODY


def _plain(said: Mapping[str, object], names: tuple[str, ...]) -> str:
    for name in names:
        value = said.get(name)
        if isinstance(value, str) and _PLAIN.fullmatch(value.strip()):
            return value.strip()
    return ""


@dataclass(slots=True)
class _Count:
    count: int
    first: datetime
    last: datetime

    def add(self, other: _Count) -> None:
        """Add another count of the same."""
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class Usage:
    """Counts of use that are not written yet.

    Args:
        clock: the current moment.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, Client], _Count] = {}

    def count(self, operation_id: str, client: Client) -> None:
        """Count one use of a registered operation."""
        now = self._clock()
        key = (operation_id, client)
        found = self._counts.get(key)
        if found is None and len(self._counts) >= _MOST_COUNTS:
            key = (operation_id, _OTHERS)
        self._add(key, _Count(1, now, now))

    def _add(self, key: tuple[str, Client], counted: _Count) -> None:
        found = self._counts.get(key)
        if found is None:
            self._counts[key] = counted
        else:
            found.add(counted)

    async def flush(self, database: Database) -> None:
        """Write what was counted; what cannot be written now is kept for the next time."""
        taken, self._counts = self._counts, {}
        if not taken:
            return
        try:
            async with database.transaction() as connection:
                seen = await queries.versions_seen(connection, sorted({operation for operation, _ in taken}))
                await queries.add_usage(connection, _rows(taken, seen))
        except UnavailableError:
            _LOG.warning("the usage of %s operations could not be written and is kept", len(taken))
            for key, counted in taken.items():
                self._add(key, counted)

    @asynccontextmanager
    async def flushing(self, database: Database, interval: float) -> AsyncIterator[None]:
        """Write every `interval` seconds for the length of the block, and at its end."""

        async def forever() -> None:
            while True:
                await asyncio.sleep(interval)
                try:
                    await self.flush(database)
                except Exception:  # noqa: BLE001 - the next batch may be written.
                    _LOG.exception("the usage of operations could not be written")

        try:
            async with running(forever()):
                yield
        finally:
            await self.flush(database)


def _rows(
    taken: Mapping[tuple[str, Client], _Count], seen: Mapping[str, set[tuple[str, str]]]
) -> list[dict[str, object]]:
    """Return the rows to add; beyond so many clients and versions of one operation, the rest are one."""
    merged: dict[tuple[str, Client], _Count] = {}
    known = {operation: set(versions) for operation, versions in seen.items()}
    for (operation, given), counted in taken.items():
        versions = known.setdefault(operation, set())
        client = given if given in versions or len(versions) < _MOST_VERSIONS else _OTHERS
        versions.add(client)
        if (operation, client) in merged:
            merged[operation, client].add(counted)
        else:
            merged[operation, client] = counted
    return [
        {
            "operation_id": operation,
            "client": client.name,
            "client_version": client.version,
            "count": counted.count,
            "first_used_at": counted.first,
            "last_used_at": counted.last,
        }
        for (operation, client), counted in merged.items()
    ]
