"""The way of a recommendation: model, else preference, else popularity; always an answer, and it says which.

Only PostgreSQL being away is an error: without it nothing of the platform works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from opentelemetry import metrics, trace

from core.errors import UnavailableError
from core.ids import time_ordered_uuid
from database.queries.recommendation_rules import NEIGHBORS
from database.session import Reader
from database.tables.models import TrialKind
from database.tables.recommendations import RecommendationSurface
from serving.arrangement import arrange, least_ranked
from serving.breaker import Breaker, BusyError, Patience
from serving.constraints import Constraints
from serving.explanations import Explanation, obstacles_of
from serving.exploration import NOTHING, Exploration
from serving.exposures import Exposures
from serving.fallback import fall_back
from serving.learners import STRANGER, Learner, read_learner
from serving.lists import KeptList, ListPart, RankedLists, places_for, question_of, state_of
from serving.model_way import ModelWay, Turn, in_shadow
from serving.models import Model
from serving.rankings import (
    ListPage,
    RankedCourse,
    RankedList,
    Reason,
    ReasonKind,
    RecommendationRequest,
    Strategy,
)
from serving.releases import LIVE
from serving.rollout import EVERYBODY, Rollout
from serving.rulebook import Rulebook
from serving.shadow import COMPARED, Shadow
from serving.trials import CurrentTrial, Trial

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question with all that is known to answer it.

    Attributes:
        request: narrowed to what may be shown.
        constraints: what holds for the list.
        neighbors: courses that are taken together with the one that the list is around.
        turn: what models need to know.
    """

    request: RecommendationRequest
    constraints: Constraints
    neighbors: Sequence[int]
    turn: Turn

    @property
    def learner(self) -> Learner:
        """Who asks."""
        return self.turn.learner


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
        trial: tells which release is tried beside the live one, if any.
        diversity: as of `arrange`.

    Attributes:
        rulebook: as given.
        shadow: compares what is shown with what the model would have shown, in the phase of that name.
        beside: compares what the live release shows with what a candidate in shadow would have shown.
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
        trial: CurrentTrial = lambda: None,
        diversity: float = 0.0,
    ) -> None:
        self._way = ModelWay(model, deadline, breaker or Breaker(), rollout)
        self._trial = trial
        self._deadline = deadline
        self._lists = lists
        self._exposures = exposures
        self._exploration = exploration
        self._diversity = diversity
        self.rulebook = rulebook or Rulebook()
        self.shadow = Shadow()
        # One at a time: everybody who is ranked for real shares the core with it.
        self.beside = Shadow("candidate", most=1)
        self._tracer = trace.get_tracer("waymark.serving")
        self._answers = metrics.get_meter("waymark.serving").create_counter(
            "waymark.recommendations",
            description="Lists answered, by strategy, role of the release, and cause of falling back.",
        )

    async def close(self) -> None:
        """End the comparisons under way."""
        await self.shadow.close()
        await self.beside.close()

    async def recommend(self, reader: Reader, request: RecommendationRequest) -> RankedList:
        """Return the best list there is: at most four statements, and no error of any part but PostgreSQL.

        Raises:
            UnavailableError: PostgreSQL cannot be reached.
        """
        asked = await self._asked(reader, request)
        ranked = await self._ranked(reader, asked)
        return replace(ranked, courses=self._explained(asked, ranked, ranked.courses))

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
            ranked = await self._ranked(reader, asked, began_by=kept.version)
            await kept.extend(ranked, asked.request.limit, places)
            # What was ranked in place of the expected release is not shown again once that one is back.
            if list_id is None and (ranked.strategy, ranked.model_version) == expected:
                await kept.remember(state)
        part, end = kept.at(start), min(places - 1, kept.end_of_version(start))
        more = len(kept) > end
        return self._page(asked, start, kept.courses(start, end), part, more=more, list_id=kept.list_id)

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
        explained = self._explained(asked, by, [course for _, course in chosen])
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
        model, learner = self._way.named(by.model_version, asked.turn.trial), asked.learner
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
        if course is not None:
            (course,) = self._explained(asked, ranked, [course])
        retrievers, model = None, self._way.named(ranked.model_version, asked.turn.trial)
        if ranked.strategy is Strategy.MODEL and model is not None:
            learner = asked.learner
            with contextlib.suppress(UnavailableError):
                retrievers = model.retrieved_by(asked.request, learner.history, learner.preferences, course_id)
        obstacles = obstacles_of(asked.constraints, course_id, listed=course is not None)
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
        turn = Turn(learner, self._trial(), ends, Patience())
        return _Asked(constraints.narrowed(), constraints, neighbors, turn)

    async def _ranked(self, reader: Reader, asked: _Asked, began_by: str | None = None) -> RankedList:
        """Rank and arrange, measure what ranked, and compare it with what is in shadow."""
        with self._tracer.start_as_current_span("recommendation") as span:
            ranked = await self._arranged(asked, lambda request: self._by_strategy(reader, request, asked, began_by))
            cause = (ranked.fallback_cause or "none").partition(":")[0]
            role = _role(ranked, asked.turn.trial)
            span.set_attribute("waymark.strategy", ranked.strategy.value)
            span.set_attribute("waymark.role", role)
            span.set_attribute("waymark.fallback_cause", cause)
            self._answers.add(1, {"strategy": ranked.strategy.value, "role": role, "cause": cause})
        model, trial = self._way.model, asked.turn.trial
        if model is not None and asked.learner.takes_courses and self._way.in_shadow:
            self.shadow.compare(ranked.courses, lambda: self._in_shadow(model, asked))
        elif role == LIVE and trial is not None and trial.kind is TrialKind.SHADOW:
            self.beside.compare(ranked.courses, lambda: self._tried(trial, asked))
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

    async def _by_strategy(
        self, reader: Reader, request: RecommendationRequest, asked: _Asked, began_by: str | None
    ) -> RankedList:
        learner, cause = asked.learner, None
        if request.learner_id is not None and learner.takes_courses and request.limit > 0:
            ranked = await self._way.rank(request, asked.turn, began_by)
            if isinstance(ranked, RankedList):
                return ranked
            cause = ranked
        return await fall_back(reader, request, learner.preferences, cause)

    async def _in_shadow(self, model: Model, asked: _Asked) -> RankedList:
        """Return what a model would have shown."""
        few = replace(asked, request=replace(asked.request, limit=COMPARED))
        return await self._arranged(few, lambda request: in_shadow(model, request, asked.turn))

    async def _tried(self, trial: Trial, asked: _Asked) -> RankedList:
        """Return what a candidate would have shown, unless somebody waits for what is really shown."""
        if trial.model is None:
            raise UnavailableError("The candidate is not loaded.")
        if not trial.is_idle():
            raise BusyError("Somebody waits for a list.")
        return await self._in_shadow(trial.model, asked)

    def _expected(self, asked: _Asked) -> tuple[Strategy, str | None]:
        """Return what ranks the learner's lists as long as nothing fails, and the version of the model if it does."""
        learner_id = asked.request.learner_id
        if learner_id is not None and asked.learner.takes_courses:
            version = self._way.expected(learner_id, asked.turn.trial, asked.request.now)
            if version is not None:
                return Strategy.MODEL, version
        return (Strategy.POPULARITY if asked.learner.preferences is None else Strategy.PREFERENCE), None

    def _explained(
        self, asked: _Asked, by: RankedList | ListPart, courses: Sequence[RankedCourse]
    ) -> tuple[RankedCourse, ...]:
        """Return courses with the reasons of the release that ranked them.

        They are looked up for what is shown and for nothing else.
        """
        model = self._way.named(by.model_version, asked.turn.trial)
        if by.strategy is not Strategy.MODEL or model is None or not courses:
            return tuple(courses)
        learner = asked.learner
        try:
            found = model.explain(
                asked.request, learner.history, learner.preferences, [course.course_id for course in courses]
            )
        except Exception as error:  # noqa: BLE001 - a list without reasons is better than none.
            _LOG.warning("Reasons could not be found: %r", error)
            return tuple(courses)
        return tuple(
            course._replace(reasons=(*course.reasons, *why)[:_MOST_REASONS])
            for course, why in zip(courses, found, strict=True)
        )


def _role(ranked: RankedList, trial: Trial | None) -> str:
    """Return what ranked a list: `live`, `canary`, or `none` when no model did."""
    if ranked.strategy is not Strategy.MODEL:
        return "none"
    return TrialKind.CANARY if trial is not None and trial.version == ranked.model_version else LIVE
