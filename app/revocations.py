"""Following revocations: what other processes revoked is read every second, for as long as this one serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from core.clock import Clock
from core.errors import UnavailableError
from core.tasks import running
from database.queries import revocations as queries
from database.session import Database
from security.revocations import Revocations

_LOG = logging.getLogger(__name__)
_INTERVAL = 1.0
# A revocation carries the moment its command began, and is seen when it has committed; and clocks differ.
_OVERLAP = timedelta(seconds=60)


async def read_revocations(
    database: Database, revocations: Revocations, now: datetime, since: datetime | None = None
) -> None:
    """Read what was revoked after `since`, or all that still concerns a token, and forget what does not."""
    async with database.reader() as reader:
        for row in await reader.fetch(queries.SINCE, since=since or now - revocations.lifetime):
            revocations.add(row.session_id, row.account_id, row.revoked_at)
    revocations.forget(now)


@asynccontextmanager
async def following(
    database: Database, revocations: Revocations, clock: Clock, interval: float = _INTERVAL
) -> AsyncIterator[None]:
    """Read revocations now and every `interval` seconds until the block ends."""
    first = clock()
    await read_revocations(database, revocations, first)
    async with running(_follow(database, revocations, clock, first, interval)):
        yield


async def _follow(database: Database, revocations: Revocations, clock: Clock, last: datetime, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        now = clock()
        try:
            await read_revocations(database, revocations, now, last - _OVERLAP)
            last = now
        except UnavailableError as error:
            # Nothing that a revoked token could read is there either; the next round reads from where this one began.
            _LOG.warning("Revocations cannot be read: %s", error)
        except Exception:  # noqa: BLE001 - whatever it is, the next round must come.
            _LOG.exception("Revocations cannot be read.")
