"""Lines of requests before what serves only some of them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from serving.breaker import BusyError, Patience

MOST_ASKING = 32
"""How many requests a release has at a time, nearly all of them in line; more are sent away at once."""

ResultT = TypeVar("ResultT")
Arguments = ParamSpec("Arguments")


class Line:
    """Requests stand in line here and not in the queues of threads, where waiting looks like working.

    Args:
        places: how many are served at a time.
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._working: set[asyncio.Future[Any]] = set()

    async def through(self, work: Callable[[], Awaitable[ResultT]], patience: Patience) -> ResultT:
        """Wait for a place, then do the work in it."""
        with patience.waiting():
            await self._places.acquire()
        working = asyncio.ensure_future(work())
        self._working.add(working)

        def leave(done: asyncio.Future[ResultT]) -> None:
            self._working.discard(done)
            self._places.release()

        # A thread cannot be interrupted: who gives up leaves its place taken until the thread is really free.
        working.add_done_callback(leave)
        return await asyncio.shield(working)

    def close(self) -> None:
        """End what is under way."""
        for working in tuple(self._working):
            working.cancel()


class RankingThread:
    """A thread that ranks, and the line before it.

    Ranking is CPU work that mostly holds the GIL: one thread of its own keeps the event loop responsive.
    """

    def __init__(self) -> None:
        # Nothing is started before somebody asks.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ranking")
        self._line = Line(1)
        self._asking = 0

    @property
    def is_idle(self) -> bool:
        """Whether nobody asks."""
        return self._asking == 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count somebody who asks while the block lasts.

        Raises:
            BusyError: too many others ask.
        """
        if self._asking >= MOST_ASKING:
            raise BusyError("Too many ask for a ranking at once.")
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    async def run(
        self,
        patience: Patience,
        work: Callable[Arguments, ResultT],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> ResultT:
        """Do the work in the thread, when its turn has come."""
        loop = asyncio.get_running_loop()
        return await self._line.through(
            lambda: loop.run_in_executor(self._executor, lambda: work(*arguments, **named)), patience
        )

    def close(self) -> None:
        """End the thread."""
        self._line.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
