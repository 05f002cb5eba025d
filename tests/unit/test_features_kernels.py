"""Compiled loops give the numbers of NumPy's, bit by bit, and both what they promise."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from features import kernels as module
from features.interactions import empty_matrix
from features.kernel_arrays import Floats, Groups, Rows
from features.kernels import CompiledKernels, Kernels, NumpyKernels, compiled_kernels, kernels

SIZE, COUNT = 150, 40
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
scores = arrays(np.float32, SIZE, elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0, np.nan, np.inf]))
BOTH = pytest.mark.parametrize("loops", [NumpyKernels(), compiled_kernels()], ids=["numpy", "compiled"])


def compiled() -> CompiledKernels:
    """Return the compiled loops."""
    found = compiled_kernels()
    assert found is not None
    return found


def random_rows(rng: np.random.Generator, count: int, width: int) -> Rows:
    """Return a matrix with empty rows, negative values and sorted columns."""
    values = rng.normal(size=(count, width)).astype(np.float32)
    values[rng.random(values.shape) > rng.random() * 0.5] = 0.0
    return Rows(sp.csr_array(values))


def test_set_up_compiles_them_where_there_is_a_compiler() -> None:
    """What was installed by `make` with a compiler at hand uses the compiled loops."""
    assert shutil.which("cc") is None or isinstance(kernels(), CompiledKernels)


@given(seed=st.integers(0, 10_000), asked=st.integers(0, 12))
@settings(max_examples=80, deadline=None)
def test_both_sum_rows_alike(seed: int, asked: int) -> None:
    """Named columns, sums by group and products are equal to the last bit."""
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 9, 17)
    which = rng.integers(0, 9, asked)
    loops, expected = compiled(), NumpyKernels()
    near, places = expected.named_columns(rows, which)
    for found, wanted in zip(loops.named_columns(rows, which), (near, places), strict=True):
        np.testing.assert_array_equal(found, wanted)
    weights = rng.random(asked)
    ends = np.sort(rng.integers(0, asked + 1, 3))
    ends[-1] = asked
    for groups in (Groups(weights, ends), Groups.one(weights)):
        for into in (None, (places, len(near) + 1)):
            np.testing.assert_array_equal(
                loops.grouped_sums(rows, which, groups, into), expected.grouped_sums(rows, which, groups, into)
            )
    columns = np.flatnonzero(rng.random(17) < 0.5)
    factors = rng.normal(size=len(columns)).astype(np.float32)
    product = loops.times_vector(rows, columns, factors)
    np.testing.assert_array_equal(product, expected.times_vector(rows, columns, factors))
    np.testing.assert_allclose(product, rows.matrix.toarray()[:, columns] @ factors, rtol=1e-4, atol=1e-5)
    vector = rng.normal(size=len(near) + 1).astype(np.float32)
    np.testing.assert_array_equal(
        loops.rows_times_vector(rows, which, places, vector), expected.rows_times_vector(rows, which, places, vector)
    )


def test_products_of_many_rows_are_those_of_few() -> None:
    """A product that is made in several parts is NumPy's too, where a part has entries of no column or of all."""
    rng = np.random.default_rng(5)
    values = rng.random((20_000, 30), np.float32)
    values[rng.random(values.shape) > 0.1] = 0
    values[5_000:13_000] = 0
    rows, columns = Rows(sp.csr_array(values)), np.arange(3, 28, 2)
    factors = rng.normal(size=len(columns)).astype(np.float32)
    found, wanted = (loops.times_vector(rows, columns, factors) for loops in (compiled(), NumpyKernels()))
    np.testing.assert_array_equal(found, wanted)
    assert found[:5_000].any()
    assert not found[5_000:13_000].any()


