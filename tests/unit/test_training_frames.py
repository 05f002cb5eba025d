"""The frame of candidates that a data scientist looks at."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from app.notebook import dataset
from core.errors import InputError
from tests.simulated_history import CountedFeatures, simulated_history
from training.frames import candidate_frame

HISTORY = simulated_history()
FEATURES = CountedFeatures(HISTORY)


def test_each_row_is_a_candidate_as_it_looked_before_the_decision() -> None:
    """One taken course a decision, others beside it, every feature by name, and nothing of the future."""
    frame = candidate_frame(HISTORY, FEATURES, most=50)
    assert ["learner_id", "course_id", "decided_at", "taken", *FEATURES.layout.names] == list(frame.columns)
    assert {np.dtype("float32")} == set(frame[list(FEATURES.layout.names)].dtypes)
    decisions = frame.groupby(["learner_id", "decided_at"])["taken"].sum()
    assert {1} == set(decisions)
    assert 20 < len(decisions) <= 50 < len(frame)
    log = HISTORY.interactions
    taken = frame[frame["taken"]]
    learners = np.searchsorted(HISTORY.learner_ids, taken["learner_id"].to_numpy())
    courses = np.searchsorted(HISTORY.traits.course_ids, taken["course_id"].to_numpy())
    moments = taken["decided_at"].dt.as_unit("us").astype("int64").to_numpy()
    counts = taken["learner_enrollment_count"].to_numpy()
    for learner, course, moment, count in zip(learners, courses, moments, counts, strict=True):
        assert count == int(((log.learners == learner) & (log.moments < moment)).sum())
        assert ((log.learners == learner) & (log.courses == course) & (log.moments == moment)).any()


def test_a_frame_can_be_narrowed_and_repeated() -> None:
    """Only the learners that were named, only before the moment, and the same twice."""
    moment = int(np.quantile(HISTORY.interactions.moments, 0.8))
    learners = HISTORY.learner_ids[:100].tolist()
    frames = (candidate_frame(HISTORY, FEATURES, as_of=moment, learners=learners, most=300) for _ in range(2))
    first, second = frames
    assert set(first["learner_id"]) <= set(learners)
    assert first["decided_at"].dt.as_unit("us").astype("int64").max() < moment
    assert first.equals(second)


def test_what_cannot_be_asked_is_said() -> None:
    """An unknown learner, a moment before everything, one without an offset, no decision at all."""
    with pytest.raises(InputError, match="999999 have taken no course"):
        candidate_frame(HISTORY, FEATURES, learners=[999_999])
    with pytest.raises(InputError, match="No decision"):
        candidate_frame(HISTORY, FEATURES, as_of=0)
    with pytest.raises(InputError, match="no offset"):
        dataset(as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused.
    with pytest.raises(InputError, match="at least 1"):
        dataset(most=0)
