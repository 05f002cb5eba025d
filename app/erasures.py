"""Erasures, followed: whoever deleted their account is deleted from Valkey within moments, for as long as this serves.

Features online and ranked lists are deleted without a materialization, which forgets everywhere: see `app.forgetting`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import redis
import redis.asyncio

from core.clock import Clock
from core.errors import UnavailableError
from core.tasks import running
from database.notifications import ERASURES, Notifications, Watch
from database.queries.erasures import RECENT_ERASURES
from database.session import Database
from feature_repo.store import PATIENCE, PROJECT, online_keys
from serving.lists import KEYS, owner_of

_LOG = logging.getLogger(__name__)
_BATCH = 5_000
_LOOK_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_MARGIN = timedelta(minutes=5)
"""Clocks differ, and a request that was under way may keep a list a moment after its learner was erased."""


@dataclass(frozen=True, slots=True)
class ForgottenKeys:
    """What was deleted in Valkey: learners with features online, and keys of ranked lists."""

    online: int = 0
    lists: int = 0


async def forget_in_valkey(
    redis_url: str, learner_ids: Collection[int], *, listed: Collection[int] | None = None, project: str = PROJECT
) -> ForgottenKeys:
    """Delete what is online of learners, and the lists that are kept for them.

    Args:
        redis_url: of Valkey.
        learner_ids: who.
        listed: those of them who may have lists; everybody when None. Lists are looked for among all keys.
        project: of the online store.

    Raises:
        UnavailableError: Valkey does not answer.
    """
    if not learner_ids:
        return ForgottenKeys()
    known = frozenset(learner_ids if listed is None else listed)
    try:
        async with redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            online = await _delete(client, online_keys(project, learner_ids))
            lists = await _delete(client, await _lists_of(client, known)) if known else 0
    except (redis.RedisError, OSError) as error:
        raise UnavailableError(f"The online store cannot be reached: {error}") from error
    return ForgottenKeys(online, lists)


async def _lists_of(client: redis.asyncio.Redis, learner_ids: frozenset[int]) -> list[bytes]:
    return [key async for key in client.scan_iter(f"{KEYS}*", count=_BATCH) if owner_of(key) in learner_ids]


async def _delete(client: redis.asyncio.Redis, keys: Sequence[bytes]) -> int:
    return sum([await client.delete(*keys[start : start + _BATCH]) for start in range(0, len(keys), _BATCH)])


@asynccontextmanager
async def forgetting(
    database: Database,
    redis_url: str,
    clock: Clock,
    notifications: Notifications,
    *,
    list_lifetime: timedelta,
    interval: float = _LOOK_SECONDS,
) -> AsyncIterator[None]:
    """Delete from Valkey who was erased, moments after it is told and every `interval` seconds, until the block ends.

    Those whom no materialization has forgotten yet are deleted each time, because one that was interrupted may have
    written them again.
    """

    async def look() -> None:
        recent = clock() - list_lifetime - _MARGIN
        async with database.reader() as reader:
            rows = await reader.fetch(RECENT_ERASURES, since=recent)
        await forget_in_valkey(
            redis_url,
            [row.learner_id for row in rows],
            listed=[row.learner_id for row in rows if row.erased_at > recent],
        )

    with notifications.watch(ERASURES) as watch:
        async with running(_follow(watch, look, interval)):
            yield


async def _follow(watch: Watch, look: Callable[[], Awaitable[None]], interval: float) -> None:
    while True:
        try:
            await look()
        except UnavailableError as error:
            _LOG.warning("Whoever was erased stays in Valkey for now: %s", error)
        except Exception:  # noqa: BLE001 - whatever it is, the next look must come.
            _LOG.exception("Whoever was erased stays in Valkey for now.")
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            async with asyncio.timeout(interval):
                if not await watch.changed():
                    return
        except TimeoutError:
            continue
