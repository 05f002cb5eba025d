"""What exposures teach a ranker, and what they must not teach it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.histories import DAY
from features.vector import VectorLayout
from tests.simulated_exposures import COLUMNS, Examination, Truth, shown, truth
from tests.simulated_history import CountedFeatures, simulated_history
from training.dataset import Dataset
from training.exposures import WINDOW, Exposures
from training.fit import fit_ranker
from training.history import NEVER
from training.lessons import CLIPPED, FEWEST_CONTESTS, Lessons, lessons, taught
from training.propensities import STARTS, Propensities
from training.release import FittedModel, TrainingOptions, fit_before, judge
from training.split import Protocol, split_moment

HISTORY = simulated_history(learners=150)
FEATURES = CountedFeatures(HISTORY)
OPTIONS = TrainingOptions(seed=3, threads=1, rounds=10)
LAYOUT = VectorLayout((), ("a", "b", "c", "d", "e", "f"))


class _SixColumns(VectorLayout):
    names = LAYOUT.course


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def quality(found: Lessons, asked: Truth) -> float:
    """Return NDCG@10 by the truth of a ranker that was taught nothing else."""
    dataset = Dataset(found.vectors, found.taken, found.groups, len(found.weights), 1.0, found.weights)
    booster = fit_ranker(dataset, _SixColumns((), ()), rounds=40, threads=1)
    scores = booster.inplace_predict(asked.vectors.reshape(-1, COLUMNS)).reshape(asked.suits.shape)
    gains = np.take_along_axis(asked.suits, np.argsort(-scores, axis=1)[:, :10], axis=1)
    best = -np.sort(-asked.suits, axis=1)[:, :10]
    discounts = 1 / np.log2(np.arange(2, 12))
    return float(((gains * discounts).sum(axis=1) / (best * discounts).sum(axis=1)).mean())


def test_corrected_training_is_nearer_to_the_truth() -> None:
    """With a known position bias, what is learned with the correction ranks better by the truth than without.

    The margin held with each of eight seeds; here the mean of three is asked.
    """
    asked = truth(np.random.default_rng(99), learners=400)
    gained = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        exposures = shown(rng, Examination(1.0), truth(rng, learners=1000))
        corrected, uncorrected = (
            quality(lessons(exposures, each, NEVER), asked) for each in (exposures.propensities, Propensities())
        )
        gained.append(corrected - uncorrected)
    assert np.mean(gained) > 0.007


def test_a_choice_is_told_against_what_was_passed_over() -> None:
    """One group a choice, without the list's other choices; a list of choices only, or without any, teaches nothing."""
    exposures = few(lists=[0, 0, 0, 0, 1, 1, 2], places=[1, 2, 3, 4, 1, 2, 1], chosen=[0, 1, 0, 1, 0, 0, 1])
    found = lessons(exposures, Propensities(), NEVER)
    assert [0, 0, 0, 1, 1, 1] == found.groups.tolist()
    assert [True, False, False] * 2 == found.taken.tolist()
    assert [1, 0, 2, 3, 0, 2] == found.vectors[:, 0].tolist()
    assert [1.0, 1.0] == found.weights.tolist()


def test_what_was_looked_at_less_counts_more_and_not_without_end() -> None:
    """A choice counts inversely to its place's propensity, up to a limit; on the average a choice counts one."""
    exposures = few(lists=[0, 0, 1, 1, 2, 2], places=[1, 2, 1, 2, 1, 11], chosen=[1, 0, 0, 1, 0, 1])
    values = [1.0, 0.25, *[0.01] * (len(STARTS) - 2)]
    found = lessons(exposures, Propensities(tuple(values), 1), NEVER)
    np.testing.assert_allclose(found.weights, np.array([1, 4, CLIPPED]) / 5)
    assert [4.0, CLIPPED] == (lessons(exposures, Propensities(tuple(values), 1), 2).weights * 7).tolist()


def test_lists_of_another_layout_are_not_learned_from() -> None:
    """What was ranked by other columns has no vector, and is no example; its choices still tell of places."""
    exposures = few(lists=[0, 0, 1, 1], places=[1, 2, 2, 1], chosen=[1, 0, 0, 1])
    exposures = replace(exposures, rows=np.array([-1, -1, 0, 1]))
    found = lessons(exposures, Propensities(), NEVER)
    assert ([0, 0], [1, 0]) == (found.groups.tolist(), found.vectors[:, 0].tolist())
    assert 2 == exposures.propensities.contests


def few(lists: list[int], places: list[int], chosen: list[int], columns: int = COLUMNS) -> Exposures:
    """Return exposures of one learner, whose vectors say which row they are, each course at several places."""
    size = len(lists)
    return Exposures(
        lists=np.array(lists),
        places=np.array(places),
        learner_ids=np.ones(size, np.int64),
        course_ids=np.arange(size) % 2,
        surfaces=np.zeros(size, np.int64),
        releases=np.zeros(size, np.int64),
        moments=np.arange(size, dtype=np.int64),
        chosen=np.array(chosen, np.bool_),
        rows=np.arange(size),
        vectors=np.repeat(np.arange(size, dtype=np.float32)[:, None], columns, axis=1),
        versions=("v1",),
    )


def decisions(columns: int) -> Dataset:
    """Return decisions with gaps in the numbers of their groups, as training has them."""
    vectors = np.zeros((40, columns), np.float32)
    return Dataset(vectors, np.tile([True, False], 20), np.repeat(np.arange(20) * 2, 2), 2000, 0.5)


