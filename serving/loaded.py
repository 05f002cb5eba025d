"""A release that is loaded and laid over the course matrix, asked for one learner at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import UnavailableError
from database.queries.history import HistoryRow, PreferencesRow
from database.tables.enrollments import EnrollmentStatus
from features.interactions import Integers
from serving.breaker import Patience
from serving.lines import Line, RankingThread
from serving.ranker import Question, RankingModel, as_microseconds, explain, rank, retrieved_by, vectors
from serving.rankings import RankedCourse, Reason, RecommendationRequest, Vectors

READERS = 4
"""How many requests read the online store at a time, as many as it has threads."""

_MOST_MASKS = 16


class LearnerFeatures(Protocol):
    """What ranking needs of `serving.learner_features.LearnerFeatures`."""

    async def read(self, learner_id: int) -> Mapping[str, float]:
        """Return stored features by name, NaN where nothing is known; raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered, and which one it was."""

    version: str
    courses: tuple[RankedCourse, ...]


class Learners:
    """What releases read of learners, the same for all of them.

    Args:
        learner_features: reads the online store.
    """

    def __init__(self, learner_features: LearnerFeatures) -> None:
        self._learner_features = learner_features
        self._line = Line(READERS)
        self._masks: deque[tuple[Integers, frozenset[int], NDArray[np.bool_]]] = deque(maxlen=_MOST_MASKS)

    async def stored(self, learner_id: int, patience: Patience) -> Mapping[str, float]:
        """Return the stored features of a learner, read once for whoever ranks them with this patience.

        Raises:
            UnavailableError: the online store cannot be read.
        """
        if patience.stored is None:
            patience.stored = await self._line.through(lambda: self._learner_features.read(learner_id), patience)
        return patience.stored

    def mask(self, ids: Integers, readable: frozenset[int]) -> NDArray[np.bool_]:
        """Return bool[n], which courses of a matrix are readable; remembered, as many learners read the same."""
        for courses, known, mask in self._masks:
            if courses is ids and known is readable:
                return mask
        mask = np.isin(ids, np.fromiter(readable, np.int64, len(readable)))
        self._masks.appendleft((ids, readable, mask))
        return mask

    def close(self) -> None:
        """End what is being read."""
        self._line.close()


class LoadedModel:
    """Ranks with one release.

    Args:
        ranking: the release over the course matrix.
        learners: what is read of learners.
        thread: ranks.
        stale_after: age of the features at which they are not ranked by any more.
    """

    def __init__(
        self, ranking: RankingModel, learners: Learners, thread: RankingThread, stale_after: timedelta
    ) -> None:
        self.ranking = ranking
        self._learners = learners
        self._thread = thread
        self._stale_after = stale_after

    @property
    def version(self) -> str:
        """Version of the release."""
        return self.ranking.version

    def unready(self, now: datetime) -> str | None:
        """Return why there is nothing to rank with: features that are too old."""
        as_of = self.ranking.matrix.features_as_of
        return f"the features are stale, they are of {as_of:%Y-%m-%d}" if now - as_of > self._stale_after else None

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> Answer:
        """Rank courses for a learner; the time in line is told to `patience`.

        Raises:
            BusyError: too many others ask.
            UnavailableError: a part is missing.
        """
        assert request.learner_id is not None  # noqa: S101 - the recommender asks for known learners only.
        with self._thread.admitted():
            stored = await self._learners.stored(request.learner_id, patience)
            question = self._question(request, history, preferences, stored)
            return Answer(self.version, await self._thread.run(patience, rank, self.ranking, question))

    def explain(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Sequence[tuple[Reason, ...]]:
        """Return the reasons of courses that were ranked for a learner, as of the newest features.

        Raises:
            UnavailableError: no course of the history is known.
        """
        return explain(self.ranking, self._question(request, history, preferences, {}), course_ids)

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> tuple[str, ...]:
        """Return which retrievers bring a course for a learner; errors as for `explain`."""
        return retrieved_by(self.ranking, self._question(request, history, preferences, {}), course_id)

    async def vectors(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Vectors:
        """Return what the model ranks courses by; courses without features are left out.

        Raises:
            UnavailableError: a part is missing.
        """
        if request.learner_id is None:
            raise UnavailableError("Nobody is ranked for.")
        patience = Patience()
        stored = await self._learners.stored(request.learner_id, patience)
        question = self._question(request, history, preferences, stored)
        known = [key for key in course_ids if np.isin(key, self.ranking.traits.course_ids)]
        rows = await self._thread.run(patience, vectors, self.ranking, question, known)
        return Vectors(self.version, self.ranking.release.layout.names, dict(zip(known, rows, strict=True)))

    def _question(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        learner: Mapping[str, float],
    ) -> Question:
        taking = [row for row in history if row.status != EnrollmentStatus.WITHDRAWN.value]
        left = [row.course_id for row in history if row.status == EnrollmentStatus.WITHDRAWN.value]
        ids = self.ranking.traits.course_ids
        return Question(
            now=int(as_microseconds([request.now])[0]),
            history=[row.course_id for row in taking],
            moments=as_microseconds([row.enrolled_at for row in taking]),
            hidden=[*left, *request.hidden],
            learner=learner,
            limit=request.limit,
            allowed=request.allowed,
            goals=preferences.topic_ids if preferences is not None else (),
            readable=None if request.readable is None else self._learners.mask(ids, request.readable),
            # What is shown is explained by `explain`; most of what is ranked is not shown.
            explained=0,
        )