@BOTH
def test_sums_are_those_of_dense_matrices(loops: Kernels) -> None:
    """Groups, weights and places mean what they say."""
    rows = random_rows(np.random.default_rng(3), 6, 11)
    dense, which = rows.matrix.toarray().astype(np.float64), np.array([4, 0, 4, 2])
    near, places = loops.named_columns(rows, which)
    assert np.flatnonzero((dense[[0, 2, 4]] != 0).any(axis=0)).tolist() == near.tolist()
    assert [1 + near.tolist().index(column) if column in near else 0 for column in range(11)] == places.tolist()
    sums = loops.grouped_sums(rows, which, Groups(np.array([1.0, 2, 3, 4]), np.array([2, 4])), (places, len(near) + 1))
    expected = np.array([dense[4] + 2 * dense[0], 3 * dense[4] + 4 * dense[2]])
    np.testing.assert_allclose(sums[:, 1:], expected[:, near], rtol=1e-6)
    assert not sums[:, 0].any()


@BOTH
@given(values=scores, eligible=arrays(np.bool_, SIZE), count=st.sampled_from([5, COUNT]))
@settings(max_examples=60, deadline=None)
def test_the_best_are_the_largest_that_may_be_shown(loops: Kernels, values: Floats, eligible: Mask, count: int) -> None:
    """What is found are the largest positive eligible values; of equal ones, those that come first."""
    worthy = [position for position in range(SIZE) if eligible[position] and values[position] > 0]
    expected = sorted(worthy, key=lambda position: (-values[position], position))[:count]
    assert sorted(expected) == sorted(loops.best(values, eligible, count).tolist())


@given(count=st.integers(0, 120), seed=st.integers(0, 10_000), levels=st.sampled_from([3, 60, 10**6]))
@settings(max_examples=80, deadline=None)
def test_both_find_the_same_best_of_many(count: int, seed: int, levels: int) -> None:
    """Of thousands of values, many of them equal or none, few of them positive or all, the same are found."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 6_000))
    values = (rng.integers(0, levels, size) - rng.integers(0, levels)).astype(np.float32)
    eligible = rng.random(size) < rng.choice([0.01, 0.5, 1.0])
    found, wanted = (sorted(loops.best(values, eligible, count).tolist()) for loops in (compiled(), NumpyKernels()))
    assert wanted == found


@given(values=scores, eligible=arrays(np.bool_, SIZE))
@settings(max_examples=60, deadline=None)
def test_many_are_chosen_from_like_few(values: Floats, eligible: Mask) -> None:
    """Looking at a part first changes nothing."""
    assume(np.isfinite(values).all())
    with pytest.MonkeyPatch.context() as patch:
        expected = sorted(NumpyKernels().best(values, eligible, 8).tolist())
        patch.setattr(module, "_SAMPLE", 30)
        assert expected == sorted(NumpyKernels().best(values, eligible, 8).tolist())


@BOTH
def test_nothing_is_found_in_nothing(loops: Kernels) -> None:
    """Empty arrays bring nothing, and no error."""
    assert 0 == len(loops.best(np.zeros(0, np.float32), np.zeros(0, np.bool_), COUNT))
    assert 0 == len(loops.best(np.ones(9, np.float32), np.ones(9, np.bool_), 0))
    rows = Rows(empty_matrix((3, 0)))
    assert (3, 0) == (
        len(loops.times_vector(rows, np.zeros(0, np.int64), np.zeros(0, np.float32))),
        len(loops.named_columns(rows, np.array([1]))[0]),
    )


@pytest.mark.parametrize("found", ["no such library", "of another revision", "none"])
def test_without_compiled_loops_numpy_goes_on(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """Where nothing was compiled, or something else, NumPy's loops serve."""
    changes = {"no such library": ("_LIBRARY", "features.vector"), "none": ("_LIBRARY", "features._absent")}
    name, value = changes.get(found, ("_REVISION", -1))
    monkeypatch.setattr(module, name, value)
    module.compiled_kernels.cache_clear()
    module.kernels.cache_clear()
    try:
        assert isinstance(module.kernels(), NumpyKernels)
    finally:
        module.compiled_kernels.cache_clear()
        module.kernels.cache_clear()
