"""A release judged again on decisions that another one was judged on, so that the two can be compared.

Releases that were trained on different logs were judged as of different moments. The one whose log ends earlier is
asked the held-out decisions of the other, with its own ranker, similarities and columns, as of the moment that the
other was asked them. What it may have learned from is left out: a decision counts only when it is later than the whole
log that the release was trained on. Once enough has happened after the logs of both, both are asked that instead: what
is compared then are the releases themselves, and not what the training of one made of less.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from core.errors import InputError
from features.interactions import Integers
from serving.artifact import Release
from training.dataset import Defaulted, PointInTimeFeatures
from training.history import EPOCH, LearningHistory
from training.judgment import FEWEST_COMMON, Judgment
from training.metrics import NOT_RANKED
from training.ranking import model_ranks
from training.split import Protocol, Stage, judged_from

Step = Callable[[str, int], Callable[[int], None]]
"""Told the name of a step and its total; returns what is told of each part that is done."""
_KEY = ["learner", "course", "moment"]


def asked_from(history: LearningHistory, moment: int) -> Judgment:
    """Return the decisions of a time split at a moment (microseconds since 1970), which nobody has ranked yet.

    Courses that may not be shown any more are left out.
    """
    log, decisions = history.interactions, judged_from(history, moment).decisions
    decisions = decisions[history.published[log.courses[decisions]]]
    nothing = np.full(len(decisions), NOT_RANKED)
    return Judgment(
        protocol=Protocol.TIME_SPLIT,
        as_of=moment,
        learner_ids=history.learner_ids[log.learners[decisions]],
        course_ids=history.traits.course_ids[log.courses[decisions]],
        moments=log.moments[decisions],
        model=nothing,
        popularity=nothing,
    )


def after(moment: datetime) -> int:
    """Return the first moment, microseconds since 1970, that is later than the end of a log."""
    return _microseconds(moment) + 1


def rejudged(
    history: LearningHistory, features: PointInTimeFeatures, release: Release, asked: Judgment, step: Step
) -> Judgment:
    """Ask a release the decisions that another one was judged on, and that it cannot have learned from.

    Args:
        history: the log, which reaches over the decisions.
        features: stored features of the release as of any moment.
        release: verified.
        asked: what the other release was judged on.
        step: draws progress.

    Returns:
        The ranks of those decisions that are later than the log of the release, that the log still tells of, and whose
        course may still be shown.

    Raises:
        InputError: the other was judged by another protocol, the features are not those of the release, or too few
            decisions are left.
    """
    manifest = release.manifest
    if asked.protocol is not Protocol.TIME_SPLIT:
        raise InputError(f"The other release was judged by the protocol {asked.protocol}, and not as of one moment.")
    if features.layout != release.layout:
        raise InputError(
            f"The feature service {manifest.feature_service} has other columns now than release {manifest.version} was "
            "trained on."
        )
    end = _microseconds(manifest.trained_until)
    later = np.flatnonzero(asked.moments > end)
    if len(later) < FEWEST_COMMON:
        raise InputError(
            f"It has learned from the log until {manifest.trained_until:%Y-%m-%d %H:%M:%S} UTC, and of the "
            f"{len(asked.moments)} held-out decisions of the other {len(later)} are later, where {FEWEST_COMMON} "
            "are needed: train again when more has happened since."
        )
    places, decisions = _found(history, asked, later)
    if len(decisions) < FEWEST_COMMON:
        raise InputError(
            f"The lake tells of {len(decisions)} of the {len(later)} held-out decisions any more whose courses may "
            f"still be shown, and {FEWEST_COMMON} are needed: train both on this lake."
        )
    stage = Stage(np.zeros(len(history.interactions), np.bool_), decisions, asked.as_of)
    ranked = model_ranks(
        history,
        stage,
        release.similarities.over(release.course_ids, history.traits),
        release.ensemble,
        Defaulted(features, manifest.defaults),
        advance=step(f"Judging {manifest.version} again", len(decisions)),
    )
    return Judgment(
        protocol=asked.protocol,
        as_of=asked.as_of,
        learner_ids=asked.learner_ids[places],
        course_ids=asked.course_ids[places],
        moments=asked.moments[places],
        model=ranked.ranks,
        popularity=asked.popularity[places],
    )


def _found(history: LearningHistory, asked: Judgment, later: Integers) -> tuple[Integers, Integers]:
    """Return which of the decisions the log tells of, of courses that may be shown, and where they are in it."""
    log = history.interactions
    told = pd.DataFrame(
        {
            "learner": history.learner_ids[log.learners],
            "course": history.traits.course_ids[log.courses],
            "moment": log.moments,
            "position": np.arange(len(log)),
        }
    )
    wanted = pd.DataFrame(
        {"learner": asked.learner_ids[later], "course": asked.course_ids[later], "moment": asked.moments[later]}
    ).assign(place=later)
    joined = wanted.merge(told[history.published[log.courses]], on=_KEY).sort_values("place")
    return joined["place"].to_numpy(np.int64), joined["position"].to_numpy(np.int64)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
