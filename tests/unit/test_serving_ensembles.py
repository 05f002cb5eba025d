"""Trees and a network that looks at their first places again."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xgboost

from features.kernel_arrays import Floats
from features.knots import REACH
from serving.ensembles import SEEN_AGAIN, Ensemble, Scorer
from serving.networks import Network, read
from training.network_fitting import knots_of

WIDTH = 6
RNG = np.random.default_rng(11)
LENGTHS = [200, 3, SEEN_AGAIN, SEEN_AGAIN + 1, 0, 90]
STARTS = np.cumsum([0, *LENGTHS[:-1]]).tolist()


def vectors(count: int) -> Floats:
    """Return vectors with gaps in the last column."""
    found = np.random.default_rng(5).normal(0, 1, (count, WIDTH)).astype(np.float32)
    found[::7, -1] = np.nan
    return found


@cache
def ensemble() -> Ensemble:
    """Return trees that go by the first column, and a network of chance."""
    values = vectors(2_000)
    data = xgboost.DMatrix(values, values[:, 0])
    booster = xgboost.train({"max_depth": 3, "nthread": 1, "verbosity": 0}, data, 20)
    shapes = (WIDTH + 1, 5), (5, 4), (4, 1)
    weights = tuple(RNG.normal(0, 0.5, shape).astype(np.float32) for shape in shapes)
    biases = tuple(RNG.normal(0, 0.5, shape[1]).astype(np.float32) for shape in shapes)
    return Ensemble(booster, Network(knots_of(values, RNG), np.array([WIDTH - 1]), weights, biases))


def network() -> Network:
    """Return the network."""
    found = ensemble().network
    assert found is not None
    return found


def test_a_network_says_what_its_layers_do() -> None:
    """Read by quantile, with a number for the gap; summed, cut off at zero, and summed again."""
    values = vectors(50)
    numbers = read(network().knots, network().gaps, values)
    np.testing.assert_array_equal(numbers[:, -1], np.isnan(values[:, -1]))
    assert (np.abs(numbers) <= np.float32(REACH)).all()
    for row, said in zip(numbers.astype(np.float64), network().scores(values), strict=True):
        layer = row
        for weights, biases in zip(network().weights[:-1], network().biases[:-1], strict=True):
            layer = np.maximum(layer @ weights + biases, 0)
        assert said == pytest.approx(float((layer @ network().weights[-1] + network().biases[-1])[0]), abs=1e-5)


def test_a_network_is_kept_as_arrays() -> None:
    """What comes back says the same."""
    again = Network.of(network().arrays)
    np.testing.assert_array_equal(network().scores(vectors(9)), again.scores(vectors(9)))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_0": np.zeros((WIDTH, 5), np.float32)},
        {"weights_1": np.zeros((5, 3), np.float32)},
        {"biases_2": np.zeros(2, np.float32), "weights_2": np.zeros((4, 2), np.float32)},
        {"gaps": np.array([WIDTH])},
        {"gaps": np.array([-1])},
        {"counts": np.zeros(WIDTH, np.int64)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Floats]) -> None:
    """Before anything is ranked by them."""
    with pytest.raises(ValueError, match=r"layer|column"):
        Network.of(network().arrays | changes)
    with pytest.raises(KeyError):
        Network.of({name: each for name, each in network().arrays.items() if name not in changes})


def test_the_first_places_are_seen_again_and_the_others_stay_behind_them() -> None:
    """They have the sum of both; the rest keeps its order and its distances, behind the last of them."""
    values = vectors(300)
    trees, scores = Scorer(Ensemble(ensemble().booster)).scores(values), Scorer(ensemble()).scores(values)
    order = np.argsort(-trees, kind="stable")
    first, rest = order[:SEEN_AGAIN], order[SEEN_AGAIN:]
    np.testing.assert_array_equal(scores[first], trees[first] + network().scores(values[first]))
    assert np.argsort(-scores[first], kind="stable").tolist() != list(range(SEEN_AGAIN))
    np.testing.assert_allclose(scores[first].min() - scores[rest], trees[first[-1]] - trees[rest], atol=1e-5)


def test_lists_that_are_scored_together_are_scored_as_alone() -> None:
    """A candidate's score is of its list; a list may be short, or empty."""
    scorer, values = Scorer(ensemble()), vectors(sum(LENGTHS))
    together = scorer.scores(values, STARTS)
    for start, length in zip(STARTS, LENGTHS, strict=True):
        alone = scorer.scores(values[start : start + length])
        np.testing.assert_array_equal(together[start : start + length], alone)
    assert scorer.scores(values).tolist() != together.tolist()
    assert 0 == len(scorer.scores(vectors(0)))
