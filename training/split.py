"""Which decisions a model is fitted and judged on, and what was known at each of them.

`time-split`: everything strictly before a moment T is known, and T is the moment of every decision: each learner's
first course at or after T, of learners with enough earlier ones. What serving would do, which looks at the clock
and materializes features every day, is told beside it.

`leave-last-out`: the decision is each learner's last course. As in every published result of this protocol,
item-to-item statistics see what *other* learners did later; the learner's own course and everything after
it are hidden, and features of a moment are as of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from features.interactions import ROBOTIC, Integers
from features.pair import Histories
from training.history import NEVER, LearningHistory

EVALUATED_AFTER = 3
"""A learner is evaluated who took at least so many courses before."""
TRAINED_AFTER = 2
TRAINING_SHARE = 0.6
"""Share of the latest decisions that the ranker is fitted on; what is older only feeds statistics."""
STAGES = 8
FEWEST_IN_STAGE = 1_000
"""A small catalog has fewer stages: each costs statistics and joins, and somebody waits for them."""
AHEAD = 2
"""How many of a learner's next courses after a moment are decisions as of that moment."""
MOST_DECISIONS = 25_000
DECISIONS_PER_COURSE = 6
"""The ranker of a small catalog learns from fewer decisions, and is trained while somebody waits for it."""
TEST_SHARE = 0.1
ENOUGH_HELD_OUT = 200
"""Decisions from which on it is better to judge by as much knowledge as the live release has than by more decisions."""
_VALIDATED = 5_000
"""Decisions that baselines are tuned on at most, where there are many more."""


class Protocol(StrEnum):
    """How a model is evaluated."""

    TIME_SPLIT = "time-split"
    LEAVE_LAST_OUT = "leave-last-out"


@dataclass(frozen=True)
class Stage:
    """Decisions that share one state of knowledge.

    Attributes:
        known: bool[m], the enrollments that item-to-item statistics are fitted on.
        decisions: int64[d], positions of the enrollments that were decided on.
        until: moment (microseconds) that everything is as of, the learner's own history and the clock included; None
            where each decision knows what lay before it.
    """

    known: NDArray[np.bool_]
    decisions: Integers
    until: int | None = None


@dataclass(frozen=True)
class Split:
    """What a model is fitted on, what baselines are tuned on, and what all are judged on.

    Attributes:
        training: of the ranker.
        validation: decisions like those of the test, from before it.
        test: decisions that nothing above has seen.
    """

    training: tuple[Stage, ...]
    validation: Stage
    test: Stage


def split(
    history: LearningHistory,
    protocol: Protocol,
    rng: np.random.Generator,
    since: int | None = None,
    held_out_since: int | None = None,
) -> Split:
    """Return the stages of a protocol.

    Args:
        history: the log.
        protocol: what is known, and what is asked.
        rng: samples decisions.
        since: as of `training_stages`.
        held_out_since: moment of a time split; None for where the last tenth of the log begins.

    Raises:
        InputError: there is too little history to evaluate anything.
    """
    if protocol is Protocol.TIME_SPLIT:
        divided = _time_split(history, rng, since, held_out_since)
    else:
        divided = _leave_last_out(history, rng, since)
    if len(divided.test.decisions) == 0 or sum(len(stage.decisions) for stage in divided.training) == 0:
        raise InputError(
            f"There are {len(history.interactions)} enrollments, too few for {protocol}: no learner has "
            f"{EVALUATED_AFTER} courses before the one to be predicted"
            + ("." if since is held_out_since is None else ", or none decided in the range that was asked for.")
        )
    return divided


