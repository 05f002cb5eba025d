"""Work in several threads whose results come in the order of the work, so that figures do not depend on their number.

NumPy, SciPy, XGBoost and our compiled loops let go of the interpreter's lock while they compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def in_order(function: Callable[[ItemT], ResultT], items: Iterable[ItemT], threads: int) -> Generator[ResultT]:
    """Yield what a function makes of each item, in the order of the items, which the caller's thread takes.

    Args:
        function: must not mind in which thread it is called, nor beside which other call.
        items: taken one by one, no more than are worked on and one.
        threads: how many work beside the caller's, which takes the items and waits; with one the caller's does all.

    A loop over it that fails closes it. Who keeps it in a variable closes it, as the failure would keep it too.
    """
    if threads <= 1:
        for item in items:
            yield function(item)
        return
    waiting: deque[Future[ResultT]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="training")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Where something failed, or nobody asks any more, what was not begun is left; nothing is left running.
        pool.shutdown(cancel_futures=True)
