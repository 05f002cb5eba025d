"""Which decisions a model is fitted and judged on, and what was known at each of them.

`time-split`: everything strictly before a moment T is known; the decision is each learner's first course at or
after T, of learners with enough earlier ones. Statistics, popularity and stored features are as of T; only the
clock is that of the decision. What serving would do, which materializes features every day, is told beside it.

`leave-last-out`: the decision is each learner's last course. As in every published result of this protocol,
item-to-item statistics see what *other* learners did later; the learner's own course and everything after
it are hidden, and features of a moment are as of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from features.pair import Histories
from features.similarity import Integers
from training.history import LearningHistory

EVALUATED_AFTER = 3
"""A learner is evaluated who took at least so many courses before."""
TRAINED_AFTER = 2
TRAINING_SHARE = 0.5
"""Share of the latest decisions that the ranker is fitted on; what is older only feeds statistics."""
STAGES = 5
MOST_DECISIONS = 25_000
DECISIONS_PER_COURSE = 25
"""The ranker of a small catalog learns from fewer decisions, and is trained while somebody waits for it."""
TEST_SHARE = 0.1


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
        until: moment (microseconds) after which nothing is known of anybody; None where each decision knows
            what lay before it.
    """

    known: NDArray[np.bool_]
    decisions: Integers
    until: int | None = None


@dataclass(frozen=True)
class Split:
    """What a model is fitted on, and what it is judged on."""

    training: tuple[Stage, ...]
    test: Stage


def split(history: LearningHistory, protocol: Protocol, rng: np.random.Generator) -> Split:
    """Return the stages of a protocol.

    Raises:
        InputError: there is too little history to evaluate anything.
    """
    divided = (_time_split if protocol is Protocol.TIME_SPLIT else _leave_last_out)(history, rng)
    if len(divided.test.decisions) == 0 or sum(len(stage.decisions) for stage in divided.training) == 0:
        raise InputError(
            f"There are {len(history.interactions)} enrollments, too few for {protocol}: no learner has "
            f"{EVALUATED_AFTER} courses before the one to be predicted."
        )
    return divided


def training_stages(history: LearningHistory, cutoff: int, rng: np.random.Generator) -> tuple[Stage, ...]:
    """Return stages over the latest decisions strictly before a moment, each fitted on what lay before it."""
    moments = history.interactions.moments
    decisions = np.flatnonzero((moments < cutoff) & (history.earlier >= TRAINED_AFTER))
    decisions = decisions[np.argsort(moments[decisions], kind="stable")]
    decisions = decisions[int(len(decisions) * (1 - TRAINING_SHARE)) :]
    stages = []
    for block in np.array_split(decisions, STAGES):
        if len(block):
            known = history.known(int(moments[block[0]]))
            stages.append(Stage(known, _sample(block, _most_decisions(history) // STAGES, rng)))
    return tuple(stages)


def decided(history: LearningHistory, decisions: Integers) -> Histories:
    """Return what the learners of these decisions had taken strictly before them."""
    log = history.interactions
    return history.before(log.learners[decisions], log.moments[decisions])


def split_moment(history: LearningHistory) -> int:
    """Return T, before which nine tenths of the enrollments lie."""
    moments = np.sort(history.interactions.moments)
    return int(moments[int(len(moments) * (1 - TEST_SHARE))]) if len(moments) else 0


def _time_split(history: LearningHistory, rng: np.random.Generator) -> Split:
    moment = split_moment(history)
    log = history.interactions
    after = np.flatnonzero(log.moments >= moment)
    _, first = np.unique(log.learners[after], return_index=True)
    decisions = after[first]
    decisions = decisions[history.earlier[decisions] >= EVALUATED_AFTER]
    decisions = decisions[np.argsort(log.moments[decisions], kind="stable")]
    return Split(training_stages(history, moment, rng), Stage(history.known(moment), decisions, moment))


def _leave_last_out(history: LearningHistory, rng: np.random.Generator) -> Split:
    log = history.interactions
    later = np.searchsorted(log.learners, log.learners, side="right") - 1 - np.arange(len(log))
    earlier = history.earlier
    last = np.flatnonzero((later == 0) & (earlier >= EVALUATED_AFTER))
    before_last = np.flatnonzero((later == 1) & (earlier >= TRAINED_AFTER))
    training = Stage(later >= 2, _sample(before_last, _most_decisions(history), rng))  # noqa: PLR2004 - the last and its label.
    return Split((training,), Stage(later >= 1, last))


def _most_decisions(history: LearningHistory) -> int:
    return max(1_000, min(MOST_DECISIONS, DECISIONS_PER_COURSE * len(history.traits)))


def _sample(decisions: Integers, count: int, rng: np.random.Generator) -> Integers:
    if len(decisions) > count:
        decisions = np.sort(rng.choice(decisions, count, replace=False))
    return decisions
