"""Work beside a block ends with it, whatever becomes of a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from core import tasks
from core.tasks import running


async def test_work_ends_with_its_block() -> None:
    """It is cancelled, and what it does about that is waited for."""
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            told.append("ended")

    async with running(work()):
        await asyncio.sleep(0)
        assert not told
    assert ["ended"] == told
    await asyncio.sleep(0)
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_a_lost_cancellation_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that goes on as if nothing had been said is told again."""
    monkeypatch.setattr(tasks, "LOST_SECONDS", 0.01)
    heard = 0

    async def work() -> None:
        nonlocal heard
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1
                if heard == 3:
                    raise

    async with running(work()):
        await asyncio.sleep(0)
    assert 3 == heard


async def test_a_failure_of_the_work_is_raised_at_the_end() -> None:
    """And nothing goes on insisting."""

    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with running(work()):
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert {asyncio.current_task()} == asyncio.all_tasks()
