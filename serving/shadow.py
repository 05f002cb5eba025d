"""A model beside what is shown: it ranks after the answer, is compared, and is never seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from opentelemetry import metrics

from core.errors import UnavailableError
from serving.breaker import BusyError
from serving.rankings import RankedCourse, RankedList

_LOG = logging.getLogger(__name__)

COMPARED = 10
_PATIENCE = 5.0


class Shadow:
    """Compares in the background.

    Args:
        of: what is in shadow, as metrics call it: the `model` as a whole, or a `candidate` beside the live release.
        most: comparisons at a time; what comes while they run is not compared, so that a busy server stays fast.

    Attributes:
        compared: how many lists were compared.
        skipped: how many were not, because others were being compared, or the model could not answer.
    """

    def __init__(self, of: str = "model", most: int = 2) -> None:
        self._of = of
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self.compared = 0
        self.skipped = 0
        meter = metrics.get_meter("waymark.serving")
        self._overlap = meter.create_histogram(
            "waymark.recommendations.shadow_overlap",
            description=f"Share of the first {COMPARED} courses shown that the one in shadow has there too.",
        )
        self._outcomes = meter.create_counter(
            "waymark.recommendations.shadow", description="Comparisons with what is in shadow, by outcome."
        )

    def compare(self, shown: Sequence[RankedCourse], ranked: Callable[[], Awaitable[RankedList]]) -> None:
        """Compare what is shown with what the model would have shown, some time later; returns at once.

        Args:
            shown: the list, best first.
            ranked: asks the model.
        """
        if len(self._tasks) >= self._most:
            self._skip("busy")
            return
        task = asyncio.create_task(self._compare([course.course_id for course in shown[:COMPARED]], ranked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait for the comparisons under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """End the comparisons under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.settled()

    async def _compare(self, shown: Sequence[int], ranked: Callable[[], Awaitable[RankedList]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await ranked()
        except BusyError:
            self._skip("busy")
            return
        except (UnavailableError, TimeoutError):
            self._skip("unavailable")
            return
        except Exception:  # noqa: BLE001 - nobody waits for this, and nobody is shown it.
            _LOG.exception("The model in shadow failed.")
            self._skip("failure")
            return
        there = {course.course_id for course in found.courses[:COMPARED]}
        self.compared += 1
        self._outcomes.add(1, {"of": self._of, "outcome": "compared"})
        if shown:
            share = len(there.intersection(shown)) / len(shown)
            self._overlap.record(share, {"of": self._of, "version": found.model_version or ""})

    def _skip(self, outcome: str) -> None:
        self.skipped += 1
        self._outcomes.add(1, {"of": self._of, "outcome": outcome})
