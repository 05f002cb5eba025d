"""Connections: one leased for all reads of a request, one transaction for each mutation.

Reads go straight to asyncpg (a quarter of SQLAlchemy's cost per statement); writes go through SQLAlchemy
Core. Whoever opens a transaction here commits it by leaving the block; nothing inside ever does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self, TypeVar

import asyncpg
import orjson
from opentelemetry.trace import get_current_span
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from typing_extensions import override

from core.errors import InputError, UnavailableError
from core.settings import DatabaseSettings
from database.batches import Batches
from database.leases import OUTAGES, Lease, Leases, RawConnection, went_away
from database.rows import Row
from database.statements import Statement

RowT = TypeVar("RowT", bound=Row)

CACHED = {"seq_page_cost": "0.1", "random_page_cost": "0.1"}
"""Settings of PostgreSQL for data that lies in memory, which is what requests read all day.

Its own are of disks: with them it would rather read all topics for each course of a page than look up two.
"""


class Reader:
    """The one connection that a request reads with, leased at its first statement.

    Statements of one request run one after another: on a leased connection that is faster than a pool and
    `gather`, and siblings may call without knowing of each other. Before it has leased one, what may be asked together
    with other requests is.

    Attributes:
        statements: how many statements were asked for.
    """

    def __init__(self, leases: Leases, batches: Batches, patience: float) -> None:
        self._leases = leases
        self._batches = batches
        self._patience = patience
        self._lease: Lease | None = None
        self._clean = True
        self._turn = asyncio.Lock()
        self.statements = 0

    async def __aenter__(self) -> Self:
        """Begin a block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give the connection back."""
        await self.release()

    async def fetch(self, statement: Statement[RowT], **values: Any) -> list[RowT]:
        """Return all rows of a statement.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        # As `async with` would, without the two coroutines that it makes.
        turn = self._turn
        await turn.acquire()
        try:
            self.statements += 1
            arguments = statement.arguments(values)
            # A request that is traced has a span for each statement, so its statements are its own.
            if statement.together is not None and self._lease is None and not get_current_span().is_recording():
                rows = await self._batches.fetch(statement, arguments)
                if rows is not None:
                    return rows
            lease = self._lease or await self._leased()
            try:
                return await lease.fetch(statement, arguments)
            except BaseException as error:
                # Whatever it is, even a request that was given up, the statement may still be under way.
                self._clean = False
                if went_away(error, lease):
                    raise UnavailableError("PostgreSQL went away.") from error
                raise
        finally:
            turn.release()

    async def fetch_first(self, statement: Statement[RowT], **values: Any) -> RowT | None:
        """Return the first row of a statement, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    async def _leased(self) -> Lease:
        try:
            self._lease = await self._leases.take(self._patience)
        except (*OUTAGES, TimeoutError) as error:
            raise UnavailableError("PostgreSQL cannot be reached.") from error
        return self._lease

    async def release(self) -> None:
        """Give the connection back; a later statement would lease one again."""
        if self._lease is None and not self._turn.locked():
            return
        async with self._turn:
            lease, self._lease = self._lease, None
            if lease is None:
                return
            if self._clean:
                self._leases.give(lease)
            else:
                self._clean = True
                await self._leases.give_back(lease)


class PassingReader(Reader):
    """A reader that gives its connection back after each statement: for who may wait long between two."""

    @override
    async def fetch(self, statement: Statement[RowT], **values: Any) -> list[RowT]:
        """Return all rows of a statement, as `Reader.fetch` does."""
        try:
            return await super().fetch(statement, **values)
        finally:
            await self.release()


class Database:
    """PostgreSQL as the rest of the house sees it: readers, transactions, and nothing else."""

    def __init__(self, leases: Leases, engine: AsyncEngine, patience: float) -> None:
        self._leases = leases
        self._batches = Batches(leases, patience)
        self._engine = engine
        self._patience = patience

    def reader(self) -> AbstractAsyncContextManager[Reader]:
        """Return a reader that leases one connection, at the first statement, for the length of a block."""
        return Reader(self._leases, self._batches, self._patience)

    def passing_reader(self) -> PassingReader:
        """Return a reader that holds no connection between its statements, and so needs no block."""
        return PassingReader(self._leases, self._batches, self._patience)

    async def close(self) -> None:
        """Give up what is under way for several readers at once."""
        await self._batches.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end of the block, or rolled back by an exception.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        try:
            connection = await self._engine.connect()
        except (*OUTAGES, TimeoutError, PoolTimeoutError) as error:
            raise UnavailableError("PostgreSQL cannot be reached.") from error
        try:
            async with connection.begin():
                yield connection
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error.orig, OUTAGES):
                raise UnavailableError("PostgreSQL went away.") from error
            raise
        finally:
            await connection.close()

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[RawConnection]:
        """Lease a plain asyncpg connection: for COPY, advisory locks and other bulk work of the command line."""
        try:
            lease = await self._leases.take(self._patience)
        except (*OUTAGES, TimeoutError) as error:
            raise UnavailableError("PostgreSQL cannot be reached, or has no connection free.") from error
        try:
            yield lease.connection
        finally:
            await self._leases.give_back(lease)


@asynccontextmanager
async def open_database(url: str, settings: DatabaseSettings | None = None) -> AsyncIterator[Database]:
    """Open the pools for `url` (`postgresql://user:password@host:port/name`) and close them at the end.

    Raises:
        InputError: the URL is not one of PostgreSQL.
        UnavailableError: nothing answers there.
    """
    settings = settings or DatabaseSettings()
    try:
        parsed = make_url(url)
    except Exception as error:
        raise InputError("The database URL cannot be read; expected postgresql://user:password@host/name.") from error
    if parsed.get_backend_name() != "postgresql":
        raise InputError("The database URL must start with postgresql://.")
    limits = {
        "statement_timeout": str(int(settings.statement_timeout * 1000)),
        "application_name": "waymark",
        # PostgreSQL compiles what it thinks expensive at each execution, which takes longer than any read of ours.
        "jit": "off",
        **CACHED,
    }
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        pool = await asyncpg.create_pool(
            plain,
            min_size=1,
            max_size=settings.read_connections,
            timeout=settings.connect_timeout,
            server_settings=limits,
            init=_read_json,
        )
    except (asyncpg.InterfaceError, ValueError) as error:
        raise InputError(f"The database URL cannot be used: {error}") from error
    except (*OUTAGES, TimeoutError, asyncpg.PostgresError) as error:
        address = parsed.render_as_string(hide_password=True)
        raise UnavailableError(f"PostgreSQL cannot be reached at {address}: {error}") from error

    leases = Leases(pool, settings.read_connections)

    async def connect() -> asyncpg.Connection[Any]:
        # Both pools read the URL by asyncpg's rules, which know the parameters of managed servers, such as sslmode.
        return await asyncpg.connect(plain, timeout=settings.connect_timeout, server_settings=limits)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=settings.write_connections,
        max_overflow=0,
        pool_timeout=settings.connect_timeout,
        pool_pre_ping=True,
        # What a failed statement was given may be personal, and its message goes to the log.
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    database = Database(leases, engine, settings.connect_timeout)
    try:
        yield database
    finally:
        await engine.dispose()
        await database.close()
        await leases.close()


async def _read_json(connection: asyncpg.Connection[Any]) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )
