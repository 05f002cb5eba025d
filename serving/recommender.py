"""The way of a recommendation: model, else preference, else popularity; always an answer, and it says which.

Only PostgreSQL being away is an error: without it nothing of the platform works.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from opentelemetry import metrics, trace

from core.errors import UnavailableError
from database.queries.history import HISTORY, PREFERENCES, HistoryRow, PreferencesRow
from database.queries.recommendations import DISMISSED
from database.session import Reader
from database.tables.enrollments import EnrollmentStatus
from serving.breaker import Breaker, BusyError, DeclinedError, Patience
from serving.fallback import fall_back
from serving.rankings import (
    RankedCourse,
    RankedList,
    Reason,
    ReasonKind,
    RecommendationRequest,
    Strategy,
)

__all__ = [
    "RankedCourse",
    "RankedList",
    "Reason",
    "ReasonKind",
    "RecommendationRequest",
    "Recommender",
    "Strategy",
]

_LOG = logging.getLogger(__name__)


class ModelAnswer(Protocol):
    """A model's list."""

    @property
    def version(self) -> str:
        """Version of the release."""
        ...

    @property
    def courses(self) -> tuple[RankedCourse, ...]:
        """Best first."""
        ...


class Model(Protocol):
    """What ranks by model: `serving.engine.RankingEngine`, which is only imported where it is wanted."""

    def unready(self, now: datetime) -> str | None:
        """Return why it is not worth asking, such as a model that was never trained; None when it is."""
        ...

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> ModelAnswer:
        """Rank courses for a learner, or raise UnavailableError; time in line is told to `patience`."""
        ...


class Recommender:
    """Answers `recommendedCourses`.

    Args:
        model: ranks by model; None where recommendations are off.
        deadline: seconds that the model's way may take, reads of the history included.
        breaker: pauses the model's way after failures, so that they do not cost every request the deadline.
    """

    def __init__(self, model: Model | None, deadline: float, breaker: Breaker | None = None) -> None:
        self._model = model
        self._deadline = deadline
        self._breaker = breaker or Breaker()
        self._tracer = trace.get_tracer("waymark.serving")
        self._answers = metrics.get_meter("waymark.serving").create_counter(
            "waymark.recommendations", description="Lists answered, by strategy and cause of falling back."
        )

    async def recommend(self, reader: Reader, request: RecommendationRequest) -> RankedList:
        """Return the best list there is: at most four statements, and no error of any part but PostgreSQL.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        with self._tracer.start_as_current_span("recommendation") as span:
            ranked = await self._recommend(reader, request)
            cause = (ranked.fallback_cause or "none").partition(":")[0]
            span.set_attribute("waymark.strategy", ranked.strategy.value)
            span.set_attribute("waymark.fallback_cause", cause)
            self._answers.add(1, {"strategy": ranked.strategy.value, "cause": cause})
            return ranked

    async def _recommend(self, reader: Reader, request: RecommendationRequest) -> RankedList:
        if request.learner_id is None or request.limit < 1:
            return await fall_back(reader, request, None, None)
        ends = asyncio.get_running_loop().time() + self._deadline
        history = await reader.fetch(HISTORY, learner_id=request.learner_id)
        preferences = await reader.fetch_first(PREFERENCES, learner_id=request.learner_id)
        cause = None
        if any(row.status != EnrollmentStatus.WITHDRAWN.value for row in history):
            dismissed: set[int] = set()
            if self._model is not None:
                dismissed = {row.id for row in await reader.fetch(DISMISSED, learner_id=request.learner_id)}
            longer = replace(request, limit=request.limit + len(dismissed))
            ranked = await self._by_model(longer, history, preferences, ends)
            if isinstance(ranked, RankedList):
                kept = [course for course in ranked.courses if course.course_id not in dismissed]
                return replace(ranked, courses=tuple(kept[: request.limit]))
            cause = ranked
        return await fall_back(reader, request, preferences, cause)

    async def _by_model(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        ends: float,
    ) -> RankedList | str:
        """Return the model's list, or why there is none."""
        if self._model is None:
            return "off"
        unready = self._model.unready(request.now)
        if unready is not None:
            return f"unready: {unready}"
        if not self._breaker.allows(request.now):
            return "paused"
        try:
            answer = await self._in_time(self._model, request, history, preferences, ends)
        except DeclinedError as error:
            return "busy" if isinstance(error, BusyError) else f"unavailable: {error}"
        except TimeoutError:
            cause = "deadline"
        except UnavailableError as error:
            cause = f"unavailable: {error}"
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in ranking, the learner gets a list.
            _LOG.exception("Ranking failed.")
            cause = f"failure: {type(error).__name__}"
        else:
            self._breaker.succeeded()
            return RankedList(Strategy.MODEL, answer.version, answer.courses)
        self._breaker.failed(request.now)
        _LOG.warning("Ranking fell back: %s", cause)
        return cause

    async def _in_time(
        self,
        model: Model,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        ends: float,
    ) -> ModelAnswer:
        """Return the model's answer.

        Neither a line of other requests nor a slow read of the history may pause the model for everybody: the
        deadline is only missed by the model when its parts had most of it for themselves.

        Raises:
            BusyError: the deadline passed, most likely in line.
            TimeoutError: the deadline passed because of the model's parts.
        """
        patience, since = Patience(), time.monotonic()
        try:
            async with asyncio.timeout_at(ends):
                return await model.rank(request, history, preferences, patience)
        except TimeoutError as error:
            worked = time.monotonic() - since - patience.waited
            if worked >= self._deadline / 2 and worked >= 4 * patience.waited:
                raise
            raise BusyError("The deadline passed before the model had its time.") from error
