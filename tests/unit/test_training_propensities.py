"""How much places are looked at, told from what was shown at several of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulated_exposures import Examination, shown, truth
from training.propensities import STARTS, Propensities, estimated

TRUE = np.array(STARTS, np.float64)


@pytest.mark.parametrize("steepness", [0.0, 1.0])
def test_the_known_bias_is_found(steepness: float) -> None:
    """From clicks that are confounded with how much a course suits, the curve comes out that made them."""
    rng = np.random.default_rng(4)
    exposures = shown(rng, Examination(steepness), truth(rng, learners=1500))
    found = exposures.propensities
    assert found.contests > 1000
    tenth = slice(0, 10)
    np.testing.assert_allclose(found.values[tenth], TRUE[tenth] ** -steepness, atol=0.25 if steepness == 0 else 0.1)


def test_counting_clicks_by_place_would_find_another_bias() -> None:
    """Where lists are good, leading places are clicked for that too: what the estimate must not count."""
    rng = np.random.default_rng(4)
    world = truth(rng, learners=1500)
    suited = (world.vectors + 5.0 * world.suits[..., None]).astype(np.float32)
    exposures = shown(rng, Examination(0.0), world._replace(vectors=suited))
    counts = np.bincount(exposures.places, weights=exposures.chosen)
    assert counts[10] / counts[1] < 0.65
    assert exposures.propensities.values[9] > 0.8


def test_without_contests_every_place_is_alike() -> None:
    """What was shown at one place only, or never chosen, or always, tells nothing; so does nothing at all."""
    lists, places = np.array([1, 1, 2, 2, 3, 4, 4]), np.array([1, 2, 1, 2, 5, 12, 13])
    chosen = np.array([False, False, True, True, True, True, False])
    for found in (estimated(lists, places, chosen), estimated(lists[:0], places[:0], chosen[:0])):
        assert Propensities() == found
        assert 0 == found.contests


def test_few_contests_move_little() -> None:
    """One choice is drawn towards equal places; a thousand of the same are believed."""
    few = estimated(np.array([1, 1]), np.array([1, 2]), np.array([True, False]))
    lists = np.repeat(np.arange(1000), 2)
    many = estimated(lists, np.tile([1, 2], 1000), np.tile([True, False], 1000))
    assert (1, 1000) == (few.contests, many.contests)
    assert 0.6 < few.values[1] < 1.0
    assert many.values[1] < 0.05


def test_places_far_down_share_a_propensity() -> None:
    """Each of the first ten has its own; a place belongs to the group that starts at or before it."""
    found = Propensities(tuple(1 / np.arange(1, len(STARTS) + 1)))
    assert [1, 1 / 2, 1 / 10, 1 / 11, 1 / 11, 1 / 12, 1 / 14] == found.of(
        np.array([1, 2, 10, 11, 15, 16, 400])
    ).tolist()
