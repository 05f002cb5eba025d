"""The fast form of the benchmark of rankings: what is measured is what is served, and every part is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.similarity import Similarities
from serving.ranker import rank
from tests.load.ranking import candidates_of, measure, scored, timed, written
from tests.load.ranking_world import SERVICE_LAYOUT, RankingWorld, features_of, filled_store, simulated
from tests.simulated_history import simulated_history

pytestmark = pytest.mark.load

COURSES, LEARNERS = 400, 6


@pytest.fixture(scope="module")
def world() -> RankingWorld:
    """A small catalog with few trees."""
    return simulated(COURSES, learners=LEARNERS, rounds=5)


def test_a_timed_ranking_is_the_ranking(world: RankingWorld) -> None:
    """Lists are the same while their parts are timed, and every part took time."""
    plain = [rank(world.model, each) for each in world.questions]
    with timed() as parts:
        assert plain == [rank(world.model, each) for each in world.questions]
    assert {20} == {len(each) for each in plain}
    assert 7 == len(parts)
    assert all(value > 0 for value in parts.values())
    assert plain == [rank(world.model, each) for each in world.questions]


def test_what_feast_is_asked_for_is_what_the_model_reads(world: RankingWorld, tmp_path: Path, valkey_url: str) -> None:
    """The features of a learner's candidates are the same from the online store, and both ways are measured."""
    stocked = replace(world, store=filled_store(tmp_path, valkey_url, world.model))
    columns = candidates_of(world.model, world.questions[0])
    read, held = features_of(stocked, columns)
    assert (len(columns), len(SERVICE_LAYOUT.course)) == read.shape
    np.testing.assert_array_equal(held, read)
    costs = measure(stocked)
    assert {LEARNERS} == {len(values) for values in costs.parts.values()}
    assert f"| candidates, median | {costs.candidates:.0f} |" in written([costs])


def test_learners_are_scored_while_they_are_counted(world: RankingWorld) -> None:
    """Every learner who is asked for is scored."""
    history = simulated_history(COURSES, 40)
    traits = replace(world.model, traits=history.traits)
    rate, cost = scored(replace(world, model=traits, history=history), 30)
    assert rate > 0
    assert cost > 0
    assert isinstance(traits.similarities, Similarities)
