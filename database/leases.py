"""Connections for reads, handed from request to request without a round trip or a task in between.

A pool resets a connection whenever it comes back, which costs more than many a statement. What reads leave on a
connection needs no reset: they open no transaction, set nothing and listen to nothing. So a connection that was only
read with goes to the next who waits as it is, and any other goes through the pool, which resets it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg

from database.rows import Row
from database.statements import Statement

RowT = TypeVar("RowT", bound=Row)
RawConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"

OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""What says that PostgreSQL cannot be reached, or has gone away."""

# As long as the pool would keep a connection that nobody uses: who stands between may have forgotten an older one.
_LONGEST_REST = 300.0
_MOST_PREPARED = 200


class Lease:
    """A connection with the statements that were prepared on it.

    Attributes:
        connection: it.
    """

    __slots__ = ("_prepared", "connection")

    def __init__(self, connection: RawConnection) -> None:
        self.connection = connection
        self._prepared: OrderedDict[Statement[Any], asyncpg.prepared_stmt.PreparedStatement[Any]] = OrderedDict()

    async def fetch(self, statement: Statement[RowT], arguments: Sequence[Any]) -> list[RowT]:
        """Return all rows of a statement."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = await self._prepare(statement)
        else:
            self._prepared.move_to_end(statement)
        rows: list[RowT]
        try:
            rows = await prepared.fetch(*arguments)
        except (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError):
            # A migration changed what the statement is about. Nothing was executed. `Connection.fetch` would prepare
            # again by itself, and forget the class of the rows.
            self._prepared.clear()
            rows = await (await self._prepare(statement)).fetch(*arguments)
        return rows

    @property
    def is_closed(self) -> bool:
        """Say whether PostgreSQL or the network has ended it."""
        try:
            return bool(self.connection.is_closed())
        except asyncpg.InterfaceError:
            # The pool has noticed, and taken it back.
            return True

    async def _prepare(self, statement: Statement[Any]) -> asyncpg.prepared_stmt.PreparedStatement[Any]:
        prepared = await self.connection.prepare(statement.sql, record_class=statement.row)
        if len(self._prepared) >= _MOST_PREPARED:
            # The one that was asked for longest ago; if it is asked for again, it is prepared again.
            self._prepared.popitem(last=False)
        self._prepared[statement] = prepared
        return prepared


class Leases:
    """Leases the connections of a pool, of which nobody else may take any.

    Args:
        pool: where they come from.
        most: how many it has.
    """

    def __init__(self, pool: asyncpg.Pool[Any], most: int) -> None:
        self._pool = pool
        self._free = most
        self._resting: list[tuple[Lease, float]] = []
        self._waiting: deque[asyncio.Future[Lease | None]] = deque()
        self._closed = False
        self._now = asyncio.get_running_loop().time

    async def take(self, patience: float) -> Lease:
        """Return a connection, the one that was used last if any is at rest.

        Args:
            patience: seconds to wait for it.

        Raises:
            TimeoutError: none became free, or PostgreSQL did not answer.
        """
        while self._resting:
            lease, since = self._resting.pop()
            if not lease.is_closed and self._now() - since < _LONGEST_REST:
                return lease
            self._forget(lease)
        due = self._now() + patience
        while not self._free:
            lease_or_room = await self._handed_over(due)
            if lease_or_room is not None:
                return lease_or_room
        async with asyncio.timeout_at(due):
            return await self._connected(patience)

    def give(self, lease: Lease) -> None:
        """Take back a connection that was only read with, and on which no statement is under way."""
        if self._closed:
            # The pool waits for it.
            self._forget(lease)
            return
        if not self._waiting:
            # Whether it is closed is found out by who takes it.
            self._resting.append((lease, self._now()))
            return
        if lease.is_closed:
            self._forget(lease)
            return
        waiting = self._next()
        if waiting is None:
            self._resting.append((lease, self._now()))
        else:
            waiting.set_result(lease)

    async def give_back(self, lease: Lease) -> None:
        """Take back a connection in any state."""
        try:
            await self._pool.release(lease.connection)
        finally:
            self._make_room()

    async def close(self) -> None:
        """Close all connections, as soon as all are given back."""
        self._closed = True
        while self._resting:
            self._forget(self._resting.pop()[0])
        await self._pool.close()

    async def _connected(self, patience: float) -> Lease:
        self._free -= 1
        try:
            return Lease(await self._pool.acquire(timeout=patience))
        except BaseException:
            self._make_room()
            raise

    async def _handed_over(self, due: float) -> Lease | None:
        """Wait in line for a connection, or for room to make one.

        Raises:
            TimeoutError: it is due, in seconds of the loop's clock, and there was none.
        """
        loop = asyncio.get_running_loop()
        place: asyncio.Future[Lease | None] = loop.create_future()
        self._waiting.append(place)
        # Under load everybody waits here for a moment: a timer costs a third of an `asyncio.timeout`.
        timer = loop.call_at(due, _give_up, place)
        try:
            return await place
        except asyncio.CancelledError:
            # It may have been handed over in the moment that we gave up.
            if place.done() and not place.cancelled() and place.exception() is None:
                lease = place.result()
                if lease is not None:
                    self.give(lease)
                else:
                    self._wake()
            raise
        finally:
            timer.cancel()

    def _forget(self, lease: Lease) -> None:
        with suppress(asyncpg.InterfaceError):
            lease.connection.terminate()
        self._make_room()

    def _make_room(self) -> None:
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        waiting = self._next()
        if waiting is not None:
            waiting.set_result(None)

    def _next(self) -> asyncio.Future[Lease | None] | None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None


def _give_up(place: asyncio.Future[Lease | None]) -> None:
    if not place.done():
        place.set_exception(TimeoutError("No connection became free."))


def went_away(error: BaseException, lease: Lease) -> bool:
    """Say whether a statement failed since PostgreSQL or the network has ended its connection."""
    # A connection that breaks while a statement is sent is told in more than one way.
    broken = isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError))
    return isinstance(error, OUTAGES) or (broken and lease.is_closed)
