"""Scoring many learners: from what was known before a moment, for everybody who is asked for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from features.pair import DAY
from tests.simulated_history import CountedFeatures, simulated_events, simulated_history, simulated_traits
from training.history import LearningHistory, learning_history
from training.release import TrainingOptions, fit_before
from training.scoring import ScoredList, score
from training.split import split_moment

HISTORY = simulated_history()
MOMENT = split_moment(HISTORY)
OPTIONS = TrainingOptions(seed=3, threads=1, rounds=20)


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def lists(history: LearningHistory, learners: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[ScoredList]:
    """Return the lists of learners, from what lay before T."""
    features = CountedFeatures(history)
    model = fit_before(history, features, MOMENT, OPTIONS, silent)
    return list(score(history, features, model, learners, MOMENT, count=5))


@cache
def everybody() -> list[ScoredList]:
    """Return the lists of all learners, and of one who is not in the log."""
    return lists(HISTORY, np.append(np.arange(len(HISTORY.learner_ids)), -1))


def test_lists_are_of_courses_that_were_not_taken_before_the_moment() -> None:
    """Each list has five different courses, best first, and none that its learner had by then."""
    histories = HISTORY.before(np.arange(len(HISTORY.learner_ids)), np.full(len(HISTORY.learner_ids), MOMENT))
    for position, found in enumerate(everybody()[:-1]):
        taken = histories.courses[histories.offsets[position] : histories.offsets[position + 1]]
        assert position == found.learner
        assert 5 == len(set(found.courses.tolist()) - set(HISTORY.traits.course_ids[taken].tolist()))
        assert sorted(found.scores, reverse=True) == found.scores.tolist()
        assert ("MODEL" if len(taken) else "POPULARITY") == found.strategy


def test_somebody_unknown_gets_what_is_popular() -> None:
    """The list of nobody is that of the last 30 days before the moment, and no error."""
    found = everybody()[-1]
    assert "POPULARITY" == found.strategy
    assert found.scores.tolist() == np.sort(HISTORY.popularity(np.array([MOMENT]))[0])[::-1][:5].tolist()


def test_the_future_changes_no_list() -> None:
    """With other events at and after the moment every list is the same, to the last bit."""
    events = simulated_events()
    later = events["occurred_at"] >= pd.Timestamp(MOMENT, unit="us", tz="UTC")
    other = events[later].assign(course_id=events.loc[later, "course_id"].iloc[::-1].to_numpy())
    changed = learning_history(pd.concat([events[~later], other]), simulated_traits(), HISTORY.published)
    assert HISTORY.learner_ids.tolist() == changed.learner_ids.tolist()
    for ours, theirs in zip(everybody(), lists(changed, np.append(np.arange(300), -1)), strict=True):
        assert ours.strategy == theirs.strategy
        np.testing.assert_array_equal(ours.courses, theirs.courses)
        np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_too_little_before_a_moment_is_refused() -> None:
    """Before the platform began there is nothing to learn from."""
    with pytest.raises(InputError, match="decisions"):
        fit_before(HISTORY, CountedFeatures(HISTORY), int(HISTORY.interactions.moments.min()) + DAY, OPTIONS, silent)
