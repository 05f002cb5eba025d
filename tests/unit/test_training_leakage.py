"""No leakage: whatever happens later, earlier decisions look the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.errors import InputError
from features.histories import DAY
from features.similarity import fit_similarities
from tests.simulated_history import CountedFeatures, simulated_events, simulated_traits
from training import split as module
from training.dataset import examples, with_features
from training.history import LearningHistory, learning_history
from training.release import TrainingOptions, train
from training.split import Protocol, Stage, split, split_moment, training_stages

TRAITS = simulated_traits()
_COLUMNS = ("learners", "courses", "moments")
EVENTS = simulated_events()


def history_of(events: pd.DataFrame) -> LearningHistory:
    """Return the log of some events."""
    return learning_history(events, TRAITS, np.ones(len(TRAITS), np.bool_))


HISTORY = history_of(EVENTS)
MOMENT = split_moment(HISTORY)


def _dropped(later: pd.DataFrame) -> pd.DataFrame:
    return later.iloc[:1]


def _permuted(later: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return later.assign(course_id=rng.permutation(later["course_id"].to_numpy()))


def _shifted(later: pd.DataFrame) -> pd.DataFrame:
    return later.assign(occurred_at=later["occurred_at"] + pd.Timedelta(days=3))


@pytest.mark.parametrize("change", [_dropped, _permuted, _shifted])
def test_another_future_changes_nothing_that_an_earlier_decision_sees(change: object) -> None:
    """Statistics, candidates and vectors of decisions before T are equal to the last bit."""
    cutoff = pd.Timestamp(MOMENT, unit="us", tz="UTC")
    later = EVENTS["occurred_at"] >= cutoff
    assert callable(change)
    changed = history_of(pd.concat([EVENTS[~later], change(EVENTS[later])]))
    for ours, theirs in zip(_seen(HISTORY), _seen(changed), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _seen(history: LearningHistory) -> list[NDArray[Any]]:
    features = CountedFeatures(history)
    seen = []
    for stage in training_stages(history, MOMENT, np.random.default_rng(1)):
        fitted = fit_similarities(history.interactions.select(stage.known), len(TRAITS), TRAITS.about)
        seen += [each.toarray() for each in fitted.matrices.values()]
        few = Stage(stage.known, _by_moment(history, stage)[:20], stage.until)
        for part in examples(history, few, fitted):
            seen += [TRAITS.course_ids[part.columns], part.rows, with_features(history, part, features)]
    return seen


def _by_moment(history: LearningHistory, stage: Stage) -> NDArray[Any]:
    order = np.argsort(history.interactions.moments[stage.decisions], kind="stable")
    return stage.decisions[order]


@pytest.mark.parametrize("moment", [MOMENT, MOMENT + 1, int(HISTORY.interactions.moments.max()) + 1])
def test_a_log_that_is_cut_is_what_was_told_before_the_moment(moment: int) -> None:
    """To the last array the log of before: learners who came later are not there, and nobody has left yet."""
    leavings = EVENTS.iloc[::7].assign(
        kind="unenrolled", occurred_at=EVENTS["occurred_at"].iloc[::7] + pd.Timedelta(days=20)
    )
    events = pd.concat([EVENTS, leavings])
    whole = history_of(events)
    earlier = history_of(events[events["occurred_at"] < pd.Timestamp(moment, unit="us", tz="UTC")])
    cut = whole.until(moment)
    for ours, theirs in (
        (cut.learner_ids, earlier.learner_ids),
        (cut.left, earlier.left),
        *((getattr(cut.interactions, name), getattr(earlier.interactions, name)) for name in _COLUMNS),
    ):
        np.testing.assert_array_equal(theirs, ours)
    assert len(cut.learner_ids) <= len(whole.learner_ids)


def test_training_until_a_moment_gives_the_model_of_that_moment() -> None:
    """From a log that went on, cut, and from the log as it was: the same bytes, and the same figures."""
    options = TrainingOptions(threads=1, rounds=5)
    whole = HISTORY.until(MOMENT)
    earlier = history_of(EVENTS[EVENTS["occurred_at"] < pd.Timestamp(MOMENT, unit="us", tz="UTC")])
    # The feature store of today knows what came later, and is asked as of before.
    ours, theirs = (
        train(history, CountedFeatures(stored), options, lambda *_: None)
        for history, stored in ((whole, HISTORY), (earlier, earlier))
    )
    assert ours.ensemble.booster.save_raw() == theirs.ensemble.booster.save_raw()
    assert ours.evaluation == theirs.evaluation


@pytest.mark.parametrize("protocol", list(Protocol))
def test_decisions_since_a_moment_are_all_learned_from_and_no_earlier_one(protocol: Protocol) -> None:
    """Since bounds the decisions and not the knowledge: statistics and histories see what lay before."""
    since = int(np.quantile(HISTORY.interactions.moments, 0.2))
    moments = HISTORY.interactions.moments
    divided, usual = (split(HISTORY, protocol, np.random.default_rng(1), each) for each in (since, None))
    decided = np.concatenate([moments[stage.decisions] for stage in divided.training])
    assert since <= decided.min()
    assert decided.min() < since + 30 * DAY
    assert all(moments[stage.known].min() < since for stage in divided.training)
    np.testing.assert_array_equal(usual.test.decisions, divided.test.decisions)
    if protocol is Protocol.TIME_SPLIT:
        # The usual share begins later.
        assert decided.min() < min(moments[stage.decisions].min() for stage in usual.training)
    with pytest.raises(InputError, match="none decided in the range"):
        split(HISTORY, protocol, np.random.default_rng(1), int(moments.max()) + 1)


def test_stages_know_only_what_lies_before_their_first_decision() -> None:
    """Each training stage is fitted strictly before the earliest of its decisions, and all lie before T."""
    moments = HISTORY.interactions.moments
    for stage in split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1)).training:
        assert moments[stage.known].max() < moments[stage.decisions].min()
        assert moments[stage.decisions].max() < MOMENT


def test_a_time_split_asks_for_the_first_course_after_the_moment() -> None:
    """Each learner is asked about once: the first course at or after T, with three before it."""
    log = HISTORY.interactions
    test = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1)).test
    assert len(test.decisions) > 10
    assert not test.known[log.moments >= MOMENT].any()
    assert len(set(log.learners[test.decisions])) == len(test.decisions)
    for decision in test.decisions:
        own = log.learners == log.learners[decision]
        assert log.moments[decision] == log.moments[own & (log.moments >= MOMENT)].min()
        assert 3 <= (own & (log.moments < log.moments[decision])).sum()


def test_leaving_the_last_out_hides_it_and_its_label() -> None:
    """What is predicted is never known, neither in the test nor in the training before it."""
    divided = split(HISTORY, Protocol.LEAVE_LAST_OUT, np.random.default_rng(1))
    (training,) = divided.training
    assert not divided.test.known[divided.test.decisions].any()
    assert not training.known[training.decisions].any()
    assert not training.known[divided.test.decisions].any()
    assert set(training.decisions).isdisjoint(divided.test.decisions)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_baselines_are_tuned_on_no_more_than_a_sample(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many decisions before the test some are drawn to tune on; the test is judged whole."""
    usual = module.split(HISTORY, protocol, np.random.default_rng(1))
    monkeypatch.setattr(module, "_VALIDATED", 20)
    divided = module.split(HISTORY, protocol, np.random.default_rng(1))
    assert 20 == len(divided.validation.decisions) < len(usual.validation.decisions)
    assert {*divided.validation.decisions.tolist()} <= {*usual.validation.decisions.tolist()}
    assert usual.test.decisions.tolist() == divided.test.decisions.tolist()


