"""Fitting the network of a ranker: a softmax over the candidates of each decision, by steps of Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.descent import Pace, Table, batches
from features.interactions import Integers
from features.kernel_arrays import Floats
from features.knots import MOST, Knots
from serving.networks import Network, read
from training.dataset import Dataset

WIDTHS = (64, 32)
"""Of the two layers between what is read and what is said."""
FORGOTTEN = 0.1
"""Share of the numbers between the layers that a step does without, so that none is relied upon."""
BATCH = 256
EPOCHS = 20
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
FEWEST_DECISIONS = 500
"""With as few as 600 it already makes lists better; nobody has tried fewer."""
_QUANTILES_OF = 100_000
_QUIET = 0.1
"""How much less than the other layers the last one says at first, so that it begins without an opinion."""


def _unseen() -> Callable[[int], None]:
    return lambda _: None


def fit_network(
    dataset: Dataset, trees: Floats, *, seed: int, begin: Callable[[], Callable[[int], None]] = _unseen
) -> Network | None:
    """Return a network whose scores are of the same spread within a decision as those of the trees.

    Args:
        dataset: what to learn from.
        trees: float32[m], what the trees say of its vectors.
        seed: of everything random.
        begin: called once it is clear that there are enough decisions; what it returns is told of each reading of the
            dataset, of which there are `EPOCHS`.

    Returns:
        None where there are too few decisions.
    """
    lists = _Lists.of(dataset)
    if len(lists) < FEWEST_DECISIONS:
        return None
    rng = np.random.default_rng(seed)
    gaps = np.flatnonzero(np.isnan(dataset.vectors).any(axis=0))
    knots = knots_of(dataset.vectors, rng)
    fitting = _Fitting(read(knots, gaps, dataset.vectors), rng)
    advance, each = begin(), -(-len(lists) // BATCH)
    steps = EPOCHS * each
    for step, numbers in zip(range(steps), batches(rng, len(lists), BATCH), strict=False):
        fitting.descend(lists.batch(numbers), Pace.of(step, steps, LEARNING_RATE))
        if step % each == each - 1:
            advance(1)
    return fitting.network(knots, gaps, lists, trees)


def knots_of(vectors: Floats, rng: np.random.Generator) -> Knots:
    """Return quantiles of each column, of up to 100,000 rows; of those that are equal, one."""
    some = vectors[rng.permutation(len(vectors))[:_QUANTILES_OF]]
    values = np.full((vectors.shape[1], MOST), np.inf, np.float32)
    counts = np.ones(vectors.shape[1], np.int64)
    for column, there in enumerate(some.T):
        finite = there[np.isfinite(there)]
        if len(finite):
            found = np.unique(np.quantile(finite, np.linspace(0, 1, MOST)).astype(np.float32))
            values[column, : len(found)], counts[column] = found, len(found)
        else:
            values[column, 0] = 0
    return Knots(values, counts)


@dataclass(frozen=True)
class _Batch:
    """Some decisions.

    Attributes:
        rows: int64[m], their candidates, decision after decision.
        starts: int64[d], where each decision starts among them.
        lists: int64[m], which of the decisions each candidate is of.
        wanted: float32[m], what a softmax should say of each; 1 in each decision.
        weights: float32[m], of the decision of each; 1 in all decisions.
    """

    rows: Integers
    starts: Integers
    lists: Integers
    wanted: Floats
    weights: Floats


@dataclass(frozen=True)
class _Lists:
    """Decisions of a dataset.

    Attributes:
        starts: int64[d], where the candidates of each start.
        lengths: int64[d], how many there are.
        wanted: float32[m], what a softmax should say of each candidate; 1 in each decision.
        weights: float32[d].
    """

    starts: Integers
    lengths: Integers
    wanted: Floats
    weights: Floats

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return those of a dataset."""
        starts = np.flatnonzero(np.diff(dataset.groups, prepend=-1)).astype(np.int64)
        lengths = np.diff(np.append(starts, len(dataset.groups)))
        taken = dataset.taken.astype(np.float32)
        wanted = taken / np.repeat(np.add.reduceat(taken, starts), lengths)
        weights = np.ones(len(starts)) if dataset.weights is None else dataset.weights
        return cls(starts, lengths, wanted, weights.astype(np.float32))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.starts)

    def batch(self, numbers: Integers) -> _Batch:
        """Return some of them, by number."""
        lengths = self.lengths[numbers]
        starts = np.cumsum(lengths) - lengths
        lists = np.repeat(np.arange(len(numbers)), lengths)
        rows = np.arange(len(lists)) + (self.starts[numbers] - starts)[lists]
        weights = self.weights[numbers]
        return _Batch(rows, starts, lists, self.wanted[rows], (weights / weights.sum())[lists])


