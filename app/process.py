"""How a process that serves is set up: its event loop, and when it looks for garbage."""

from __future__ import annotations

import asyncio
import atexit
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

# A request makes some thousands of objects that it leaves behind without cycles. At Python's 700 each one is looked
# through several times while it is answered; rarely is enough for the few cycles that there are.
_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the fastest event loop that is installed."""
    from uvicorn.loops.auto import auto_loop_factory  # noqa: PLC0415 - not wanted by commands that only look.

    return auto_loop_factory()


def run_on_fast_loop(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def settle() -> None:
    """Leave what was made until now out of garbage collection for good: modules, schema, compiled operations.

    Called once, when a server is about to answer its first request.
    """
    gc.collect()
    gc.freeze()
    # What is never collected looks like a leak to libraries that count their objects when the process ends (DuckDB).
    atexit.register(gc.unfreeze)
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
