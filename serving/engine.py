"""The model's way as one part: releases, course matrix and learner features, kept fresh and asked together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from core.errors import ReleaseError, UnavailableError
from core.settings import RankingSettings
from database.queries.history import TOPIC_PARENTS, HistoryRow, PreferencesRow
from database.session import Database
from serving.artifact import Release
from serving.breaker import Patience
from serving.lines import MOST_ASKING, RankingThread
from serving.loaded import READERS, Answer, LearnerFeatures, Learners, LoadedModel
from serving.ranker import CourseMatrix, RankingModel, align
from serving.rankings import Reason, RecommendationRequest, Vectors
from serving.releases import CANDIDATE, LIVE, Candidate, ReleaseHolder
from serving.trials import Trial

__all__ = ["MOST_ASKING", "READERS", "Answer", "RankingEngine"]

_LOG = logging.getLogger(__name__)


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


class RankingEngine:
    """Ranks with the newest release that fits the newest course matrix, and holds the one that is tried beside it.

    Args:
        database: where releases and materializations are announced.
        releases: holds the releases in use.
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
        self._stale_after = timedelta(seconds=settings.stale_after)
        self._live: LoadedModel | None = None
        self._beside: LoadedModel | None = None
        self._trial: Trial | None = None
        self._tried: dict[str, tuple[Release, CourseMatrix]] = {}
        self._learners = Learners(learner_features)
        self._thread = RankingThread()
        # Another one for each candidate, so that nobody waits for one that hangs but those who are ranked by it.
        self._beside_thread = RankingThread()

    @property
    def version(self) -> str | None:
        """Version of the live model; None while there is none."""
        return self._live.version if self._live is not None else None

    @property
    def trial(self) -> Trial | None:
        """The release that is tried beside the live one, as it is followed; None when none is."""
        return self._trial

    @property
    def degraded(self) -> Mapping[str, str]:
        """Why a feature view, by name, is answered for by defaults; empty when all is well."""
        return self._matrices.lost

    async def refresh(self) -> None:
        """Look for newer releases and newer features, and swap them in together.

        A live release that does not fit the features is refused, and the model before it stays with its own
        release and matrix. A candidate that does not fit is not ranked with.

        Raises:
            UnavailableError: PostgreSQL or the feature store cannot be reached.
        """
        await self._releases.refresh_if_newer()
        self._follow_trial()
        await self._matrices.refresh_if_newer()
        release, matrix, candidate = self._releases.current, self._matrices.current, self._releases.candidate
        if matrix is None:
            return
        if release is not None and not self._is_tried(LIVE, release, matrix):
            await self._align_live(release, matrix)
        beside = candidate.release if candidate is not None else None
        if beside is not None and not self._is_tried(CANDIDATE, beside, matrix):
            await self._align_candidate(beside, matrix)
        self._follow_trial()

    def _follow_trial(self) -> None:
        """Follow what is in memory already: how many are shown a candidate, that it goes live, or that a trial ends.

        None of it needs features, so none of it waits until they can be read.
        """
        live, candidate, beside = self._releases.current, self._releases.candidate, self._beside
        if live is not None and beside is not None and beside.ranking.release is live:
            self._live = self._loaded(beside.ranking, self._thread)
            self._tried[LIVE] = (live, beside.ranking.matrix)
        if candidate is None:
            self._tried.pop(CANDIDATE, None)
        if beside is not None and (candidate is None or beside.ranking.release is not candidate.release):
            self._beside = None
        self._trial = self._trial_of(candidate)

    def _trial_of(self, candidate: Candidate | None) -> Trial | None:
        if candidate is None:
            return None
        if self._trial is not None and self._trial.model is self._beside and self._trial.version == candidate.version:
            return replace(self._trial, kind=candidate.kind, percent=candidate.percent)
        return Trial(candidate.kind, candidate.version, candidate.percent, self._beside, self._is_idle)

    def _is_idle(self) -> bool:
        return self._thread.is_idle and self._beside_thread.is_idle

    async def _align_live(self, release: Release, matrix: CourseMatrix) -> None:
        parents = await self._parents()
        self._tried[LIVE] = (release, matrix)
        try:
            model = await asyncio.to_thread(align, release, matrix, parents)
        except ReleaseError as error:
            version = release.manifest.version
            _LOG.error("Release %s is refused, %s stays: %s", version, self.version or "none", error)
            self._releases.count_refusal(LIVE)
        else:
            self._live = self._loaded(model, self._thread)

    async def _align_candidate(self, release: Release, matrix: CourseMatrix) -> None:
        parents, live = await self._parents(), self._live.ranking if self._live is not None else None
        self._tried[CANDIDATE] = (release, matrix)
        try:
            model = await asyncio.to_thread(align, release, matrix, parents, live)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the live release is followed.
            _LOG.error("Release %s is refused, and not tried: %r", release.manifest.version, error)
            self._releases.count_refusal(CANDIDATE)
            self._beside = None
        else:
            self._beside_thread = RankingThread()
            self._beside = self._loaded(model, self._beside_thread)

    def _loaded(self, model: RankingModel, thread: RankingThread) -> LoadedModel:
        return LoadedModel(model, self._learners, thread, self._stale_after)

    async def _parents(self) -> dict[int, int]:
        async with self._database.reader() as reader:
            return {row.id: row.parent_id for row in await reader.fetch(TOPIC_PARENTS)}

    def _is_tried(self, role: str, release: Release, matrix: CourseMatrix) -> bool:
        tried = self._tried.get(role)
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
        return "no model is loaded" if self._live is None else self._live.unready(now)

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> Answer:
        """Rank courses for a learner with the live release, as `LoadedModel.rank`.

        Raises:
            UnavailableError: no model is loaded, or as there.
        """
        return await self._ready().rank(request, history, preferences, patience)

    def explain(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Sequence[tuple[Reason, ...]]:
        """Return the reasons of courses, as `LoadedModel.explain`; errors as for `rank`."""
        return self._ready().explain(request, history, preferences, course_ids)

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> tuple[str, ...]:
        """Return which retrievers bring a course, as `LoadedModel.retrieved_by`; errors as for `rank`."""
        return self._ready().retrieved_by(request, history, preferences, course_id)

    async def vectors(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_ids: Sequence[int],
    ) -> Vectors:
        """Return what the model ranks courses by, as `LoadedModel.vectors`; errors as for `rank`."""
        return await self._ready().vectors(request, history, preferences, course_ids)

    def _ready(self) -> LoadedModel:
        if self._live is None:
            raise UnavailableError("No model is loaded.")
        return self._live

    def close(self) -> None:
        """End the threads, and what is still being read."""
        self._learners.close()
        self._thread.close()
        self._beside_thread.close()
