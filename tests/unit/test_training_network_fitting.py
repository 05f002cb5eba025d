"""Fitting a network: its slope, its scale, and that it learns what trees do not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.descent import Pace
from features.kernel_arrays import Floats
from training import network_fitting
from training.dataset import Dataset
from training.network_fitting import EPOCHS, FEWEST_DECISIONS, _Fitting, _Lists, fit_network, knots_of

EACH = 8


def lessons(decisions: int = 800, seed: int = 3) -> tuple[Dataset, Floats]:
    """Return decisions for what is largest in a product of two columns, one of which has gaps; and that product."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (decisions * EACH, 4)).astype(np.float32) * np.array([1, 100, 1, 1], np.float32)
    suits: Floats = vectors[:, 0] * vectors[:, 1] / np.float32(100)
    vectors[::5, 3] = np.nan
    suits[::5] += 2
    best = suits == np.repeat(suits.reshape(-1, EACH).max(axis=1), EACH)
    return Dataset(vectors, best, np.arange(len(vectors)) // EACH, decisions, 1.0), suits


def found(scores: Floats, dataset: Dataset) -> float:
    """Return the share of decisions whose course has the highest score."""
    highest = scores.reshape(-1, EACH).argmax(axis=1)
    return float((highest == dataset.taken.reshape(-1, EACH).argmax(axis=1)).mean())


def test_it_learns_what_is_in_no_single_column() -> None:
    """Of decisions that it has not seen; a product needs both of its columns, and a gap says something."""
    dataset, suits = lessons()
    network = fit_network(dataset, suits, seed=7)
    assert network is not None
    assert [3] == network.gaps.tolist()
    unseen, _ = lessons(seed=4)
    assert found(network.scores(unseen.vectors), unseen) > 0.7
    again = fit_network(dataset, suits, seed=7)
    other = fit_network(dataset, suits, seed=8)
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(network.scores(unseen.vectors), again.scores(unseen.vectors))
    assert network.scores(unseen.vectors).tolist() != other.scores(unseen.vectors).tolist()


def test_it_speaks_in_the_scale_of_the_trees() -> None:
    """The spread within a decision is that of the trees, and the mean is zero."""
    dataset, suits = lessons()
    network = fit_network(dataset, 5 * suits, seed=7)
    assert network is not None
    said = network.scores(dataset.vectors).reshape(-1, EACH)
    wanted = np.sqrt((5 * suits).reshape(-1, EACH).var(axis=1).mean())
    assert np.sqrt(said.var(axis=1).mean()) == pytest.approx(wanted, rel=1e-4)
    assert said.mean() == pytest.approx(0, abs=1e-4)


def test_few_decisions_have_no_network() -> None:
    """Nobody is told of a step that is not taken."""
    dataset, suits = lessons(FEWEST_DECISIONS - 1)
    begun: list[int] = []

    def begin() -> None:
        begun.append(1)

    assert fit_network(dataset, suits, seed=7, begin=begin) is None  # type: ignore[arg-type]  # It is not called.
    assert not begun


def test_each_reading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are announced."""
    monkeypatch.setattr(network_fitting, "FEWEST_DECISIONS", 10)
    dataset, suits = lessons(300)
    told: list[int] = []
    assert fit_network(dataset, suits, seed=7, begin=lambda: told.append) is not None
    assert [1] * EPOCHS == told


def test_steps_go_down_the_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed to Adam are the derivatives of the loss: central differences of it say the same."""
    monkeypatch.setattr(network_fitting, "FORGOTTEN", 0.0)
    dataset, _ = lessons(40)
    weights = np.random.default_rng(2).uniform(0.5, 2, 40)
    lists = _Lists.of(replace(dataset, weights=weights))
    numbers: Floats = np.nan_to_num(dataset.vectors / np.array([1, 100, 1, 1], np.float32))
    fitting = _Fitting(numbers, np.random.default_rng(1))
    batch = lists.batch(np.array([5, 3, 30]))
    handed: list[Floats] = []
    tables = [*fitting._weights, *fitting._biases]
    for table in tables:
        table.values = table.values.astype(np.float64)
        monkeypatch.setattr(table, "descend", lambda slope, _pace: handed.append(slope))
    fitting._numbers = numbers.astype(np.float64)
    fitting.descend(batch, Pace.of(0, 1, 1.0))
    slopes = [*handed[::2], *handed[1::2]]

    def loss() -> float:
        values = numbers[batch.rows].astype(np.float64)
        for layer in range(3):
            values = values @ fitting._weights[layer].values + fitting._biases[layer].values
            values = np.maximum(values, 0) if layer < 2 else values
        total = 0.0
        for decision in range(3):
            of = batch.lists == decision
            logits = values[of, 0]
            likely = np.log(np.exp(logits) / np.exp(logits).sum())
            total -= float((batch.wanted[of] * batch.weights[of] * likely).sum())
        return total

    rng = np.random.default_rng(9)
    for table, slope in zip(tables, slopes, strict=True):
        for _ in range(4):
            place = tuple(int(rng.integers(size)) for size in table.values.shape)
            kept = table.values[place]
            around = []
            for step in (1e-5, -1e-5):
                table.values[place] = kept + step
                around.append(loss())
            table.values[place] = kept
            assert slope[place] == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-4)


def test_batches_are_of_whole_decisions() -> None:
    """Each with its candidates, and weights that are one in all."""
    dataset, _ = lessons(6)
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    batch = _Lists.of(replace(dataset, weights=weights)).batch(np.array([4, 1]))
    assert [*range(32, 40), *range(8, 16)] == batch.rows.tolist()
    assert [0, EACH] == batch.starts.tolist()
    assert np.repeat([0, 1], EACH).tolist() == batch.lists.tolist()
    np.testing.assert_allclose(batch.weights, np.repeat([5 / 7, 2 / 7], EACH), rtol=1e-6)
    np.testing.assert_array_equal(batch.wanted, dataset.taken[batch.rows])


def test_knots_are_the_quantiles_of_a_column() -> None:
    """Of what is a number; a column that has none has one knot."""
    rng = np.random.default_rng(1)
    vectors = np.stack([np.arange(1_000), np.full(1_000, np.nan), np.repeat([1, 2], 500), np.full(1_000, np.inf)], 1)
    knots = knots_of(vectors.astype(np.float32), rng)
    assert [64, 1, 2, 1] == knots.counts.tolist()
    np.testing.assert_allclose(knots.values[0], np.linspace(0, 999, 64), rtol=1e-5)
    assert [1, 2, np.inf] == knots.values[2, :3].tolist()
    assert [0, 0] == knots.values[[1, 3], 0].tolist()
