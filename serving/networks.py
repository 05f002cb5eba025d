"""The second opinion of a ranker: a small network that has learned from the decisions that its trees have.

Trees cut each number at a few places; a network weighs many numbers at once. They err in different places, so that
both together rank better than either (`docs/adr/0037-a-network-has-a-second-look-at-the-first-places.md`). What is read
is what the trees read, each number by its quantile, so that neither its scale nor its outliers matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from features.interactions import Integers
from features.kernel_arrays import Floats
from features.knots import Knots

_LAYERS = 3


@dataclass(frozen=True, eq=False)
class Network:
    """Layers of sums with what is negative cut off between them.

    Attributes:
        knots: quantiles of each of the k columns of a vector.
        gaps: int64[g], columns of which training saw missing values; each is told by a number of its own.
        weights: float32[k + g, a], float32[a, b] and float32[b, 1].
        biases: float32[a], float32[b] and float32[1].
    """

    knots: Knots
    gaps: Integers
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the network that `arrays` were made of.

        Raises:
            KeyError: one is missing.
            ValueError: they do not fit each other.
        """
        knots = Knots(arrays["knots"], arrays["counts"])
        network = cls(
            knots,
            arrays["gaps"],
            tuple(arrays[f"weights_{layer}"] for layer in range(_LAYERS)),
            tuple(arrays[f"biases_{layer}"] for layer in range(_LAYERS)),
        )
        width = knots.width + len(network.gaps)
        for weights, biases in zip(network.weights, network.biases, strict=True):
            if weights.shape != (width, len(biases)):
                raise ValueError(f"A layer has the shape {weights.shape} where {(width, len(biases))} is needed.")
            width = len(biases)
        if width != 1 or not np.isin(network.gaps, np.arange(knots.width)).all():
            raise ValueError("The layers do not end in one number, or a column does not exist.")
        return network

    @property
    def arrays(self) -> dict[str, Any]:
        """What it is kept as."""
        layers = range(_LAYERS)
        return {
            "knots": self.knots.values,
            "counts": self.knots.counts,
            "gaps": self.gaps,
            **{f"weights_{layer}": self.weights[layer] for layer in layers},
            **{f"biases_{layer}": self.biases[layer] for layer in layers},
        }

    def said(self, numbers: Floats) -> Floats:
        """Return float32[m], what the layers say of float32[m, k + g], as `read` returns them."""
        values = numbers
        for weights, biases in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = values @ weights
            values += biases
            np.maximum(values, 0, out=values)
        said: Floats = (values @ self.weights[-1])[:, 0] + self.biases[-1][0]
        return said

    def scores(self, vectors: Floats) -> Floats:
        """Return float32[m], what it says of float32[m, k] with NaN for what is missing."""
        return self.said(read(self.knots, self.gaps, vectors))


def read(knots: Knots, gaps: Integers, vectors: Floats) -> Floats:
    """Return float32[m, k + g], what the first layer reads of float32[m, k] with NaN for what is missing."""
    numbers = np.empty((len(vectors), knots.width + len(gaps)), np.float32)
    knots.place(vectors, numbers)
    np.isnan(vectors[:, gaps], out=numbers[:, knots.width :])
    return numbers
