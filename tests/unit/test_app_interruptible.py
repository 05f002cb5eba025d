"""Work in a thread ends soon after whoever waits for it is interrupted, and not before that."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.interruptible import in_thread
from app.progress import Report


async def test_work_ends_at_its_next_report_and_is_waited_for() -> None:
    """Cancelled, the caller goes on only when the thread has ended; until its next report the work knows nothing."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    told: list[int] = []

    def work(report: Report) -> None:
        report("step", 0, 2)
        began.set()
        go_on.wait()
        try:
            report("step", 1, 2)
        finally:
            ended.set()

    waiting = asyncio.ensure_future(in_thread(work, lambda _step, done, _total: told.append(done)))
    await asyncio.to_thread(began.wait)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
    assert [0] == told


async def test_what_work_returns_or_raises_is_handed_on() -> None:
    """Without an interruption it is a call like any other."""
    assert 42 == await in_thread(lambda _report: 42, lambda *_: None)
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda _report: 1 / 0, lambda *_: None)
