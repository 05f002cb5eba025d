"""What a ranker has to beat, computed in the same run on the same knowledge."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.pair import Histories
from features.similarity import Interactions, Similarities


class Scorer(Protocol):
    """Scores every course for each of a batch of histories."""

    def __call__(self, histories: Histories) -> NDArray[Any]:
        """Return numbers [d, n]; more is better."""
        ...


def popularity(known: Interactions, size: int) -> Scorer:
    """Return a scorer by the number of enrollments, the same for everybody."""
    counts = np.bincount(known.courses, minlength=size).astype(np.float64)
    return lambda histories: np.broadcast_to(counts, (len(histories), size))


def item_knn(similarities: Similarities, size: int) -> Scorer:
    """Return a scorer by the sum of cosines with the whole history (Sarwar et al., 2001)."""

    def score(histories: Histories) -> NDArray[Any]:
        entries = (np.ones(len(histories.courses), np.float32), (histories.decisions, histories.courses))
        taken = sp.coo_array(entries, shape=(len(histories), size)).tocsr()
        scores: NDArray[Any] = (taken @ similarities.item_item).toarray()
        return scores

    return score
