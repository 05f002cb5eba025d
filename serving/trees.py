"""What the ranker's trees say of many vectors: XGBoost's numbers, made by compiled loops where there are any."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost

from features.kernel_arrays import Floats, Trees
from features.kernels import compiled_kernels

MOST_LEAVES = 32
_ALL = (1 << MOST_LEAVES) - 1


class TreeScorer:
    """Scores vectors with a ranker.

    XGBoost looks at one row after the other and takes more time for it than the rest of a ranking together. Compiled
    loops take all rows through a condition at once, and are used where they were compiled and the trees are such as
    they know; XGBoost does otherwise. Both add the same numbers in the same order.

    Args:
        booster: of regression trees.

    Attributes:
        compiled: whether compiled loops are used.
    """

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster
        self._kernels = compiled_kernels()
        self._trees = read_trees(booster) if self._kernels is not None else None
        self.compiled = self._trees is not None

    def scores(self, vectors: Floats) -> Floats:
        """Return float32[m], the scores of float32[m, k] with NaN for what is missing."""
        if not len(vectors):
            return np.empty(0, np.float32)
        if self._kernels is not None and self._trees is not None:
            return self._kernels.tree_scores(self._trees, vectors)
        scores: Floats = self._booster.inplace_predict(np.ascontiguousarray(vectors))
        return scores


def read_trees(booster: xgboost.Booster) -> Trees | None:
    """Return the trees of a booster; None when it has others than binary ones of one number, with up to 32 leaves."""
    learner = json.loads(bytes(booster.save_raw(raw_format="json")))["learner"]
    model = learner["gradient_booster"].get("model")
    if model is None or learner["gradient_booster"]["name"] != "gbtree":
        return None
    bases = re.findall(r"[-+.\deE]+", learner["learner_model_param"]["base_score"])
    trees = [_tree(tree) for tree in model["trees"]]
    if len(bases) != 1 or any(tree is None for tree in trees):
        return None
    conditions = [each for tree in trees if tree is not None for each in tree[0]]
    leaves = [tree[1] for tree in trees if tree is not None]
    features, thresholds, missing_left, masks = zip(*conditions, strict=True) if conditions else ((), (), (), ())
    return Trees(
        node_ends=np.cumsum([len(tree[0]) for tree in trees if tree is not None], dtype=np.int64),
        features=np.array(features, np.int32),
        thresholds=np.array(thresholds, np.float32),
        missing_left=np.array(missing_left, np.bool_),
        masks=np.array(masks, np.uint32),
        leaf_starts=np.cumsum([0, *(len(each) for each in leaves[:-1])], dtype=np.int64)[: len(leaves)],
        leaves=np.array([value for each in leaves for value in each], np.float32),
        base=np.float32(bases[0]),
    )


_Condition = tuple[int, float, bool, int]


def _tree(tree: Mapping[str, Any]) -> tuple[list[_Condition], list[float]] | None:
    """Return the conditions of one tree and its leaves from left to right; None when it is of another kind."""
    if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        return None
    lefts, rights = tree["left_children"], tree["right_children"]
    leaves: list[float] = []
    conditions: list[_Condition] = []

    def visit(node: int) -> None:
        if lefts[node] < 0:
            leaves.append(tree["split_conditions"][node])
            return
        first = len(leaves)
        visit(lefts[node])
        gone = ((1 << len(leaves)) - 1) & ~((1 << first) - 1)
        condition = tree["split_indices"][node], tree["split_conditions"][node], bool(tree["default_left"][node])
        conditions.append((*condition, _ALL & ~gone))
        visit(rights[node])

    visit(0)
    return (conditions, leaves) if len(leaves) <= MOST_LEAVES else None
