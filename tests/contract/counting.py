"""How many SQL statements an operation costs: reads through asyncpg and writes through SQLAlchemy alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import event
from typing_extensions import override

from database.session import Database, Reader


class CountingDatabase(Database):
    """A database that remembers how many statements each request executed.

    Attributes:
        counts: one number a request, in the order that they ended.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database._leases, database._engine, database._patience)
        self.counts: list[int] = []
        self._written = 0

    @asynccontextmanager
    @override
    async def reader(self) -> AsyncIterator[Reader]:
        """Lease a reader; its end is the end of its request."""
        before = self._written
        async with super().reader() as reader:
            yield reader
            self.counts.append(reader.statements + self._written - before)

    @contextmanager
    def counting_writes(self) -> Iterator[None]:
        """Count the statements of transactions for the length of the block; one request at a time."""

        def executed(*_: Any) -> None:
            self._written += 1

        engine = self._engine.sync_engine
        event.listen(engine, "before_cursor_execute", executed)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", executed)
