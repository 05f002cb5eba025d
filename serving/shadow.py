"""The model beside what is shown: it ranks after the answer, is compared, and is never seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from opentelemetry import metrics

from core.errors import UnavailableError
from serving.rankings import RankedCourse

_LOG = logging.getLogger(__name__)

COMPARED = 10
_MOST_WAITING = 2
"""Comparisons at a time; what comes while they run is not compared, so that a busy server stays fast."""
_PATIENCE = 5.0


class Shadow:
    """Compares in the background.

    Attributes:
        compared: how many lists were compared.
        skipped: how many were not, because others were being compared, or the model could not answer.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.compared = 0
        self.skipped = 0
        meter = metrics.get_meter("waymark.serving")
        self._overlap = meter.create_histogram(
            "waymark.recommendations.shadow_overlap",
            description=f"Share of the first {COMPARED} courses shown that the model in shadow has there too.",
        )
        self._outcomes = meter.create_counter(
            "waymark.recommendations.shadow", description="Comparisons with the model in shadow, by outcome."
        )

    def compare(self, shown: Sequence[RankedCourse], ranked: Callable[[], Awaitable[Sequence[RankedCourse]]]) -> None:
        """Compare what is shown with what the model would have shown, some time later; returns at once.

        Args:
            shown: the list, best first.
            ranked: asks the model.
        """
        if len(self._tasks) >= _MOST_WAITING:
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

    async def _compare(self, shown: Sequence[int], ranked: Callable[[], Awaitable[Sequence[RankedCourse]]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                courses = await ranked()
        except (UnavailableError, TimeoutError):
            self._skip("unavailable")
            return
        except Exception:  # noqa: BLE001 - nobody waits for this, and nobody is shown it.
            _LOG.exception("The model in shadow failed.")
            self._skip("failure")
            return
        there = {course.course_id for course in courses[:COMPARED]}
        self.compared += 1
        self._outcomes.add(1, {"outcome": "compared"})
        if shown:
            self._overlap.record(len(there.intersection(shown)) / len(shown))

    def _skip(self, outcome: str) -> None:
        self.skipped += 1
        self._outcomes.add(1, {"outcome": outcome})
