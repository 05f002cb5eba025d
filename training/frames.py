"""Decisions of the past as a frame that a person can look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from core.errors import InputError
from features.interactions import Integers
from training.dataset import Examples, PointInTimeFeatures, examples, with_features
from training.history import LearningHistory
from training.split import Stage

STAGE = 250
"""Decisions that share statistics of pairs of courses."""
FEWEST_TAKEN = 1
"""Courses that a learner had taken before a decision of the frame: without one there is nothing to rank by."""


def candidate_frame(
    history: LearningHistory,
    features: PointInTimeFeatures,
    *,
    as_of: int | None = None,
    learners: Sequence[int] | None = None,
    most: int = 1000,
    seed: int = 7,
) -> pd.DataFrame:
    """Return the candidates of decisions, as the ranker sees them.

    Decisions come in stages of `STAGE`, in the order of time. Statistics of pairs of courses are fitted on what lay
    strictly before the first decision of its stage, as in training; everything else is as of each decision. Of what
    was not taken, a sample is kept, as in training; a decision whose course was not among the candidates teaches
    nothing and has no row.

    Args:
        history: the log.
        features: stored features as of any moment.
        as_of: only decisions strictly before it, microseconds since 1970; None for all.
        learners: ids of the learners whose decisions are wanted; None for all.
        most: how many decisions at most, the latest.
        seed: of the sampling of candidates that were not taken.

    Returns:
        One row a candidate: `learner_id` (int64), `course_id` (int64), `decided_at` (UTC, to the microsecond), `taken`
        (bool) and one float32 column for each name of `features.layout.names`, NaN for missing.

    Raises:
        InputError: a learner is not known, or no decision is left.
    """
    chosen, rng = _decisions(history, as_of, learners, most), np.random.default_rng(seed)
    frames = [
        _described(history, part, features)
        for stage in _stages(history, chosen)
        for part in examples(history, stage, history.similarities(stage.known), rng)
    ]
    named = ["learner_id", "course_id", "decided_at", "taken"]
    return pd.concat(frames, ignore_index=True)[[*named, *features.layout.names]]


def _stages(history: LearningHistory, chosen: Integers) -> Iterator[Stage]:
    for start in range(0, len(chosen), STAGE):
        part = chosen[start : start + STAGE]
        yield Stage(known=history.known(int(history.interactions.moments[part].min())), decisions=np.sort(part))


def _described(history: LearningHistory, part: Examples, features: PointInTimeFeatures) -> pd.DataFrame:
    log = history.interactions
    return pd.DataFrame(with_features(history, part, features), columns=list(features.layout.names)).assign(
        learner_id=history.learner_ids[log.learners[part.decisions]][part.rows],
        course_id=history.traits.course_ids[part.columns],
        decided_at=pd.to_datetime(part.moments[part.rows], unit="us", utc=True),
        taken=part.taken,
    )


def _decisions(history: LearningHistory, as_of: int | None, learners: Sequence[int] | None, most: int) -> Integers:
    """Return the positions of decisions in the order of time."""
    log = history.interactions
    wanted = history.earlier >= FEWEST_TAKEN
    if as_of is not None:
        wanted &= log.moments < as_of
    if learners is not None:
        unknown = sorted(set(learners) - set(history.learner_ids.tolist()))
        if unknown:
            raise InputError(f"Learners {', '.join(map(str, unknown[:5]))} have taken no course.")
        wanted &= np.isin(history.learner_ids[log.learners], np.asarray(learners, np.int64))
    chosen = np.flatnonzero(wanted)
    if not len(chosen):
        raise InputError("No decision of the log is before that moment and by a learner who had taken a course.")
    return chosen[np.argsort(log.moments[chosen], kind="stable")[-most:]].astype(np.int64)
