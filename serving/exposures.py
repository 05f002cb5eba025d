"""What was shown, with what it was ranked by: logged in the background, so that training can learn from it.

A stable share of the lists is logged. Each place of a list counts once, however often its page is asked for and of
whichever server. Nobody waits for it: what comes while too much is under way is not logged, and is counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from opentelemetry import metrics

from core.errors import UnavailableError
from database.queries import events as event_queries, recommendations as queries
from database.queries.events import NewEvent
from database.queries.recommendations import Exposure
from database.session import Database
from database.tables.events import EventKind
from serving.rankings import ListPage, ReasonKind, RecommendationRequest, Vectors

_LOG = logging.getLogger(__name__)
_MOST_UNDER_WAY = 4
_MOST_REMEMBERED = 10_000
_PARTS = 10_000
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class _Shown:
    request: RecommendationRequest
    page: ListPage


class Exposures:
    """Logs pages.

    Args:
        database: where events are written.
        share: of the lists, from 0 to 1.

    Attributes:
        logged: places that were new.
        dropped: pages that were not logged.
    """

    def __init__(self, database: Database, share: float) -> None:
        self._database = database
        self._share = share
        self._tasks: set[asyncio.Task[None]] = set()
        # Pages of this process: the database decides, and most repeats need not ask it.
        self._seen: OrderedDict[tuple[UUID, int, int], None] = OrderedDict()
        self.logged = 0
        self.dropped = 0
        self._outcomes = metrics.get_meter("waymark.serving").create_counter(
            "waymark.recommendations.exposures", description="Pages of the model's lists, by whether they were logged."
        )

    def note(self, request: RecommendationRequest, page: ListPage, vectors: Callable[[], Awaitable[Vectors]]) -> None:
        """Log a page some time later, if its list belongs to the share; returns at once."""
        key = (page.list_id, page.start, page.end)
        if key in self._seen or not self.is_sampled(page.list_id):
            return
        if len(self._tasks) >= _MOST_UNDER_WAY:
            self._drop("busy")
            return
        self._seen[key] = None
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        task = asyncio.create_task(self._log(_Shown(request, page), vectors))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def is_sampled(self, list_id: UUID) -> bool:
        """Say whether a list belongs to the share: all of its pages do, or none."""
        digest = hashlib.blake2b(list_id.bytes, digest_size=8).digest()
        return int.from_bytes(digest, "big") % _PARTS < round(self._share * _PARTS)

    async def settled(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _log(self, shown: _Shown, vectors: Callable[[], Awaitable[Vectors]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await vectors()
                if found.version != shown.page.model_version:
                    # Another release has taken over: these are not what the list was ranked by.
                    self._drop("another release")
                    return
                new = await self._write(shown, found)
                self.logged += new
        except (UnavailableError, TimeoutError):
            self._drop("unavailable")
        except Exception:  # noqa: BLE001 - nobody waits for this.
            _LOG.exception("What was shown could not be logged.")
            self._drop("failure")
        else:
            self._outcomes.add(1, {"outcome": "logged"})

    async def _write(self, shown: _Shown, found: Vectors) -> int:
        request, page = shown.request, shown.page
        learner_id = request.learner_id
        assert learner_id is not None  # noqa: S101 - the model ranks for learners only.
        places = {
            Exposure(page.list_id, rank, learner_id): course
            for rank, course in page.courses
            if course.course_id in found.rows
        }
        async with self._database.transaction() as connection:
            new = await queries.log_once(connection, list(places), request.now)
            logged = [
                NewEvent(
                    EventKind.RECOMMENDATION_RANKED,
                    learner_id=learner_id,
                    course_id=course.course_id,
                    occurred_at=request.now,
                    payload={
                        "rank": place.place,
                        "score": course.score,
                        "surface": None if request.surface is None else request.surface.value,
                        "model": found.version,
                        "explored": any(reason.kind is ReasonKind.NEW_COURSE for reason in course.reasons),
                        "features": _readable(found, course.course_id),
                    },
                    recommendation_id=page.list_id,
                )
                for place, course in places.items()
                if place in new
            ]
            await event_queries.insert_many(connection, logged, request.now)
        return len(logged)

    def _drop(self, outcome: str) -> None:
        self.dropped += 1
        self._outcomes.add(1, {"outcome": outcome})


def _readable(found: Vectors, course_id: int) -> dict[str, float | None]:
    """Return the features by name; JSON has neither NaN nor infinite numbers."""
    values = zip(found.names, found.rows[course_id], strict=True)
    return {name: value if math.isfinite(value) else None for name, value in values}
