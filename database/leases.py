"""Connections for reads, handed from request to request without a round trip or a task in between.

A pool resets a connection whenever it comes back, which costs more than many a statement. What reads leave on a
connection needs no reset: they open no transaction, set nothing and listen to nothing. So a connection that was only
read with goes to the next who waits as it is, and any other goes through the pool, which resets it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, TypeAlias

import asyncpg

RawConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"

# As long as the pool would keep a connection that nobody uses: who stands between may have forgotten an older one.
_LONGEST_REST = 300.0


class Leases:
    """Leases the connections of a pool, of which nobody else may take any.

    Args:
        pool: where they come from.
        most: how many it has.
    """

    def __init__(self, pool: asyncpg.Pool[Any], most: int) -> None:
        self._pool = pool
        self._free = most
        self._resting: list[tuple[RawConnection, float]] = []
        self._waiting: deque[asyncio.Future[RawConnection | None]] = deque()
        self._now = asyncio.get_running_loop().time

    async def take(self, patience: float) -> RawConnection:
        """Return a connection, the one that was used last if any is at rest.

        Args:
            patience: seconds to wait for it.

        Raises:
            TimeoutError: none became free, or PostgreSQL did not answer.
        """
        while self._resting:
            connection, since = self._resting.pop()
            if not connection.is_closed() and self._now() - since < _LONGEST_REST:
                return connection
            self._forget(connection)
        async with asyncio.timeout(patience):
            while True:
                if self._free:
                    return await self._connected(patience)
                connection_or_room = await self._handed_over()
                if connection_or_room is not None:
                    return connection_or_room

    def give(self, connection: RawConnection) -> None:
        """Take back a connection that was only read with, and on which no statement is under way."""
        if connection.is_closed():
            self._forget(connection)
            return
        waiting = self._next()
        if waiting is None:
            self._resting.append((connection, self._now()))
        else:
            waiting.set_result(connection)

    async def give_back(self, connection: RawConnection) -> None:
        """Take back a connection in any state."""
        try:
            await self._pool.release(connection)
        finally:
            self._make_room()

    async def close(self) -> None:
        """Close all connections, once all are given back."""
        while self._resting:
            self._forget(self._resting.pop()[0])
        await self._pool.close()

    async def _connected(self, patience: float) -> RawConnection:
        self._free -= 1
        try:
            connection: RawConnection = await self._pool.acquire(timeout=patience)
        except BaseException:
            self._make_room()
            raise
        return connection

    async def _handed_over(self) -> RawConnection | None:
        """Wait in line for a connection, or for room to make one."""
        place: asyncio.Future[RawConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            # It may have been handed over in the moment that we gave up.
            if place.done() and not place.cancelled():
                connection = place.result()
                if connection is not None:
                    self.give(connection)
                else:
                    self._wake()
            raise

    def _forget(self, connection: RawConnection) -> None:
        connection.terminate()
        self._make_room()

    def _make_room(self) -> None:
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        waiting = self._next()
        if waiting is not None:
            waiting.set_result(None)

    def _next(self) -> asyncio.Future[RawConnection | None] | None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None