def test_too_few_choices_leave_the_decisions_as_they_are() -> None:
    """Without enough to estimate the bias nothing is learned, and the record says what there was."""
    dataset = decisions(COLUMNS)
    found, record = taught(dataset, few([0, 0], [1, 2], [1, 0]), np.zeros(COLUMNS, np.float32))
    assert dataset is found
    assert (1, 2, 1, {"v1": 2}, 0, {}) == (
        record.lists,
        record.places,
        record.chosen,
        record.releases,
        record.learned,
        record.propensities,
    )


def test_choices_are_added_to_decisions_and_recorded() -> None:
    """Groups and weights go on where the decisions end; what was missing is read as serving reads it."""
    rng = np.random.default_rng(4)
    exposures = shown(rng, Examination(1.0), truth(rng, learners=1200))
    vectors = exposures.vectors.copy()
    vectors[:, 2] = np.nan
    fill = np.array([np.nan, np.nan, 7.0, np.nan, np.nan, np.nan], np.float32)
    dataset = decisions(COLUMNS)
    found, record = taught(dataset, replace(exposures, vectors=vectors), fill)
    assert record.contests >= FEWEST_CONTESTS
    assert min(dataset.decisions, int(exposures.chosen.sum())) == record.learned
    assert found.weights is not None
    assert len(np.unique(found.groups)) == len(found.weights) == 20 + record.learned
    assert (np.diff(found.groups) >= 0).all()
    assert {1.0} == set(found.weights[:20].tolist())
    assert np.mean(found.weights[20:]) == pytest.approx(1)
    assert {0.0, 7.0} == set(found.vectors[:, 2].tolist())
    assert list(map(str, STARTS)) == list(record.propensities)
    assert dataset.decisions == found.decisions


@cache
def platform_exposures() -> Exposures:
    """Return what the learners of the simulated platform were shown during its log, with vectors as wide."""
    rng = np.random.default_rng(6)
    world = truth(rng, learners=3000)
    exposures = shown(rng, Examination(1.0), world)
    starts, ends = (int(each) for each in np.quantile(HISTORY.interactions.moments, [0.0, 0.95]))
    width = len(FEATURES.layout.names)
    return replace(
        exposures,
        learner_ids=HISTORY.learner_ids[exposures.learner_ids % len(HISTORY.learner_ids)],
        moments=np.sort(rng.integers(starts, ends, len(np.unique(exposures.lists))))[exposures.lists],
        vectors=np.tile(exposures.vectors, (1, width))[:, :width],
    )


def changed(exposures: Exposures, from_: int | NDArray[Any]) -> Exposures:
    """Return exposures with another course of things where the window ends after a moment, and with more at the end."""
    later = exposures.moments + WINDOW > from_
    assert 100 < later.sum() < len(later) - 100
    return replace(
        exposures,
        chosen=np.where(later, ~exposures.chosen, exposures.chosen),
        places=np.where(later, 1 + exposures.places % 20, exposures.places),
        course_ids=np.where(later, 10, exposures.course_ids),
    )


@cache
def without() -> FittedModel:
    """Return the model of before the split without exposures."""
    return fit_before(HISTORY, FEATURES, split_moment(HISTORY), OPTIONS, silent)


def test_exposures_after_the_moment_change_nothing() -> None:
    """What was shown, or decided, at or after the moment has no part in the model or its record."""
    moment = split_moment(HISTORY)
    ours, theirs = (
        fit_before(HISTORY, FEATURES, moment, OPTIONS, silent, exposures=each)
        for each in (platform_exposures(), changed(platform_exposures(), moment))
    )
    assert ours.exposures is not None
    assert ours.exposures.learned > 0
    assert ours.exposures == theirs.exposures
    assert ours.ensemble.booster.save_raw() == theirs.ensemble.booster.save_raw()
    assert ours.ensemble.booster.save_raw() != without().ensemble.booster.save_raw()


@pytest.mark.parametrize("protocol", list(Protocol))
def test_evaluation_learns_nothing_of_what_was_shown_later(protocol: Protocol) -> None:
    """Neither a time split nor leaving the last out knows of exposures from the held-out decision on."""
    hidden: int | NDArray[Any] = split_moment(HISTORY)
    if protocol is Protocol.LEAVE_LAST_OUT:
        log = HISTORY.interactions
        last = np.array([log.moments[log.learners == each].max() for each in range(len(HISTORY.learner_ids))])
        hidden = last[np.searchsorted(HISTORY.learner_ids, platform_exposures().learner_ids)]
    later = changed(platform_exposures(), hidden)
    assert later.between(-NEVER, hidden).propensities.contests >= FEWEST_CONTESTS
    ours, theirs = (
        judge(HISTORY, FEATURES, protocol, OPTIONS, silent, thorough=False, exposures=each)
        for each in (platform_exposures(), later)
    )
    assert ours == theirs


def test_without_exposures_training_is_what_it_was() -> None:
    """Exposures that teach nothing leave every byte of the ranker as it is without them."""
    nothing = platform_exposures().between(0, 0)
    assert 0 == len(nothing)
    ours = fit_before(HISTORY, FEATURES, split_moment(HISTORY), OPTIONS, silent, exposures=nothing)
    assert ours.ensemble.booster.save_raw() == without().ensemble.booster.save_raw()
    assert without().exposures is None
    assert ours.exposures is not None
    assert 0 == ours.exposures.learned == ours.exposures.places


def test_a_range_holds_what_began_in_it_and_was_decided() -> None:
    """The window must have ended by the moment, which may be each learner's own."""
    exposures = replace(few([0, 1, 2], [1, 1, 1], [0, 1, 0]), moments=np.array([0, DAY, 2 * DAY]))
    assert [1] == exposures.between(DAY, DAY + WINDOW).lists.tolist()
    assert [0, 2] == exposures.between(0, np.array([WINDOW, WINDOW, 2 * DAY + WINDOW])).lists.tolist()
