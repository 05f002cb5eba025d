"""Linear models are what their formulas say, however matrices are multiplied, and the strongest entries are kept."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Interactions, Sparse, strongest_of
from features.linear import (
    DECAY_AHEAD,
    DECAY_BACK,
    HALF_LIFE,
    LINEAR_RIDGE,
    REACH_AHEAD,
    REACH_BACK,
    SEQUENTIAL_RIDGE,
    fit_linear,
)


def some_log(courses: int, learners: int) -> Interactions:
    """Return a log in which everybody takes four courses that are near each other."""
    rng = np.random.default_rng(courses)
    starts = rng.integers(0, courses, learners)
    taken = (starts[:, None] + np.array([0, 3, 1, 2])) % courses
    moments = np.sort(rng.integers(0, 2 * HALF_LIFE, (learners, 4)), axis=1)
    return Interactions(np.repeat(np.arange(learners), 4), taken.ravel(), moments.ravel())


def weights_of(log: Interactions) -> NDArray[np.float64]:
    """Return the weight of each enrollment."""
    return np.asarray(np.exp2(-(log.moments.max() - log.moments) / HALF_LIFE / 2), np.float64)


def linear_by_formula(log: Interactions, size: int) -> NDArray[np.float64]:
    """Return the weights of EASE: -P / diag(P) with P the inverse of the Gram matrix with its ridge."""
    taken = np.zeros((int(log.learners.max()) + 1, size))
    taken[log.learners, log.courses] = weights_of(log)
    inverse = np.linalg.inv(taken.T @ taken + LINEAR_RIDGE * np.eye(size))
    found = np.asarray(inverse / -np.diag(inverse), np.float64)
    np.fill_diagonal(found, 0.0)
    return found


def sequential_by_formula(log: Interactions, size: int) -> NDArray[np.float64]:
    """Return the weights of SLIST, built place by place: P S'T with what keeps a course from predicting itself."""
    weights = weights_of(log)
    before, after = np.zeros((2, 2 * len(log), size))
    for place in range(len(log)):
        same = [other for other in range(len(log)) if log.learners[other] == log.learners[place]]
        for other in same:
            if 1 <= place - other <= REACH_BACK:
                before[place, log.courses[other]] += DECAY_BACK ** (place - other - 1) * weights[place]
            if 0 <= other - place < REACH_AHEAD and place != same[0]:
                after[place, log.courses[other]] += DECAY_AHEAD ** (other - place) * weights[place]
        for each in (before, after):
            each[len(log) + log.learners[place], log.courses[place]] = weights[place]
    inverse = np.linalg.inv(before.T @ before + SEQUENTIAL_RIDGE * np.eye(size))
    solved = inverse @ before.T @ after
    return np.asarray(solved - inverse * (np.diag(solved) / np.diag(inverse)), np.float64)


@pytest.mark.parametrize(("courses", "learners"), [(12, 100), (150, 120)], ids=["full", "sparse"])
def test_models_are_what_their_formulas_say(courses: int, learners: int) -> None:
    """Courses that are nearly all taken together, and courses with few others: two ways to multiply, one result."""
    log = some_log(courses, learners)
    linear, sequential = (each.toarray() for each in fit_linear(log, courses))
    for expected, found in (
        (linear_by_formula(log, courses), linear),
        (sequential_by_formula(log, courses), sequential),
    ):
        np.fill_diagonal(expected, 0.0)
        assert expected.max() > 1e-4
        np.testing.assert_allclose(np.maximum(expected, 0.0), found, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_strongest_entries_are_kept_and_equal_ones_by_column(count: int) -> None:
    """Whatever the order in which a row has its entries; a row with fewer keeps all."""
    rng = np.random.default_rng(count)
    dense = np.where(rng.random((40, 30)) < 0.3, rng.integers(1, 5, (40, 30)), 0).astype(np.float32)
    columns = [rng.permutation(np.flatnonzero(row)) for row in dense]
    values = np.concatenate([row[order] for row, order in zip(dense, columns, strict=True)])
    ends = np.cumsum([0, *(len(order) for order in columns)])
    matrix: Sparse = sp.csr_array((values, np.concatenate(columns), ends), shape=dense.shape)
    found = strongest_of(matrix, count).toarray()
    for whole, kept in zip(dense, found, strict=True):
        best = sorted(np.flatnonzero(whole).tolist(), key=lambda column: (-whole[column], column))[:count]
        assert sorted(best) == np.flatnonzero(kept).tolist()
        assert np.array_equal(whole[kept > 0], kept[kept > 0])
