"""Valkey or Redis as a store of ranked lists; imported only where recommendations are on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from core.errors import UnavailableError

TIMEOUT = 0.1
"""Seconds: a page that waits longer for its list had better be ranked anew."""


class Valkey:
    """A client of one event loop."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def get(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return the values.

        Raises:
            UnavailableError: the store does not answer in time.
        """
        try:
            found: Sequence[bytes | None] = await self._client.mget(list(keys))
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("Valkey cannot be read.") from error
        return found

    async def put(self, key: str, value: bytes, seconds: float) -> bytes:
        """Set a value unless there is one, and return the one that is there; errors as for `get`."""
        try:
            before = await self._client.set(key, value, nx=True, get=True, px=round(seconds * 1_000))
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("Valkey cannot be written.") from error
        return value if before is None else bytes(before)

    async def replace(self, key: str, value: bytes, seconds: float) -> None:
        """Set a value whether there is one or not; errors as for `get`."""
        try:
            await self._client.set(key, value, px=round(seconds * 1_000))
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("Valkey cannot be written.") from error


@asynccontextmanager
async def valkey(url: str, patience: float = TIMEOUT) -> AsyncIterator[Valkey]:
    """Open a client for the length of the block; it connects when it is first asked."""
    client: Any = redis.asyncio.Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=patience)
    try:
        yield Valkey(client)
    finally:
        await client.aclose()
