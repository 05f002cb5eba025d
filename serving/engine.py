"""The model's way as one part: release, course matrix and learner features, kept fresh and asked together."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ReleaseError, UnavailableError
from core.settings import RankingSettings
from database.queries.history import TOPIC_PARENTS, HistoryRow, PreferencesRow
from database.session import Database
from database.tables.enrollments import EnrollmentStatus
from features.interactions import Integers
from serving.artifact import Release
from serving.breaker import BusyError, Patience
from serving.ranker import (
    CourseMatrix,
    Question,
    RankingModel,
    align,
    as_microseconds,
    explain,
    rank,
    retrieved_by,
    vectors,
)
from serving.rankings import RankedCourse, Reason, RecommendationRequest, Vectors
from serving.releases import ReleaseHolder

_LOG = logging.getLogger(__name__)

MOST_ASKING = 32
"""How many requests the engine has at a time, nearly all of them in line; more are sent away at once."""
READERS = 4
"""How many requests read the online store at a time, as many as it has threads."""

_MOST_MASKS = 16

ResultT = TypeVar("ResultT")


class CourseMatrixHolder(Protocol):
    """What the engine needs of `serving.course_matrix.CourseMatrixHolder`."""

    @property
    def current(self) -> CourseMatrix | None:
        """The newest matrix; None until there is one."""
        ...

    @property
    def lost(self) -> Mapping[str, str]:
        """Why a feature view, by name, is not read; empty when all is well."""
        ...

    async def refresh_if_newer(self) -> object:
        """Build the matrix of a newer materialization, if there is one."""
        ...


class LearnerFeatures(Protocol):
    """What the engine needs of `serving.learner_features.LearnerFeatures`."""

    async def read(self, learner_id: int) -> Mapping[str, float]:
        """Return stored features by name, NaN where nothing is known; raises UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered, and which one it was."""

    version: str
    courses: tuple[RankedCourse, ...]


class RankingEngine:
    """Ranks with the newest release that fits the newest course matrix.

    Args:
        database: where releases and materializations are announced.
        releases: holds the live release.
        matrices: holds the newest course matrix.
        learner_features: reads the online store.
        settings: refresh interval, and the age at which features are stale.
    """

    def __init__(
        self,
        database: Database,
        releases: ReleaseHolder,
        matrices: CourseMatrixHolder,
        learner_features: LearnerFeatures,
        settings: RankingSettings,
    ) -> None:
        self._database = database
        self._releases = releases
        self._matrices = matrices
        self._learner_features = learner_features
        self._settings = settings
        self._model: RankingModel | None = None
        self._tried: tuple[Release, CourseMatrix] | None = None
        # Ranking is CPU work that mostly holds the GIL: one thread of its own keeps the event loop responsive.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ranking")
        # Requests stand in line here and not in the queues of threads, where waiting looks like working.
        self._readers = asyncio.Semaphore(READERS)
        self._rankers = asyncio.Semaphore(1)
        self._asking = 0
        self._masks: deque[tuple[Integers, frozenset[int], NDArray[np.bool_]]] = deque(maxlen=_MOST_MASKS)
        self._working: set[asyncio.Future[Any]] = set()

    @property
    def version(self) -> str | None:
        """Version of the model that ranks; None while there is none."""
        return self._model.version if self._model is not None else None

    @property
    def degraded(self) -> Mapping[str, str]:
        """Why a feature view, by name, is answered for by defaults; empty when all is well."""
        return self._matrices.lost

    async def refresh(self) -> None:
        """Look for a newer release and newer features, and swap them in together.

        A release that does not fit the features is refused, and the model before it stays with its own
        release and matrix.

        Raises:
            UnavailableError: PostgreSQL or the feature store cannot be reached.
        """
        await self._releases.refresh_if_newer()
        await self._matrices.refresh_if_newer()
        release, matrix = self._releases.current, self._matrices.current
        if release is None or matrix is None or self._is_tried(release, matrix):
            return
        async with self._database.reader() as reader:
            parents = {row.id: row.parent_id for row in await reader.fetch(TOPIC_PARENTS)}
        self._tried = (release, matrix)
        try:
            self._model = await asyncio.to_thread(align, release, matrix, parents)
        except ReleaseError as error:
            version = release.manifest.version
            _LOG.error("Release %s is refused, %s stays: %s", version, self.version or "none", error)

    def _is_tried(self, release: Release, matrix: CourseMatrix) -> bool:
        tried = self._tried
        return tried is not None and tried[0] is release and tried[1] is matrix

    async def watch(self) -> None:
        """Refresh at every interval until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed, and serving goes on.
                _LOG.warning("Looking for a newer model or features failed: %r", error)
            await asyncio.sleep(self._settings.refresh_interval)

    def unready(self, now: datetime) -> str | None:
        """Return why there is nothing to rank with: no model yet, or features that are too old."""
        if self._model is None:
            return "no model is loaded"
        as_of = self._model.matrix.features_as_of
        if now - as_of > timedelta(seconds=self._settings.stale_after):
            return f"the features are stale, they are of {as_of:%Y-%m-%d}"
        return None

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
        model = self._loaded()
        if self._asking >= MOST_ASKING:
            raise BusyError("Too many ask for a ranking at once.")
        self._asking += 1
        try:
            return await self._rank(model, request, history, preferences, patience)
        finally:
            self._asking -= 1

    async def _rank(
        self,
        model: RankingModel,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> Answer:
        learner_id = request.learner_id
        assert learner_id is not None  # noqa: S101 - the recommender asks for known learners only.
        stored = await self._in_line(self._readers, lambda: self._learner_features.read(learner_id), patience)
        question = self._question(model, request, history, preferences, stored)
        loop = asyncio.get_running_loop()
        courses = await self._in_line(
            self._rankers, lambda: loop.run_in_executor(self._executor, rank, model, question), patience
        )
        return Answer(model.version, courses)

    def _loaded(self) -> RankingModel:
        if self._model is None:
            raise UnavailableError("No model is loaded.")
        return self._model

    def explain(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Sequence[tuple[Reason, ...]]:
        """Return the reasons of courses that were ranked for a learner, as of the newest features.

        Raises:
            UnavailableError: no model is loaded, or no course of the history is known.
        """
        model = self._loaded()
        return explain(model, self._question(model, request, history, preferences, {}), course_ids)

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> tuple[str, ...]:
        """Return which retrievers bring a course for a learner; errors as for `explain`."""
        model = self._loaded()
        return retrieved_by(model, self._question(model, request, history, preferences, {}), course_id)

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
        model = self._model
        if model is None or request.learner_id is None:
            raise UnavailableError("No model is loaded.")
        learner_id, patience = request.learner_id, Patience()
        stored = await self._in_line(self._readers, lambda: self._learner_features.read(learner_id), patience)
        question = self._question(model, request, history, preferences, stored)
        known = [key for key in course_ids if np.isin(key, model.traits.course_ids)]
        loop = asyncio.get_running_loop()
        rows = await self._in_line(
            self._rankers, lambda: loop.run_in_executor(self._executor, vectors, model, question, known), patience
        )
        return Vectors(model.version, model.release.layout.names, dict(zip(known, rows, strict=True)))

    def _question(
        self,
        model: RankingModel,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        learner: Mapping[str, float],
    ) -> Question:
        taking = [row for row in history if row.status != EnrollmentStatus.WITHDRAWN.value]
        left = [row.course_id for row in history if row.status == EnrollmentStatus.WITHDRAWN.value]
        return Question(
            now=int(as_microseconds([request.now])[0]),
            history=[row.course_id for row in taking],
            moments=as_microseconds([row.enrolled_at for row in taking]),
            hidden=[*left, *request.hidden],
            learner=learner,
            limit=request.limit,
            allowed=request.allowed,
            goals=preferences.topic_ids if preferences is not None else (),
            readable=None if request.readable is None else self._mask(model, request.readable),
            # What is shown is explained by `explain`; most of what is ranked is not shown.
            explained=0,
        )

    def _mask(self, model: RankingModel, readable: frozenset[int]) -> NDArray[np.bool_]:
        """Return bool[n], which courses of the matrix are readable; remembered, as many learners read the same."""
        ids = model.traits.course_ids
        for courses, known, mask in self._masks:
            if courses is ids and known is readable:
                return mask
        mask = np.isin(ids, np.fromiter(readable, np.int64, len(readable)))
        self._masks.appendleft((ids, readable, mask))
        return mask

    async def _in_line(
        self, places: asyncio.Semaphore, work: Callable[[], Awaitable[ResultT]], patience: Patience
    ) -> ResultT:
        """Wait for a place, then do the work in it."""
        with patience.waiting():
            await places.acquire()
        working = asyncio.ensure_future(work())
        self._working.add(working)

        def leave(done: asyncio.Future[ResultT]) -> None:
            self._working.discard(done)
            places.release()

        # A thread cannot be interrupted: who gives up leaves its place taken until the thread is really free.
        working.add_done_callback(leave)
        return await asyncio.shield(working)

    def close(self) -> None:
        """End the thread, and what is still being read."""
        for working in tuple(self._working):
            working.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)
