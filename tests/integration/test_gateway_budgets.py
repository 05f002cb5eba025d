"""Budgets of clients, on a real Valkey, with several processes' worth of them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import redis.asyncio
from typing_extensions import override

from core.clock import ManualClock
from gateway.budgets import Budgets
from gateway.refusals import OverBudgetError
from gateway.shared import Script, SharedStore, shared_store

CAPACITY, REFILL = 1_000, 10.0


class CountingStore(SharedStore):
    """A store that counts how often Valkey is asked."""

    asked = 0

    @override
    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Any:
        """Count, and ask."""
        self.asked += 1
        return await super().run(script, keys, arguments)


@pytest_asyncio.fixture
async def store(valkey_url: str, clock: ManualClock) -> AsyncIterator[CountingStore]:
    """Valkey."""
    client = redis.asyncio.Redis.from_url(valkey_url)
    yield CountingStore(client, clock)
    await client.aclose()


@pytest.fixture
def client() -> str:
    """A client that nobody knows yet."""
    return uuid4().hex


@pytest.fixture
def one(store: CountingStore, clock: ManualClock) -> Budgets:
    """The budgets as one process sees them."""
    return Budgets(store, CAPACITY, REFILL, clock)


@pytest.fixture
def other(store: CountingStore, clock: ManualClock) -> Budgets:
    """The budgets as another process sees them."""
    return Budgets(store, CAPACITY, REFILL, clock)


async def test_requests_are_paid_out_of_a_portion(one: Budgets, store: CountingStore, client: str) -> None:
    """Ten requests of one point ask Valkey once."""
    for _ in range(10):
        await one.take(client, 1)
    assert (1, CAPACITY - 10) == (store.asked, one.remaining(client))


async def test_processes_share_a_budget(one: Budgets, other: Budgets, client: str) -> None:
    """What one has spent, the other cannot."""
    await one.take(client, 900)
    await other.take(client, 80)
    with pytest.raises(OverBudgetError) as refused:
        await other.take(client, 30)
    assert 1 == refused.value.seconds
    with pytest.raises(OverBudgetError) as refused:
        await one.take(client, 500)
    assert 48 == refused.value.seconds


async def test_budget_grows_with_time(one: Budgets, store: CountingStore, client: str, clock: ManualClock) -> None:
    """Who is over budget waits as long as they are told, and asks Valkey nothing meanwhile."""
    await one.take(client, CAPACITY)
    for _ in range(5):
        with pytest.raises(OverBudgetError) as refused:
            await one.take(client, 100)
        assert 10 == refused.value.seconds
    assert 2 >= store.asked
    clock.now += timedelta(seconds=9)
    with pytest.raises(OverBudgetError):
        await one.take(client, 100)
    assert 2 >= store.asked
    clock.now += timedelta(seconds=1)
    await one.take(client, 100)
    clock.now += timedelta(days=1)
    assert CAPACITY == one.remaining(client)
    await one.take(client, CAPACITY)


async def test_what_was_not_used_goes_back(one: Budgets, other: Budgets, client: str) -> None:
    """To the portion, and what is too much for it to the bucket, where the other process finds it."""
    await one.take(client, 900)
    one.settle(client, 880)
    await one.drain()
    assert 980 == one.remaining(client)
    await other.take(client, 960)


async def test_what_was_used_besides_is_paid_later(one: Budgets, client: str) -> None:
    """An answer that was longer than assumed is a debt."""
    await one.take(client, 10)
    one.settle(client, -500)
    assert 490 == one.remaining(client)
    with pytest.raises(OverBudgetError):
        await one.take(client, 491)


async def test_no_race_spends_more_than_there_is(one: Budgets, other: Budgets, client: str) -> None:
    """Two processes, three hundred requests at once: as many pass as the budget has, and hardly fewer."""

    async def ask(budgets: Budgets) -> int:
        try:
            await budgets.take(client, 7)
        except OverBudgetError:
            return 0
        return 7

    spent = sum(await asyncio.gather(*(ask((one, other)[number % 2]) for number in range(300))))
    assert CAPACITY - 40 <= spent <= CAPACITY


async def test_clients_do_not_share(one: Budgets, client: str) -> None:
    """One that is over budget disturbs nobody."""
    await one.take(client, CAPACITY)
    await one.take(f"{client}-other", CAPACITY)


async def test_without_valkey_budgets_are_of_the_process(
    clock: ManualClock, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests go on, the budget holds in each process, and the log says so once."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{reserved.getsockname()[1]}/0"
        async with shared_store(url, clock) as away:
            budgets = Budgets(away, CAPACITY, REFILL, clock)
            with caplog.at_level(logging.WARNING):
                for _ in range(20):
                    await budgets.take(client, 50)
                with pytest.raises(OverBudgetError):
                    await budgets.take(client, 50)
    assert 1 == caplog.text.count("Valkey does not answer")


async def test_valkey_that_comes_back_is_used_again(
    valkey_url: str, clock: ManualClock, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After the pause of the breaker."""
    async with shared_store(valkey_url, clock) as store:
        assert store is not None
        budgets = Budgets(store, CAPACITY, REFILL, clock)
        wrong = Script("return redis.call('NOTHING')")
        for _ in range(3):
            with pytest.raises(Exception, match="Valkey does not answer"):
                await store.run(wrong, [], [])
        await budgets.take(client, 900)
        assert CAPACITY - 900 == budgets.remaining(client)
        clock.now += timedelta(seconds=6)
        await budgets.take(client, 1_000)
    assert "Valkey answers again" in caplog.text


async def test_no_store_is_no_outage(clock: ManualClock, client: str) -> None:
    """A server without Valkey has budgets all the same."""
    async with shared_store(None, clock) as nothing:
        budgets = Budgets(nothing, CAPACITY, REFILL, clock)
        await budgets.take(client, CAPACITY)
        with pytest.raises(OverBudgetError):
            await budgets.take(client, 1)
