"""Scores are XGBoost's, whoever makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost

from features.kernel_arrays import Floats
from serving.trees import MOST_LEAVES, TreeScorer, read_trees

COLUMNS = 7


def rows(count: int, seed: int = 5) -> Floats:
    """Return random vectors, some values missing, some equal to thresholds."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(count, COLUMNS)), 1).astype(np.float32)
    values[rng.random(values.shape) < 0.15] = np.nan
    return values


def booster(rounds: int = 40, **settings: Any) -> xgboost.Booster:
    """Return a ranker of random decisions."""
    vectors = rows(2_000)
    label = (np.nan_to_num(vectors[:, 0]) + np.nan_to_num(vectors[:, 1], nan=-1.0) > 1.0).astype(np.float32)
    matrix = xgboost.QuantileDMatrix(vectors, label=label, qid=np.repeat(np.arange(200), 10), nthread=1)
    given = {"objective": "rank:ndcg", "tree_method": "hist", "nthread": 1, "seed": 3, "verbosity": 0, **settings}
    return xgboost.train(given, matrix, num_boost_round=rounds)


@pytest.mark.parametrize("depth", [1, 2, 4, 5])
@pytest.mark.parametrize("base", [0.0, 0.25])
def test_compiled_scores_are_those_of_xgboost(depth: int, base: float) -> None:
    """Every bit is the same, for more rows than are scored at once, whatever is missing."""
    ranker = booster(max_depth=depth, base_score=base)
    scorer, vectors = TreeScorer(ranker), rows(1_300, seed=8)
    assert scorer.compiled
    expected = ranker.inplace_predict(vectors)
    np.testing.assert_array_equal(scorer.scores(vectors), expected)
    np.testing.assert_array_equal(scorer.scores(np.asfortranarray(vectors)), expected)


def test_what_is_missing_goes_both_ways() -> None:
    """The test above means something: conditions send missing values to the left and to the right."""
    trees = read_trees(booster(max_depth=4))
    assert trees is not None
    assert {False, True} == set(trees.missing_left.tolist())


@pytest.mark.parametrize("settings", [{"max_depth": 7, "min_child_weight": 0}, {"booster": "dart", "rate_drop": 0.5}])
def test_other_trees_are_scored_by_xgboost(settings: dict[str, Any]) -> None:
    """Trees with more leaves than a word has bits, and weighted ones, are left to XGBoost."""
    ranker = booster(rounds=10, **settings)
    scorer, vectors = TreeScorer(ranker), rows(50, seed=8)
    assert not scorer.compiled
    np.testing.assert_array_equal(scorer.scores(np.asfortranarray(vectors)), ranker.inplace_predict(vectors))


def test_a_tree_may_be_one_leaf() -> None:
    """Trees that found nothing to ask add the same to all, and without rows there are no scores."""
    ranker = booster(rounds=3, gamma=1e9)
    scorer, vectors = TreeScorer(ranker), rows(20)
    assert scorer.compiled
    np.testing.assert_array_equal(scorer.scores(vectors), ranker.inplace_predict(vectors))
    assert 0 == len(scorer.scores(vectors[:0]))
    assert 32 == MOST_LEAVES
