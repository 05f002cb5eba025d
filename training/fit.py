"""Fitting the ranker: gradient-boosted trees on LambdaMART's gradients (Burges, 2010), as XGBoost has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xgboost

from core.errors import InputError
from features.vector import VectorLayout
from training.dataset import Dataset

ROUNDS = 300
SEED = 7
_FEWEST_DECISIONS = 20

_PARAMETERS: dict[str, Any] = {
    "objective": "rank:ndcg",
    "lambdarank_pair_method": "topk",
    "lambdarank_num_pair_per_sample": 8,
    "tree_method": "hist",
    "max_bin": 128,
    "max_depth": 4,
    "eta": 0.1,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
    # Silent about what is configured above; errors still raise.
    "verbosity": 0,
}


def fit_ranker(
    dataset: Dataset,
    layout: VectorLayout,
    *,
    rounds: int = ROUNDS,
    seed: int = SEED,
    threads: int = 2,
    advance: Callable[[], None] | None = None,
) -> xgboost.Booster:
    """Return a booster whose feature names are those of the layout.

    Args:
        dataset: what to learn from.
        layout: names of its columns.
        rounds: how many trees.
        seed: of the sampling of rows and columns.
        threads: how many threads XGBoost may use.
        advance: called after each round.

    Raises:
        InputError: there are too few decisions to learn anything.
    """
    decisions = len(np.unique(dataset.groups))
    if decisions < _FEWEST_DECISIONS:
        raise InputError(
            f"There are {decisions} decisions to learn from and at least {_FEWEST_DECISIONS} are needed: "
            "import or collect more enrollments."
        )
    matrix = xgboost.QuantileDMatrix(
        dataset.vectors,
        label=dataset.taken.astype(np.float32),
        qid=dataset.groups,
        weight=dataset.weights,
        feature_names=list(layout.names),
        max_bin=_PARAMETERS["max_bin"],
        nthread=threads,
    )
    callbacks = [_Progress(advance)] if advance is not None else None
    return xgboost.train(
        {**_PARAMETERS, "seed": seed, "nthread": threads}, matrix, num_boost_round=rounds, callbacks=callbacks
    )


class _Progress(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # xgboost brings no types.
    """Tells somebody after each round."""

    def __init__(self, advance: Callable[[], None]) -> None:
        super().__init__()
        self._advance = advance

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's signature.
        """Go on."""
        self._advance()
        return False
