"""Which release ranks a learner's list, and its answer in time; a candidate that fails gives way to the live one."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import metrics

from core.errors import UnavailableError
from core.settings import Recommendations
from database.tables.models import TrialKind
from serving.breaker import Breaker, BusyError, DeclinedError, Patience
from serving.learners import Learner
from serving.models import Model, ModelAnswer
from serving.rankings import RankedList, RecommendationRequest, Strategy
from serving.rollout import Rollout
from serving.trials import Trial

_LOG = logging.getLogger(__name__)

CANDIDATES_SHARE = 0.5
"""Of the time that is left, so that the live release has its own when the candidate uses it up."""


@dataclass(slots=True)
class Turn:
    """One list that is to be ranked by a model, in as many rounds as it takes.

    Attributes:
        learner: whose list.
        trial: what is tried, as of the beginning of the request.
        ends: when the model's way is over, by the event loop's clock.
        patience: of the request.
        gave_way: whether the candidate could not rank it in an earlier round; it is not waited for twice.
    """

    learner: Learner
    trial: Trial | None
    ends: float
    patience: Patience
    gave_way: bool = False


class ModelWay:
    """Asks the release that a learner's lists are ranked by.

    Args:
        model: the live release; None where recommendations are off.
        deadline: seconds that the model's way may take, reads of the history included.
        breaker: pauses the live release after failures, so that they do not cost every request the deadline.
        rollout: whose lists are ranked by model.
    """

    def __init__(self, model: Model | None, deadline: float, breaker: Breaker, rollout: Rollout) -> None:
        self.model = model
        self._deadline = deadline
        self._breaker = breaker
        self._rollout = rollout
        self._canaries = metrics.get_meter("waymark.serving").create_counter(
            "waymark.recommendations.canary",
            description="Lists of learners in a canary, by version and by outcome: ranked, or why not.",
        )

    @property
    def in_shadow(self) -> bool:
        """Whether nobody is shown what the model ranks."""
        return self._rollout.phase is Recommendations.SHADOW

    def named(self, version: str | None, trial: Trial | None) -> Model | None:
        """Return the model of a version; of one that is not loaded any more, the live one."""
        if trial is not None and trial.model is not None and trial.version == version:
            return trial.model
        return self.model

    def expected(self, learner_id: int, trial: Trial | None, now: datetime) -> str | None:
        """Return the version that ranks a learner's lists as long as nothing fails; None when no model does."""
        if self.model is None or self._rollout.withheld(learner_id) is not None:
            return None
        # While a candidate is paused, the lists of the live release are kept in its place.
        if trial is not None and trial.takes(learner_id) and _absent(trial, now) is None:
            return trial.version
        return self.model.version if self.model.unready(now) is None else None

    async def rank(self, request: RecommendationRequest, turn: Turn, began_by: str | None = None) -> RankedList | str:
        """Return the list of a model, or why there is none.

        Args:
            request: who asks for how many; not a stranger.
            turn: what is known of them.
            began_by: the version that a list began with which is to be continued; it ranks it if it is in use.
        """
        learner_id, trial = request.learner_id, turn.trial
        assert learner_id is not None  # noqa: S101 - strangers have no history to rank by.
        if self.model is None:
            return "off"
        withheld = self._rollout.withheld(learner_id)
        if withheld is not None:
            return withheld
        if trial is not None and not turn.gave_way and self._is_for(trial, learner_id, began_by):
            found = await self._by_candidate(trial, request, turn)
            outcome = "ranked" if isinstance(found, RankedList) else found.partition(":")[0]
            self._canaries.add(1, {"version": trial.version, "outcome": outcome})
            if isinstance(found, RankedList):
                return found
            turn.gave_way = True
        return await self._by_live(self.model, request, turn)

    def _is_for(self, trial: Trial, learner_id: int, began_by: str | None) -> bool:
        """Say whether the candidate ranks a list: one goes on as it began, whoever is in the canary by now."""
        if trial.kind is TrialKind.CANARY and began_by == trial.version:
            return True
        is_live = self.model is not None and began_by is not None and began_by == self.model.version
        return not is_live and trial.takes(learner_id)

    async def _by_candidate(self, trial: Trial, request: RecommendationRequest, turn: Turn) -> RankedList | str:
        absent = _absent(trial, request.now)
        if absent is not None or trial.model is None:
            return absent or "not loaded"
        if not trial.breaker.allows(request.now):
            return "paused"
        now = asyncio.get_running_loop().time()
        ends = now + (turn.ends - now) * CANDIDATES_SHARE
        deadline = self._deadline * CANDIDATES_SHARE
        return await _asked(_Asking(trial.model, trial.breaker, ends, deadline, has_own_line=True), request, turn)

    async def _by_live(self, model: Model, request: RecommendationRequest, turn: Turn) -> RankedList | str:
        unready = model.unready(request.now)
        if unready is not None:
            return f"unready: {unready}"
        if not self._breaker.allows(request.now):
            return "paused"
        return await _asked(_Asking(model, self._breaker, turn.ends, self._deadline), request, turn)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A release that is asked for one list.

    Attributes:
        model: the release.
        breaker: its own.
        ends: when it is too late, by the event loop's clock.
        deadline: seconds that it has when nothing else took time.
        has_own_line: whether only those stand in its line who are ranked by it while something else could rank them.
    """

    model: Model
    breaker: Breaker
    ends: float
    deadline: float
    has_own_line: bool = False


def _absent(trial: Trial, now: datetime) -> str | None:
    """Return why a candidate is not asked; None when it is."""
    if trial.model is None:
        return "not loaded"
    if trial.breaker.is_open(now):
        return "paused"
    unready = trial.model.unready(now)
    return None if unready is None else f"unready: {unready}"


async def _asked(asking: _Asking, request: RecommendationRequest, turn: Turn) -> RankedList | str:
    """Return a release's list, or why there is none."""
    try:
        answer = await _in_time(asking, request, turn)
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
        asking.breaker.succeeded()
        return RankedList(Strategy.MODEL, answer.version, answer.courses)
    asking.breaker.failed(request.now)
    _LOG.warning("Ranking by %s fell back: %s", asking.model.version, cause)
    return cause


async def in_shadow(model: Model, request: RecommendationRequest, turn: Turn) -> RankedList:
    """Return what a model would have shown, without a deadline, a breaker, or anybody who sees it.

    Raises:
        UnavailableError: it cannot tell.
    """
    if (unready := model.unready(request.now)) is not None:
        raise UnavailableError(unready)
    learner = turn.learner
    answer = await model.rank(request, learner.history, learner.preferences, turn.patience)
    return RankedList(Strategy.MODEL, answer.version, answer.courses)


async def _in_time(asking: _Asking, request: RecommendationRequest, turn: Turn) -> ModelAnswer:
    """Return the model's answer.

    Neither a line of other requests nor a slow read of the history may pause a model for everybody: the deadline is
    only missed by the model when its parts had most of it for themselves. A candidate is paused for a line too, which
    it has made itself: the live release has its time at once then.

    Raises:
        BusyError: the deadline passed, most likely in line.
        TimeoutError: the deadline passed because of the model's parts.
    """
    learner, patience = turn.learner, turn.patience
    since, before = time.monotonic(), patience.waited
    try:
        async with asyncio.timeout_at(asking.ends):
            return await asking.model.rank(request, learner.history, learner.preferences, patience)
    except TimeoutError as error:
        waited = patience.waited - before
        worked = time.monotonic() - since - waited
        if asking.has_own_line or (worked >= asking.deadline / 2 and worked >= 4 * waited):
            raise
        raise BusyError("The deadline passed before the model had its time.") from error
