"""What the way of a recommendation needs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from database.queries.history import HistoryRow, PreferencesRow
from serving.breaker import Patience
from serving.rankings import RankedCourse, Reason, RecommendationRequest, Vectors


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

    @property
    def version(self) -> str | None:
        """Version of the model that ranks; None while there is none."""
        ...

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> ModelAnswer:
        """Rank courses for a learner, or raise UnavailableError; time in line is told to `patience`.

        Reasons may be left to `explain`.
        """
        ...

    def explain(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Sequence[tuple[Reason, ...]]:
        """Return the reasons of courses that were ranked for a learner, or raise UnavailableError."""
        ...

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> Sequence[str]:
        """Return which retrievers of the first stage bring a course, or raise UnavailableError."""
        ...

    async def vectors(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Vectors:
        """Return what the model ranks courses by, or raise UnavailableError."""
        ...
