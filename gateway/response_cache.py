"""Answers that are the same for everybody, kept in Valkey until they are old or something in them has changed.

An entry knows the tags of what it was made of (`course:7`) and when its making began. A write sets the moment of
each tag that it concerns; an entry that began before that moment is worthless, even if it was stored after it. So a
slow answer cannot bring back what a write has just changed. All moments are Valkey's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
from opentelemetry import metrics

from core.errors import UnavailableError
from database.notifications import EVERYTHING, is_cached_topic
from execution.directives import CacheHint
from gateway.executors import Answer, Kept
from gateway.shared import Script, SharedStore
from resolvers.tags import tags_of

LONGEST_ANSWER = 256_000
MOST_TAGS = 500
# No hint is longer, or a tag would be forgotten before an entry that needs it.
LONGEST_AGE = 3_600
_PREFIX = "{waymark:answers}"
_MICROSECONDS = 1_000_000

_READ = Script("""
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000000 + t[2])
local entry = redis.call('HMGET', KEYS[1], 'began', 'tags', 'cost', 'data')
if not entry[4] then return {now} end
local began = tonumber(entry[1])
for tag in string.gmatch(entry[2], '%S+') do
  local changed = redis.call('GET', ARGV[1] .. tag)
  if changed and tonumber(changed) >= began then
    redis.call('DEL', KEYS[1])
    return {now}
  end
end
return {now, entry[1], entry[3], entry[4]}
""")
_STORE = Script("""
redis.call('HSET', KEYS[1], 'began', ARGV[1], 'tags', ARGV[2], 'cost', ARGV[3], 'data', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
""")
_INVALIDATE = Script("""
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000000 + t[2])
for i = 3, #ARGV do redis.call('SET', ARGV[1] .. ARGV[i], now, 'EX', ARGV[2]) end
""")

_LOG = logging.getLogger(__name__)
Make = Callable[[Callable[[Sequence[Any]], None]], Awaitable[Answer]]


class Tags:
    """Collects what an answer is made of while it is made; too much of it makes the answer not worth keeping."""

    def __init__(self, named: Iterable[str]) -> None:
        self.found: set[str] = {EVERYTHING, *named}

    def see(self, results: Sequence[Any]) -> None:
        """Look at what a batch resolver answered."""
        if len(self.found) <= MOST_TAGS:
            self.found.update(tags_of(results))


class ResponseCache:
    """Keeps answers, and makes each of them once for all who ask this process at the same time.

    Args:
        store: Valkey.
        contract: what tells one version of the schema from another.
    """

    def __init__(self, store: SharedStore, contract: str) -> None:
        self._store = store
        self._contract = hashlib.sha256(contract.encode()).hexdigest()
        self._making: dict[str, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        meter = metrics.get_meter("waymark.gateway")
        self._asked = meter.create_counter("waymark.answers.asked", description="Answers that may be kept, by outcome.")
        self._stored = meter.create_counter("waymark.answers.stored", description="Answers that were kept.")
        self._dropped = meter.create_counter("waymark.answers.invalidated", description="Tags that writes invalidated.")

    def key(self, digest: str, name: str | None, audience: str, variables: Mapping[str, Any]) -> str:
        """Return what an answer is kept under.

        Args:
            digest: of the document.
            name: of the operation in it.
            audience: who may be given it.
            variables: those that the operation has.
        """
        told = orjson.dumps([self._contract, digest, name, audience, variables], option=orjson.OPT_SORT_KEYS)
        return f"{_PREFIX}:{hashlib.sha256(told).hexdigest()}"

    def is_making(self, key: str) -> bool:
        """Say whether another request makes the answer at this moment."""
        return key in self._making

    async def answer(self, key: str, hint: CacheHint, make: Make, cost: Callable[[Answer], int]) -> Answer:
        """Return the answer that is kept, or else make it, and keep it if it may be.

        Args:
            key: from `key`.
            hint: how long it may be kept, and what writes concern it besides those to its rows.
            make: makes the answer; it is given what to tell the results of batch resolvers to.
            cost: tells what an answer cost.
        """
        while (making := self._making.get(key)) is not None:
            found = await _outcome(making)
            if found is not None:
                self._asked.add(1, {"outcome": "shared"})
                return found
        making = self._making[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._answer(key, hint, make, cost)
            making.set_result(answer)
        finally:
            del self._making[key]
            if not making.done():
                making.cancel()
        return answer

    async def _answer(self, key: str, hint: CacheHint, make: Make, cost: Callable[[Answer], int]) -> Answer:
        try:
            now, *entry = await self._store.run(_READ, [key], [_tag("")])
        except UnavailableError:
            self._asked.add(1, {"outcome": "unavailable"})
            return await make(lambda _results: None)
        if entry:
            began, spent, data = entry
            self._asked.add(1, {"outcome": "hit"})
            age = max(int(now) - int(began), 0) // _MICROSECONDS
            return Answer(orjson.Fragment(data), kept=Kept(age, int(spent)))
        self._asked.add(1, {"outcome": "miss"})
        tags = Tags(hint.tags)
        answer = await make(tags.see)
        if answer.errors or answer.data is None:
            return answer
        spent, written = cost(answer), orjson.dumps(answer.data)
        if len(written) <= LONGEST_ANSWER and len(tags.found) <= MOST_TAGS:
            age = min(hint.max_age or 0, LONGEST_AGE)
            with suppress(UnavailableError):
                await self._store.run(_STORE, [key], [now, " ".join(sorted(tags.found)), spent, written, age])
                self._stored.add(1)
        return replace(answer, data=orjson.Fragment(written), kept=Kept(0, spent))

    def changed(self, topic: str) -> None:
        """Make every answer worthless that was made of what has changed, as `database.notifications` names it."""
        if is_cached_topic(topic):
            task = asyncio.get_running_loop().create_task(self.invalidate([topic]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Make every answer with one of these tags worthless; what cannot be told now is old soon enough."""
        try:
            await self._store.run(_INVALIDATE, [], [_tag(""), LONGEST_AGE, *tags])
            self._dropped.add(len(tags))
        except UnavailableError:
            _LOG.warning("Kept answers with %s may be served until they are old", ", ".join(tags))

    async def drain(self) -> None:
        """Wait for invalidations that are under way."""
        await asyncio.gather(*self._tasks)


def _tag(name: str) -> str:
    return f"{_PREFIX}:tag:{name}"


async def _outcome(making: asyncio.Future[Answer]) -> Answer | None:
    """Wait for an answer that another request makes; None when that request ended without one."""
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        if making.cancelled():
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                return None
        raise
