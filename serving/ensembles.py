"""What a release ranks by: trees that look at all candidates, and a network that looks at the first of them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xgboost

from features.kernel_arrays import Floats
from serving.networks import Network
from serving.trees import TreeScorer

SEEN_AGAIN = 32
"""Places of a list that the network looks at: what trees put further back does not come to the first ten."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trees, and the network that was fitted beside them.

    Attributes:
        booster: regression trees; its feature names are those of the vector.
        network: speaks in the scale of the trees; None where there were too few decisions to fit one.
    """

    booster: xgboost.Booster
    network: Network | None = None


class Scorer:
    """Scores the candidates of lists.

    The first places by the trees have the sum of both. All others follow them in the order of the trees, as far from
    the last of the first as the trees say.

    Args:
        ensemble: what scores.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._trees = TreeScorer(ensemble.booster)
        self._network = ensemble.network

    def scores(self, vectors: Floats, starts: Sequence[int] = (0,)) -> Floats:
        """Return float32[m], the scores of float32[m, k] with NaN for what is missing.

        Args:
            vectors: of the candidates of one list after the other.
            starts: ascending, where each list starts.
        """
        scores = self._trees.scores(vectors)
        if self._network is None or not len(vectors):
            return scores
        for start, end in pairwise((*starts, len(vectors))):
            if start == end:
                continue
            # Of equal scores the first in the list is before the others, as in the lists that are made of them.
            first = start + np.argsort(-scores[start:end], kind="stable")[:SEEN_AGAIN]
            # List by list, for BLAS adds in another order where there are more rows, and keeps other processors busy.
            both = scores[first] + self._network.scores(vectors[first])
            scores[start:end] += both.min() - scores[first[-1]]
            scores[first] = both
        return scores
