"""How much of the server a client may use: a token bucket for each, shared by all processes, leased in portions.

A process takes a portion of a client's bucket from Valkey and spends it without asking again, so that a request costs
no round trip. What an operation cost less than was feared goes back to the portion, and what is too much for a
portion goes back to the bucket. Without Valkey each process has a bucket of its own for each client.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass, field

from opentelemetry import metrics

from core.clock import Clock
from core.errors import UnavailableError
from gateway.refusals import OverBudgetError
from gateway.shared import Script, SharedStore

_MOST_CLIENTS = 20_000
_PORTIONS = 100
_LEASE = Script("""
local capacity, refill, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local need, want = tonumber(ARGV[4]), tonumber(ARGV[5])
local bucket = redis.call('HMGET', KEYS[1], 'points', 'at')
local points, at = tonumber(bucket[1] or capacity), tonumber(bucket[2] or now)
points = math.min(capacity, points + math.max(now - at, 0) * refill)
local granted = 0
if points >= need then granted = math.min(points, want) end
points = math.min(capacity, points - granted)
redis.call('HSET', KEYS[1], 'points', tostring(points), 'at', tostring(math.max(at, now)))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - points) / refill * 1000) + 1000)
return {tostring(granted), tostring(points)}
""")


@dataclass(slots=True)
class _Lease:
    """What a process holds of a client's bucket, and what it knows of the rest.

    Attributes:
        points: to be spent without asking.
        shared: what was in the bucket when it was seen last.
        seen: when that was, in seconds.
        empty: whether more was asked for than there was.
        asking: held by the one request that asks for more; the others wait for what it gets.
    """

    points: float
    shared: float
    seen: float
    empty: bool = False
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Bucket:
    """A client's bucket in this process, for when there is no other."""

    points: float
    at: float


class Budgets:
    """The budgets of all clients.

    Args:
        store: where the buckets are; None keeps them in this process.
        capacity: what a client may save up.
        refill: points a second.
        clock: the current moment.
    """

    def __init__(self, store: SharedStore | None, capacity: int, refill: float, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._portion = max(capacity // _PORTIONS, 1)
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._tasks: set[asyncio.Task[object]] = set()
        self._counter = metrics.get_meter("waymark.gateway").create_counter(
            "waymark.budgets", description="Portions of clients' budgets that were leased, by where from."
        )
        self.capacity = capacity
        self.refill = refill

    async def take(self, client: str, cost: int) -> None:
        """Take what an operation may cost out of the budget of a client.

        Raises:
            OverBudgetError: there is not so much in it; it says when there will be.
        """
        lease = self._lease_of(client)
        if not _spent(lease, cost):
            async with lease.asking:
                if not _spent(lease, cost):
                    await self._take_more(client, lease, cost)

    async def _take_more(self, client: str, lease: _Lease, cost: int) -> None:
        # What others of the same client take meanwhile must not be counted twice.
        held, lease.points = lease.points, 0.0
        missing = cost - held
        try:
            # Who is over budget is told so from memory until there can be enough.
            if lease.empty and self._shared(lease) < missing:
                granted = 0.0
            else:
                granted, lease.shared = await self._lease(client, missing, max(missing, self._portion))
                lease.seen = self._now()
        except BaseException:
            lease.points += held
            raise
        lease.empty = granted < missing
        if lease.empty:
            lease.points += held
            raise OverBudgetError(cost, math.ceil((missing - self._shared(lease)) / self.refill))
        lease.points += held + granted - cost

    def settle(self, client: str, points: float) -> None:
        """Give back what an operation cost less than was taken for it, or take what it cost more."""
        lease = self._lease_of(client)
        lease.points += points
        if lease.points > 2 * self._portion:
            surplus = lease.points - self._portion
            lease.points -= surplus
            lease.shared = min(self.capacity, lease.shared + surplus)
            task: asyncio.Task[object] = asyncio.create_task(self._lease(client, 0, -surplus))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def remaining(self, client: str) -> int:
        """Return what a client may still spend, as far as this process knows."""
        lease = self._lease_of(client)
        return max(math.floor(min(self._shared(lease) + lease.points, self.capacity)), 0)

    async def drain(self) -> None:
        """Wait for what is on its way back to the buckets."""
        await asyncio.gather(*self._tasks)

    def _now(self) -> float:
        return self._clock().timestamp()

    def _shared(self, lease: _Lease) -> float:
        return min(lease.shared + max(self._now() - lease.seen, 0) * self.refill, self.capacity)

    def _lease_of(self, client: str) -> _Lease:
        lease = self._leases.get(client)
        if lease is None:
            lease = self._leases[client] = _Lease(0.0, self.capacity, self._now())
            if len(self._leases) > _MOST_CLIENTS:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(client)
        return lease

    async def _lease(self, client: str, need: float, want: float) -> tuple[float, float]:
        """Return how much was granted out of a bucket, and what is left in it; a negative wish gives back."""
        now = self._now()
        if self._store is not None:
            try:
                granted, left = await self._store.run(
                    _LEASE, [f"waymark:budget:{client}"], [self.capacity, self.refill, now, need, want]
                )
            except UnavailableError:
                pass
            else:
                self._counter.add(1, {"from": "shared"})
                return float(granted), float(left)
        self._counter.add(1, {"from": "process"})
        return self._local(client, now, need, want)

    def _local(self, client: str, now: float, need: float, want: float) -> tuple[float, float]:
        """Do what the script does, in this process."""
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(self.capacity, now)
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        points = min(self.capacity, bucket.points + max(now - bucket.at, 0) * self.refill)
        granted = min(points, want) if points >= need else 0.0
        bucket.points = min(self.capacity, points - granted)
        bucket.at = max(bucket.at, now)
        return granted, bucket.points


def _spent(lease: _Lease, cost: int) -> bool:
    """Spend what is at hand, if it is enough."""
    if lease.points < cost:
        return False
    lease.points -= cost
    return True