def training_stages(
    history: LearningHistory, cutoff: int, rng: np.random.Generator, since: int | None = None
) -> tuple[Stage, ...]:
    """Return stages over the latest decisions strictly before a moment, each fitted on what lay before it.

    Every block of time is decided on twice: each decision at its own moment, as a page that is looked at, and the
    learners' next courses as of the block's beginning, as a letter that is sent, or a test that looks ahead.

    Args:
        history: the log.
        cutoff: the moment, microseconds since 1970.
        rng: samples decisions.
        since: first moment of the decisions, all of which are taken then; None for the latest `TRAINING_SHARE`.
    """
    moments = history.interactions.moments
    # What a robot takes teaches nothing, and there can be much of it.
    decisions = np.flatnonzero((moments < cutoff) & (history.earlier >= TRAINED_AFTER) & (history.earlier <= ROBOTIC))
    decisions = decisions[np.argsort(moments[decisions], kind="stable")]
    if since is None:
        decisions = decisions[int(len(decisions) * (1 - TRAINING_SHARE)) :]
    else:
        decisions = decisions[moments[decisions] >= since]
    stages: list[Stage] = []
    count = min(STAGES, max(2, _most_decisions(history) // FEWEST_IN_STAGE))
    for block in np.array_split(decisions, count):
        if len(block):
            begins, ends = int(moments[block[0]]), int(moments[block[-1]]) + 1
            known, most = history.known(begins), _most_decisions(history) // count
            stages.append(Stage(known, _sample(block, most, rng)))
            later = ahead(history, begins, ends, earlier=TRAINED_AFTER, count=AHEAD)
            if len(later):
                stages.append(Stage(known, _sample(later, 2 * most, rng), begins))
    return tuple(stages)


def ahead(history: LearningHistory, begins: int, ends: int, *, earlier: int, count: int) -> Integers:
    """Return int64[d], each learner's first enrollments in a span of time, in the order of time.

    Args:
        history: the log.
        begins: first moment of the span.
        ends: first moment after it.
        earlier: how many courses a learner must have taken before the span.
        count: how many of a learner's.
    """
    log = history.interactions
    within = np.flatnonzero((log.moments >= begins) & (log.moments < ends))
    learners, starts = np.unique(log.learners[within], return_index=True)
    place = np.arange(len(within)) - starts[np.searchsorted(learners, log.learners[within])]
    before = history.earlier[within[starts]][np.searchsorted(learners, log.learners[within])]
    decisions = within[(place < count) & (before >= earlier)]
    ordered: Integers = decisions[np.argsort(log.moments[decisions], kind="stable")]
    return ordered


def decided(history: LearningHistory, stage: Stage, decisions: Integers) -> Histories:
    """Return what the learners of these decisions of a stage had taken strictly before them."""
    log = history.interactions
    moments = log.moments[decisions]
    return history.before(
        log.learners[decisions], moments if stage.until is None else np.full_like(moments, stage.until)
    )


def held_out_from(history: LearningHistory, moment: int) -> int | None:
    """Return where to hold out from, so that a release that knows what lies before a moment knows nothing more.

    Args:
        history: the log.
        moment: microseconds since 1970.

    Returns:
        The moment; None where the last tenth of the log begins later all the same, or where too few decisions would be
        left to tell much by.
    """
    if moment <= split_moment(history) or len(judged_from(history, moment).decisions) < ENOUGH_HELD_OUT:
        return None
    return moment


def split_moment(history: LearningHistory) -> int:
    """Return T, before which nine tenths of the enrollments lie."""
    moments = np.sort(history.interactions.moments)
    return int(moments[int(len(moments) * (1 - TEST_SHARE))]) if len(moments) else 0


def _time_split(
    history: LearningHistory, rng: np.random.Generator, since: int | None, held_out_since: int | None
) -> Split:
    moments = np.sort(history.interactions.moments)
    if held_out_since is None:
        moment, place = split_moment(history), int(len(moments) * (1 - 2 * TEST_SHARE))
    else:
        moment = held_out_since
        place = max(0, int(np.searchsorted(moments, moment)) - int(len(moments) * TEST_SHARE))
    earlier = int(moments[min(place, len(moments) - 1)]) if len(moments) else 0
    training, validation = training_stages(history, moment, rng, since), judged_from(history, earlier, moment)
    return Split(
        training=training,
        validation=replace(validation, decisions=_sample(validation.decisions, _VALIDATED, rng)),
        test=judged_from(history, moment),
    )


def judged_from(history: LearningHistory, begins: int, ends: int = NEVER) -> Stage:
    """Return what a time split at a moment judges on: the first course at or after it of each learner with enough."""
    return Stage(history.known(begins), ahead(history, begins, ends, earlier=EVALUATED_AFTER, count=1), begins)


def _leave_last_out(history: LearningHistory, rng: np.random.Generator, since: int | None) -> Split:
    log = history.interactions
    later = np.searchsorted(log.learners, log.learners, side="right") - 1 - np.arange(len(log))
    earlier = history.earlier
    last = np.flatnonzero((later == 0) & (earlier >= EVALUATED_AFTER))
    before_last = np.flatnonzero((later == 1) & (earlier >= TRAINED_AFTER))
    known = later >= 2  # noqa: PLR2004 - the last and its label.
    learned = before_last if since is None else before_last[log.moments[before_last] >= since]
    training = Stage(known, _sample(learned, _most_decisions(history), rng))
    validation = Stage(known, _sample(before_last, _VALIDATED, rng))
    return Split((training,), validation, Stage(later >= 1, last))


def _most_decisions(history: LearningHistory) -> int:
    return max(1_000, min(MOST_DECISIONS, DECISIONS_PER_COURSE * len(history.traits)))


def _sample(decisions: Integers, count: int, rng: np.random.Generator) -> Integers:
    if len(decisions) > count:
        decisions = np.sort(rng.choice(decisions, count, replace=False))
    return decisions
