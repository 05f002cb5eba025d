"""What the processes of an installation share besides PostgreSQL: numbers and answers in Valkey, which may be lost.

Nothing here is needed to serve. Valkey is asked with little patience; when it does not answer it is left alone for
some seconds, and whoever asks does without.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import redis.asyncio
from opentelemetry import metrics
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from core.clock import Clock
from core.errors import UnavailableError
from serving.breaker import Breaker

_LOG = logging.getLogger(__name__)
_PATIENCE = 0.1
_CONNECT_PATIENCE = 0.5
_CONNECTIONS = 64


class Script:
    """A Lua script, which runs as one step.

    Args:
        text: of the script.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha: str | None = None


class SharedStore:
    """Valkey, for what may be lost.

    Args:
        client: of the server.
        clock: the current moment.
    """

    def __init__(self, client: redis.asyncio.Redis, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._breaker = Breaker()
        self._away = False
        self._failures = metrics.get_meter("waymark.gateway").create_counter(
            "waymark.shared_store.failures", description="Requests to Valkey that failed, or were not tried after some."
        )

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Any:
        """Run a script and return what it returns.

        Raises:
            UnavailableError: Valkey does not answer, or did not a moment ago.
        """
        now = self._clock()
        if not self._breaker.allows(now):
            self._failures.add(1, {"tried": False})
            raise UnavailableError("Valkey did not answer a moment ago.")
        try:
            found = await self._run(script, keys, arguments)
        except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._breaker.failed(now)
            self._failures.add(1, {"tried": True})
            if not self._away:
                self._away = True
                _LOG.warning(
                    "Valkey does not answer; budgets are local and nothing is cached: %s", type(error).__name__
                )
            raise UnavailableError("Valkey does not answer.") from error
        self._breaker.succeeded()
        if self._away:
            self._away = False
            _LOG.warning("Valkey answers again")
        return found

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Any:
        if script.sha is not None:
            try:
                return await self._evaluate(script.sha, keys, arguments)
            except NoScriptError:
                script.sha = None
        script.sha = await self._client.script_load(script.text)
        return await self._evaluate(script.sha, keys, arguments)

    async def _evaluate(self, sha: str, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Any:
        # The client's types know one class for blocking and other calls.
        called: Any = self._client.evalsha(sha, len(keys), *keys, *cast("Any", arguments))
        return await called


@asynccontextmanager
async def shared_store(url: str | None, clock: Clock) -> AsyncIterator[SharedStore | None]:
    """Open the store at `url` for the length of the block; None without one. It is not asked before it is needed."""
    if url is None:
        yield None
        return
    client = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_CONNECT_PATIENCE,
        max_connections=_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield SharedStore(client, clock)
    finally:
        await client.aclose()
