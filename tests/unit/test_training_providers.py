"""Concentration by provider: by hand, against what it is defined by, and absent where nobody is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from features.pair import Histories
from features.similarity import membership
from tests.simulated_history import simulated_history
from training.lists import NO_COURSE
from training.providers import concentration, exposure, provider_concentration

HISTORY = simulated_history()
SIZE = len(HISTORY.traits)
NOBODY = Histories(np.zeros(3, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(2, np.int64))
LISTS = np.full((2, 10), NO_COURSE)
LISTS[:, :2] = [[0, 1], [0, 2]]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_figures_are_what_they_are_defined_by(places: list[int]) -> None:
    """Gini is half the relative mean difference; Herfindahl the chance that two places drawn are one provider's."""
    exposed = np.array(places, np.float64)
    found = concentration(exposed)
    differences = np.abs(exposed[:, None] - exposed[None, :]).mean()
    assert found.gini == pytest.approx(differences / (2 * exposed.mean()))
    assert found.herfindahl == pytest.approx(((exposed / exposed.sum()) ** 2).sum())
    assert found.top_share == pytest.approx(exposed.max() / exposed.sum())
    assert found == concentration(exposed[::-1])


def test_extremes_are_the_ends_of_the_scales() -> None:
    """All alike, one who has all, and nobody shown; of 250 providers three are the top."""
    assert (0.0, 0.01, 0.01) == pytest.approx(tuple(vars(concentration(np.ones(100))).values()))
    assert (0.99, 1.0, 1.0) == pytest.approx(tuple(vars(concentration(np.eye(100)[0])).values()))
    assert (0.0, 0.0, 0.0) == tuple(vars(concentration(np.zeros(5))).values())
    assert 3 / 250 == pytest.approx(concentration(np.ones(250)).top_share)


def test_who_teaches_together_shares_the_places() -> None:
    """A course of two instructors gives each half; one of nobody gives nothing away."""
    providers = membership([[1, 2], [2], []], np.array([1, 2]))
    assert [2.0, 5.0] == exposure(np.array([4, 3, 9]), providers).tolist()


def test_model_and_popularity_are_compared_on_the_same_learners() -> None:
    """Three courses of one instructor each and one of another's; who took the most popular is shown the next."""
    taught = [[1], [2], [3], *([[]] * (SIZE - 3))]
    history = replace(HISTORY, providers=membership(taught, np.array([1, 2, 3, 4])))
    counts = np.zeros(SIZE, np.int64)
    counts[[2, 1]] = [9, 5]
    found = provider_concentration(history, NOBODY, LISTS, counts)
    assert found is not None
    assert (3, ["model", "popularity", "catalog"]) == (found.providers, list(found.rankers))
    assert 0.5 == found.rankers["model"].top_share
    assert 0.0 == found.rankers["catalog"].gini
    assert found.rankers["catalog"].herfindahl == pytest.approx(1 / 3)
    taken = replace(NOBODY, offsets=np.array([0, 1, 1]), courses=np.array([2]), moments=np.array([0]))
    shown = provider_concentration(history, taken, LISTS, counts)
    assert shown is not None
    # Course 2 is shown to one of two learners, courses 0 and 1 to both: the list of ten goes on by position.
    assert shown.rankers["popularity"].herfindahl == pytest.approx((2 / 5) ** 2 * 2 + (1 / 5) ** 2)


def test_without_instructors_there_is_no_figure() -> None:
    """Absent and not zero: where no course names anybody, and where nobody teaches what is published."""
    counts = np.zeros(SIZE, np.int64)
    assert provider_concentration(HISTORY, NOBODY, LISTS, counts) is None
    hidden = replace(
        HISTORY,
        providers=membership([[1], *([[]] * (SIZE - 1))], np.array([1])),
        published=np.arange(SIZE) > 0,
    )
    assert provider_concentration(hidden, NOBODY, LISTS, counts) is None
