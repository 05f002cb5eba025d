"""Decisions of the past as a frame that a person can look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.errors import InputError
from features.similarity import fit_similarities
from training.dataset import PointInTimeFeatures, examples, merged, with_features
from training.history import LearningHistory
from training.split import Stage

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

    Statistics of pairs of courses are fitted on what lay strictly before the first decision of the frame, everything
    else is as of each decision. Of what was not taken, a sample is kept, as in training; a decision whose course was
    not among the candidates teaches nothing and has no row.

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
    chosen = _decisions(history, as_of, learners, most)
    log = history.interactions
    first = int(log.moments[chosen].min())
    known = history.known(first)
    similarities = fit_similarities(log.select(known), len(history.traits))
    stage = Stage(decisions=chosen, known=known)
    frames = [
        pd.DataFrame(with_features(history, part, features), columns=list(features.layout.names)).assign(
            learner_id=history.learner_ids[log.learners[part.decisions]][part.rows],
            course_id=history.traits.course_ids[part.columns],
            decided_at=pd.to_datetime(part.moments[part.rows], unit="us", utc=True),
            taken=part.taken,
        )
        for part in merged(examples(history, stage, similarities, np.random.default_rng(seed)))
    ]
    named = ["learner_id", "course_id", "decided_at", "taken"]
    return pd.concat(frames, ignore_index=True)[[*named, *features.layout.names]]


def _decisions(
    history: LearningHistory, as_of: int | None, learners: Sequence[int] | None, most: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
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
    latest = chosen[np.argsort(log.moments[chosen], kind="stable")[-most:]]
    return np.sort(latest).astype(np.int64)
