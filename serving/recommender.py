"""The way of a recommendation: model, else preference, else popularity; always an answer, and it says which.

Only PostgreSQL being away is an error: without it nothing of the platform works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from opentelemetry import metrics, trace

from core.errors import UnavailableError
from core.ids import time_ordered_uuid
from core.settings import Recommendations
from database.queries.history import HistoryRow, PreferencesRow
from database.queries.recommendation_rules import NEIGHBORS
from database.session import Reader
from database.tables.recommendations import RecommendationSurface
from serving.arrangement import arrange, least_ranked
from serving.breaker import Breaker, BusyError, DeclinedError, Patience
from serving.constraints import Constraints, Obstacle, ObstacleKind
from serving.exploration import NOTHING, Exploration
from serving.exposures import Exposures
from serving.fallback import fall_back
from serving.learners import STRANGER, Learner, read_learner
from serving.lists import KeptList, ListPart, RankedLists, places_for, question_of, state_of
from serving.rankings import (
    ListPage,
    RankedCourse,
    RankedList,
    Reason,
    ReasonKind,
    RecommendationRequest,
    Strategy,
    Vectors,
)
from serving.rollout import EVERYBODY, Rollout
from serving.rulebook import Rulebook
from serving.shadow import COMPARED, Shadow

__all__ = [
    "ListPage",
    "RankedCourse",
    "RankedList",
    "Reason",
    "ReasonKind",
    "RecommendationRequest",
    "Recommender",
    "Strategy",
]

_LOG = logging.getLogger(__name__)
_MOST_REASONS = 3
_LONGEST = 200_000
_PATIENCE_TO_EXPLAIN = 5.0


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


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a learner is, or is not, shown a course.

    Attributes:
        strategy: what ranks their list.
        model_version: version of the release, when a model does.
        fallback_cause: as of `RankedList`.
        rank: its place from 1; None when it is not in the list.
        course: as it stands in the list; None when it does not.
        obstacles: all that keeps it from there.
        retrievers: what of the model's first stage brings it; None when no model ranks.
    """

    strategy: Strategy
    model_version: str | None
    fallback_cause: str | None
    rank: int | None
    course: RankedCourse | None
    obstacles: tuple[Obstacle, ...]
    retrievers: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question with all that is known to answer it.

    Attributes:
        request: narrowed to what may be shown.
        constraints: what holds for the list.
        neighbors: courses that are taken together with the one that the list is around.
        ends: when the model's way is over, by the event loop's clock.
    """

    request: RecommendationRequest
    constraints: Constraints
    neighbors: Sequence[int]
    ends: float

    @property
    def learner(self) -> Learner:
        """Who asks."""
        return self.constraints.learner


class Recommender:
    """Answers `recommendedCourses`.

    Args:
        model: ranks by model; None where recommendations are off.
        deadline: seconds that the model's way may take, reads of the history included.
        breaker: pauses the model's way after failures, so that they do not cost every request the deadline.
        rulebook: which courses may be shown to whom, and what staff wants.
        rollout: whose lists the model ranks.
        lists: keeps ranked lists; without, each page is ranked anew.
        exposures: logs what was shown by the model; None for not at all.
        exploration: gives a place of some lists to new courses.
        diversity: as of `arrange`.

    Attributes:
        rulebook: as given.
        shadow: compares, in the phase of that name.
    """

    def __init__(
        self,
        model: Model | None,
        deadline: float,
        breaker: Breaker | None = None,
        *,
        rulebook: Rulebook | None = None,
        rollout: Rollout = EVERYBODY,
        lists: RankedLists | None = None,
        exposures: Exposures | None = None,
        exploration: Exploration = NOTHING,
        diversity: float = 0.0,
    ) -> None:
        self._model = model
        self._deadline = deadline
        self._breaker = breaker or Breaker()
        self._rollout = rollout
        self._lists = lists
        self._exposures = exposures
        self._exploration = exploration
        self._diversity = diversity
        self.rulebook = rulebook or Rulebook()
        self.shadow = Shadow()
        self._tracer = trace.get_tracer("waymark.serving")
        self._answers = metrics.get_meter("waymark.serving").create_counter(
            "waymark.recommendations", description="Lists answered, by strategy and cause of falling back."
        )

    async def recommend(self, reader: Reader, request: RecommendationRequest) -> RankedList:
        """Return the best list there is: at most four statements, and no error of any part but PostgreSQL.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        asked = await self._asked(reader, request)
        ranked = await self._ranked(reader, asked)
        return replace(ranked, courses=self._explained(asked, ranked.strategy, ranked.courses))

    async def page(
        self, reader: Reader, request: RecommendationRequest, start: int, list_id: UUID | None = None
    ) -> ListPage:
        """Return some places of a list.

        Without `list_id` it is the list that the learner was last shown, as long as they have done nothing since and
        no rule has changed; with it, the list goes on as it began.

        Args:
            reader: of the request.
            request: who asks for how many places after `start`.
            start: how many places come before.
            list_id: the list to continue.

        Raises:
            InvalidArgumentError: the list was an answer to another question.
            UnavailableError: PostgreSQL cannot be reached.
        """
        places = start + request.limit + 1
        if self._lists is None or request.learner_id is None:
            asked = await self._asked(reader, replace(request, limit=places))
            ranked = await self._ranked(reader, asked)
            more = len(ranked.courses) >= places
            return self._page(asked, start, ranked.courses[start : places - 1], ranked, more=more, list_id=None)
        asked = await self._asked(reader, replace(request, limit=places_for(places)))
        kept = KeptList(self._lists, request.learner_id, question_of(request), request.now, list_id)
        expected = self._expected(asked)
        state = state_of(asked.constraints, expected)
        if list_id is None:
            await kept.find(state)
        await kept.read(places)
        if not kept.covers(places):
            ranked = await self._ranked(reader, asked)
            await kept.extend(ranked, asked.request.limit, places)
            # What was ranked in place of the model is not shown again once the model is back.
            if list_id is None and ranked.strategy == expected[0]:
                await kept.remember(state)
        part = kept.at(start)
        more = len(kept) >= places
        return self._page(asked, start, kept.courses(start, places - 1), part, more=more, list_id=kept.list_id)

    def _page(
        self,
        asked: _Asked,
        start: int,
        places: Sequence[RankedCourse],
        by: RankedList | ListPart,
        *,
        more: bool,
        list_id: UUID | None,
    ) -> ListPage:
        """Return a page without the courses that may not be shown any more, each of the others with its reasons."""
        chosen = [
            (rank, course)
            for rank, course in enumerate(places, start=start + 1)
            if asked.constraints.admits(course.course_id)
        ]
        explained = self._explained(asked, by.strategy, [course for _, course in chosen])
        page = ListPage(
            list_id=list_id or time_ordered_uuid(asked.request.now),
            kept=list_id is not None,
            start=start,
            courses=tuple((rank, course) for (rank, _), course in zip(chosen, explained, strict=True)),
            end=start + len(places),
            more=more,
            strategy=by.strategy,
            model_version=by.model_version,
        )
        model, learner = self._model, asked.learner
        if self._exposures is not None and model is not None and by.strategy is Strategy.MODEL:
            keys = [course.course_id for _, course in page.courses]
            self._exposures.note(
                asked.request,
                page,
                lambda: model.vectors(asked.request, learner.history, learner.preferences, keys),
            )
        return page

    async def explain(self, reader: Reader, request: RecommendationRequest, course_id: int) -> Explanation:
        """Return where a course stands in the list that a learner would be shown now, or what keeps it from there.

        Args:
            reader: of the request.
            request: whose list; its limit does not matter.
            course_id: the course.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        asked = await self._asked(reader, replace(request, limit=_LONGEST), _PATIENCE_TO_EXPLAIN)
        ranked = await self._ranked(reader, asked)
        place, course = next(
            ((n, one) for n, one in enumerate(ranked.courses, start=1) if one.course_id == course_id), (None, None)
        )
        obstacles = tuple(asked.constraints.obstacles(course_id))
        if course is not None:
            (course,) = self._explained(asked, ranked.strategy, [course])
        elif not obstacles:
            steps = asked.constraints.steps(course_id, frozenset())
            missing = Obstacle(ObstacleKind.NOT_A_CANDIDATE)
            obstacles = (steps if isinstance(steps, Obstacle) else missing,)
        retrievers = None
        if ranked.strategy is Strategy.MODEL and self._model is not None:
            learner = asked.learner
            with contextlib.suppress(UnavailableError):
                retrievers = self._model.retrieved_by(asked.request, learner.history, learner.preferences, course_id)
        cause, version = ranked.fallback_cause, ranked.model_version
        return Explanation(ranked.strategy, version, cause, place, course, obstacles, retrievers)

    async def _asked(self, reader: Reader, request: RecommendationRequest, patience: float | None = None) -> _Asked:
        ends = asyncio.get_running_loop().time() + (patience or self._deadline)
        learner = STRANGER if request.learner_id is None else await read_learner(reader, request.learner_id)
        constraints = Constraints(self.rulebook.current, learner, request)
        neighbors: Sequence[int] = ()
        if request.surface is RecommendationSurface.COURSE_PAGE and request.around is not None:
            row = await reader.fetch_first(NEIGHBORS, course_id=request.around)
            neighbors = row.neighbor_ids if row is not None else ()
        return _Asked(constraints.narrowed(), constraints, neighbors, ends)

    async def _ranked(self, reader: Reader, asked: _Asked) -> RankedList:
        """Rank and arrange, and measure which strategy it was."""
        with self._tracer.start_as_current_span("recommendation") as span:
            ranked = await self._arranged(asked, lambda request: self._by_strategy(reader, request, asked))
            cause = (ranked.fallback_cause or "none").partition(":")[0]
            span.set_attribute("waymark.strategy", ranked.strategy.value)
            span.set_attribute("waymark.fallback_cause", cause)
            self._answers.add(1, {"strategy": ranked.strategy.value, "cause": cause})
        model = self._model
        if model is not None and asked.learner.takes_courses and self._rollout.phase is Recommendations.SHADOW:
            self.shadow.compare(ranked.courses, lambda: self._in_shadow(model, asked))
        return ranked

    async def _arranged(
        self, asked: _Asked, rank: Callable[[RecommendationRequest], Awaitable[RankedList]]
    ) -> RankedList:
        """Rank as many as are needed for the limit: some of what is ranked may not be shown."""
        limit = asked.request.limit
        wanted = max(limit, least_ranked(asked.constraints, self._diversity)) if limit > 0 else 0
        explored = self._exploration.choose(asked.constraints)
        while True:
            ranked = await rank(replace(asked.request, limit=wanted))
            most, varied = max(limit, 0), self._diversity
            courses = arrange(ranked.courses, asked.constraints, asked.neighbors, most, explored, diversity=varied)
            if len(courses) >= limit or len(ranked.courses) < wanted:
                return replace(ranked, courses=courses)
            wanted *= 4

    async def _by_strategy(self, reader: Reader, request: RecommendationRequest, asked: _Asked) -> RankedList:
        learner, cause = asked.learner, None
        if request.learner_id is not None and learner.takes_courses and request.limit > 0:
            cause = "off" if self._model is None else self._rollout.withheld(request.learner_id)
            if cause is None:
                ranked = await self._by_model(request, learner.history, learner.preferences, asked.ends)
                if isinstance(ranked, RankedList):
                    return ranked
                cause = ranked
        return await fall_back(reader, request, learner.preferences, cause)

    async def _in_shadow(self, model: Model, asked: _Asked) -> Sequence[RankedCourse]:
        """Return what the model would have shown."""
        learner = asked.learner

        async def rank(request: RecommendationRequest) -> RankedList:
            if (unready := model.unready(request.now)) is not None:
                raise UnavailableError(unready)
            answer = await model.rank(request, learner.history, learner.preferences, Patience())
            return RankedList(Strategy.MODEL, answer.version, answer.courses)

        few = replace(asked, request=replace(asked.request, limit=COMPARED))
        return (await self._arranged(few, rank)).courses

    def _expected(self, asked: _Asked) -> tuple[Strategy, str | None]:
        """Return what ranks the learner's lists as long as nothing fails, and the version of the model if it does."""
        learner_id = asked.request.learner_id
        model = self._model
        if (
            model is not None
            and learner_id is not None
            and asked.learner.takes_courses
            and self._rollout.withheld(learner_id) is None
            and model.unready(asked.request.now) is None
        ):
            return Strategy.MODEL, model.version
        return (Strategy.POPULARITY if asked.learner.preferences is None else Strategy.PREFERENCE), None

    def _explained(
        self, asked: _Asked, strategy: Strategy, courses: Sequence[RankedCourse]
    ) -> tuple[RankedCourse, ...]:
        """Return courses with the reasons of the model, which are looked up for what is shown and for nothing else."""
        if strategy is not Strategy.MODEL or self._model is None or not courses:
            return tuple(courses)
        learner = asked.learner
        try:
            found = self._model.explain(
                asked.request, learner.history, learner.preferences, [course.course_id for course in courses]
            )
        except Exception as error:  # noqa: BLE001 - a list without reasons is better than none.
            _LOG.warning("Reasons could not be found: %r", error)
            return tuple(courses)
        return tuple(
            replace(course, reasons=(*course.reasons, *why)[:_MOST_REASONS])
            for course, why in zip(courses, found, strict=True)
        )

    async def _by_model(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        ends: float,
    ) -> RankedList | str:
        """Return the model's list, or why there is none."""
        model = self._model
        assert model is not None  # noqa: S101 - whoever asks by model has one.
        unready = model.unready(request.now)
        if unready is not None:
            return f"unready: {unready}"
        if not self._breaker.allows(request.now):
            return "paused"
        try:
            answer = await self._in_time(model, request, history, preferences, ends)
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
