"""Long work in a thread that ends soon after whoever waits for it is interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from app.progress import Report

ResultT = TypeVar("ResultT")


class StoppedError(Exception):
    """The work was ended at a report of its progress."""


async def in_thread(work: Callable[[Report], ResultT], report: Report) -> ResultT:
    """Run work in a thread; cancelled, end it at its next report of progress, and only then go on.

    Args:
        work: is given what it tells of its progress.
        report: is told what the work tells.

    Raises:
        CancelledError: the caller was cancelled.
    """
    stopping = threading.Event()

    def told(step: str, done: int, total: int) -> None:
        if stopping.is_set():
            raise StoppedError
        report(step, done, total)

    running = asyncio.ensure_future(asyncio.to_thread(work, told))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stopping.set()
        with suppress(StoppedError):
            await running
        raise
