"""Pair features: the numbers that their names promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from features import relations
from features.histories import DAY, HOUR, Floats, Histories, Popularity
from features.interactions import Integers, Interactions
from features.kernels import NumpyKernels
from features.pair import PAIR_FEATURES, pair_features
from features.relations import RECENCY, UNWEIGHTED, WEIGHING, relate
from features.similarity import Similarities, fit_similarities
from tests.simulated_history import simulated_traits

COURSES = 12
NOW = 20_000 * DAY
TRAITS = simulated_traits(COURSES)
POPULARITY = Popularity.of(np.zeros(COURSES))


def histories(*taken: list[int]) -> Histories:
    """Return one history for each list of positions, newest first, an hour between any two."""
    lengths = [len(each) for each in taken]
    return Histories(
        offsets=np.cumsum([0, *lengths]).astype(np.int64),
        courses=np.array([course for each in taken for course in each], np.int64),
        moments=np.array([NOW - (age + 1) * HOUR for each in taken for age in range(len(each))], np.int64),
        now=np.full(len(taken), NOW, np.int64),
    )


def similarities(seed: int = 1) -> Similarities:
    """Return similarities fitted on random enrollments."""
    rng = np.random.default_rng(seed)
    learners = np.sort(rng.integers(0, 30, 200))
    log = Interactions(learners, rng.integers(0, COURSES, 200), np.arange(200, dtype=np.int64))
    return fit_similarities(log, COURSES)


def features_of(batch: Histories, fitted: Similarities, popularity: Popularity = POPULARITY) -> Floats:
    """Return the pair features of every history with every course."""
    every = np.arange(COURSES)
    return np.concatenate(
        [pair_features(relate(each, fitted, TRAITS, popularity), each, TRAITS, every) for each in batch]
    )


def column(values: Floats, name: str) -> Floats:
    """Return one feature."""
    return values[:, PAIR_FEATURES.index(name)]


@given(taken=st.lists(st.integers(0, COURSES - 1), min_size=1, max_size=COURSES, unique=True), seed=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_comparisons_equal_a_naive_computation(taken: list[int], seed: int) -> None:
    """Sums, decays, newest and relative values equal what loops over dense matrices give."""
    fitted = similarities(seed)
    values = features_of(histories(taken), fitted)
    for name, (reach, decay) in WEIGHING.items():
        matrix = getattr(fitted, name).toarray()
        recent = list(enumerate(taken))[:reach]
        expected = sum((decay**age * matrix[course] for age, course in recent), start=np.zeros(COURSES))
        equal(column(values, f"pair_{name}"), expected)
        equal(column(values, f"pair_{name}_last"), matrix[taken[0]])
        if name in UNWEIGHTED:
            equal(column(values, f"pair_{name}_flat"), matrix[taken].sum(axis=0))
        if f"pair_{name}_relative" in PAIR_FEATURES:
            equal(column(values, f"pair_{name}_relative"), expected / (expected.max() or 1))
    shares = RECENCY ** np.arange(len(taken))
    for name in ("content", "titles"):
        vectors = getattr(TRAITS, name).toarray()
        expected = vectors @ (shares / shares.sum() @ vectors[taken])
        equal(column(values, f"pair_{name}"), expected)
        equal(column(values, f"pair_{name}_last"), vectors @ vectors[taken[0]])
        equal(column(values, f"pair_{name}_relative"), expected / (expected.max() or 1))


@given(taken=st.lists(st.integers(0, COURSES - 1), max_size=COURSES, unique=True))
@settings(max_examples=40, deadline=None)
def test_compiled_loops_change_no_feature(taken: list[int]) -> None:
    """With NumPy's loops every feature is the same to the last bit, that of an empty history too."""
    compiled = features_of(histories(taken), similarities())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relations, "kernels", NumpyKernels)
        np.testing.assert_array_equal(features_of(histories(taken), similarities()), compiled)


def equal(found: Floats, expected: Floats | np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Check that values are equal but for the rounding of float32."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_context_counts_time_back_from_the_decision() -> None:
    """Hours since the last course, days since the first, and counts are of the history's moments."""
    batch = Histories(
        offsets=np.array([0, 3]),
        courses=np.array([1, 2, 3]),
        moments=np.array([NOW - 2 * HOUR, NOW - 3 * DAY, NOW - 40 * DAY]),
        now=np.array([NOW]),
    )
    values = features_of(batch, similarities())
    assert [2.0, 3.0, 40.0, 1.0, 2.0] == values[0, -5:].tolist()


def test_popularity_is_weighed_by_topics_and_languages_of_the_history() -> None:
    """What many take counts where the history has the topic and the language; what is missing counts as nothing."""
    popularity = np.arange(COURSES, dtype=np.float32)[None, :].copy()
    popularity[0, 3] = np.nan
    values = features_of(histories([0]), similarities(), Popularity.of(popularity[0]))
    expected = np.nan_to_num(popularity[0])
    assert expected.tolist() == column(values, "pair_popularity").tolist()
    topics = column(values, "pair_topics")
    np.testing.assert_allclose(column(values, "pair_topic_popularity"), topics * np.log1p(expected), rtol=1e-6)
    same = TRAITS.languages == TRAITS.languages[0]
    assert (expected * same).tolist() == column(values, "pair_language_popularity").tolist()
    assert 1.0 == column(values, "pair_popularity_relative").max()


def test_an_empty_history_has_no_comparison_and_no_moments() -> None:
    """Somebody without a history gets zeros, missing values where a moment would be needed, and what anybody takes."""
    values = features_of(histories([]), similarities())
    likely = PAIR_FEATURES.index("pair_towers_logit")
    np.testing.assert_array_equal(values[:, likely], similarities().towers.biases)
    moments = [PAIR_FEATURES.index(name) for name in ("pair_hours_since_last", "pair_days_since_first")]
    assert np.isnan(values[:, moments]).all()
    assert not np.delete(values, [*moments, likely], axis=1).any()


def test_topics_count_the_share_of_the_history() -> None:
    """A course on the topic of the whole history gets 1, one on another topic of the same parent gets half."""
    # Courses 0 and 6 are on topic 1, course 2 is on topic 3: both topics are below topic 101.
    values = column(features_of(histories([0]), similarities()), "pair_topics")
    assert [1.0, 1.0, 0.5, 0.0] == values[[0, 6, 2, 1]].tolist()


@pytest.mark.parametrize("name", ["pair_level_share", "pair_language_share"])
def test_shares_of_levels_and_languages_are_of_the_whole_history(name: str) -> None:
    """A course of the same level or language as half of the history gets a half."""
    codes: Integers = TRAITS.levels if name == "pair_level_share" else TRAITS.languages
    taken = [0, 1]
    expected = [np.mean([codes[course] == codes[each] for each in taken]) for course in range(COURSES)]
    assert expected == column(features_of(histories(taken), similarities()), name).tolist()
