"""Steps of Adam, and the batches they are taken on."""

from __future__ import annotations

from itertools import islice

import numpy as np

from features.descent import Pace, Table, batches

RNG = np.random.default_rng(7)


def test_steps_are_those_of_adam() -> None:
    """Kingma and Ba's formulas, with the decay beside them: in some rows, or in all."""
    some, every = (Table(np.ones((count, 2), np.float32), 0.5) for count in (4, 2))
    rows, steps = np.array([1, 3]), 5
    values, mean, square = np.ones((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for step in range(steps):
        gradient = RNG.normal(0, 1, (2, 2))
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = 2e-3 * (1 + np.cos(np.pi * step / steps)) / 2
        unbiased = mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-8)
        values = values * (1 - 0.5 * rate) - rate * unbiased
        some.descend(gradient.astype(np.float32), Pace.of(step, steps, 2e-3), rows)
        every.descend(gradient.astype(np.float32), Pace.of(step, steps, 2e-3))
    np.testing.assert_allclose(some.values[rows], values, rtol=1e-5)
    np.testing.assert_array_equal(some.values[[0, 2]], np.ones((2, 2)))
    np.testing.assert_allclose(every.values, values, rtol=1e-5)


def test_batches_have_each_number_once_before_any_again() -> None:
    """In another order each time; the last of a turn is shorter."""
    found = list(islice(batches(np.random.default_rng(3), 10, 4), 6))
    assert [4, 4, 2, 4, 4, 2] == [len(each) for each in found]
    turns = [np.concatenate(found[:3]).tolist(), np.concatenate(found[3:]).tolist()]
    assert list(range(10)) == sorted(turns[0]) == sorted(turns[1])
    assert turns[0] != turns[1]