def test_candidates_were_not_taken_before() -> None:
    """No candidate of a decision is in the history before it, and the taken course is marked once."""
    stage = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1)).test
    fitted = fit_similarities(HISTORY.interactions.select(stage.known), len(TRAITS), TRAITS.about)
    log = HISTORY.interactions
    for part in examples(HISTORY, stage, fitted):
        before = HISTORY.before(log.learners[part.decisions], log.moments[part.decisions])
        assert not before.taken(len(TRAITS))[part.rows, part.columns].any()
        assert (log.courses[part.decisions][part.rows[part.taken]] == part.columns[part.taken]).all()


def test_a_time_split_at_a_moment_of_ones_own_knows_nothing_of_it_either() -> None:
    """Training, validation and test lie before and after it as they do for the last tenth."""
    moments = HISTORY.interactions.moments
    usual = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1))
    assert usual.test.until is not None
    same = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1), None, usual.test.until)
    np.testing.assert_array_equal(usual.test.decisions, same.test.decisions)
    moment = int(np.quantile(moments, 0.95))
    divided = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1), None, moment)
    assert moment == divided.test.until
    assert len(divided.test.decisions) > 10
    assert moments[divided.test.decisions].min() >= moment
    assert moments[divided.validation.decisions].max() < moment
    assert max(int(moments[stage.decisions].max()) for stage in divided.training) < moment
    with pytest.raises(InputError, match="in the range that was asked for"):
        split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1), None, int(moments.max()) + 1)