class _Fitting:
    """A network as it is being fitted.

    Args:
        numbers: float32[m, k], what its first layer reads of each candidate.
        rng: what it begins with, and what it forgets.
    """

    def __init__(self, numbers: Floats, rng: np.random.Generator) -> None:
        self._numbers, self._rng = numbers, rng
        widths = (numbers.shape[1], *WIDTHS, 1)
        self._weights = [_layer(rng, *shape) for shape in pairwise(widths)]
        self._biases = [Table(np.zeros(width, np.float32), WEIGHT_DECAY) for width in widths[1:]]

    def descend(self, batch: _Batch, pace: Pace) -> None:
        """Go one step down what the courses that were taken are mistaken for."""
        values, kept = [self._numbers[batch.rows]], []
        for weights, biases in zip(self._weights[:-1], self._biases[:-1], strict=True):
            sums = values[-1] @ weights.values
            sums += biases.values
            there = self._rng.random(sums.shape, np.float32) >= FORGOTTEN
            there &= sums > 0
            sums *= there
            sums *= np.float32(1 / (1 - FORGOTTEN))
            values.append(sums)
            kept.append(there)
        logits = (values[-1] @ self._weights[-1].values)[:, 0] + self._biases[-1].values[0]
        slope = _slope(logits, batch)[:, None]
        slopes: list[tuple[Floats, Floats]] = []
        for layer in reversed(range(len(self._weights))):
            slopes.append((values[layer].T @ slope, slope.sum(axis=0)))
            if layer:
                slope = slope @ self._weights[layer].values.T
                slope *= kept[layer - 1]
                slope *= np.float32(1 / (1 - FORGOTTEN))
        for (of_weights, of_biases), weights, biases in zip(reversed(slopes), self._weights, self._biases, strict=True):
            weights.descend(of_weights, pace)
            biases.descend(of_biases, pace)

    def network(self, knots: Knots, gaps: Integers, lists: _Lists, trees: Floats) -> Network:
        """Return what was fitted, in the scale of the trees and zero on the average."""
        weights, biases = [each.values for each in self._weights], [each.values for each in self._biases]
        said = Network(knots, gaps, tuple(weights), tuple(biases)).said(self._numbers)
        spread = _spread(said, lists)
        scale = np.float32(_spread(trees, lists) / spread if spread > 0 else 0.0)
        weights[-1], biases[-1] = weights[-1] * scale, (biases[-1] - said.mean(dtype=np.float64)) * scale
        return Network(knots, gaps, tuple(weights), tuple(each.astype(np.float32) for each in biases))


def _layer(rng: np.random.Generator, width: int, wider: int) -> Table:
    spread = np.sqrt(2 / width) * (_QUIET if wider == 1 else 1.0)
    return Table(rng.normal(0, spread, (width, wider)).astype(np.float32), WEIGHT_DECAY)


def _slope(logits: Floats, batch: _Batch) -> Floats:
    """Return how much likelier each candidate is held to be than it was, weighted."""
    highest = np.maximum.reduceat(logits, batch.starts)
    likely = np.exp(logits - highest[batch.lists])
    likely /= np.add.reduceat(likely, batch.starts)[batch.lists]
    likely -= batch.wanted
    slope: Floats = likely * batch.weights
    return slope


def _spread(scores: NDArray[np.floating], lists: _Lists) -> float:
    """Return the root of the mean variance within a decision."""
    exact = scores.astype(np.float64)
    means = np.add.reduceat(exact, lists.starts) / lists.lengths
    squares = np.add.reduceat((exact - np.repeat(means, lists.lengths)) ** 2, lists.starts) / lists.lengths
    return float(np.sqrt(squares.mean()))
