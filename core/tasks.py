"""Work in the background that ends with the block that began it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

LOST_SECONDS = 5.0
"""A task that goes on for so long after it was cancelled has not heard of it."""


@asynccontextmanager
async def running(work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Run a coroutine beside the block; at the end of the block it is cancelled and waited for.

    It is cancelled again if it goes on: `asyncio.wait_for`, before Python 3.12 and wherever libraries use it, loses a
    cancellation that comes as what it waits for is done.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        insisting = asyncio.create_task(_cancel_again(task))
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        finally:
            insisting.cancel()


async def _cancel_again(task: asyncio.Task[Any]) -> None:
    while True:
        await asyncio.sleep(LOST_SECONDS)
        task.cancel()
