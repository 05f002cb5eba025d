"""Going down a slope step by step: Adam (Kingma & Ba, 2015) with a decay of its own (Loshchilov & Hutter, 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from features.interactions import Integers
from features.kernel_arrays import Floats

_MEAN_DECAY, _SQUARE_DECAY, _LEAST = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Pace:
    """How far a step goes.

    Attributes:
        rate: of learning.
        corrected: the same, for means that began at zero.
    """

    rate: float
    corrected: float

    @classmethod
    def of(cls, step: int, steps: int, rate: float) -> Self:
        """Return the pace of a step, from 0, of so many: less and less than the rate, along a cosine."""
        now = rate * (1 + np.cos(np.pi * step / steps)) / 2
        correction = np.sqrt(1 - _SQUARE_DECAY ** (step + 1)) / (1 - _MEAN_DECAY ** (step + 1))
        return cls(float(now), float(now * correction))


class Table:
    """Numbers that are fitted.

    Args:
        values: float32[n, ...], what they begin with.
        decay: share of a value that is forgotten at each step, times the rate of learning.
    """

    def __init__(self, values: Floats, decay: float) -> None:
        self.values = values
        self._decay = decay
        self._means = np.zeros_like(values)
        self._squares = np.zeros_like(values)

    @cached_property
    def _room(self) -> tuple[Floats, Floats]:
        # Memory of megabytes that is asked for at each step costs more than what is computed in it.
        return np.empty_like(self.values), np.empty_like(self.values)

    def descend(self, gradient: Floats, pace: Pace, rows: Integers | None = None) -> None:
        """Go one step down, everywhere or in some rows."""
        if rows is None:
            values, means, squares = self.values, self._means, self._squares
            moved, scale = self._room
        else:
            values, means, squares = self.values[rows], self._means[rows], self._squares[rows]
            moved, scale = np.empty_like(values), np.empty_like(values)
        np.multiply(gradient, np.float32(1 - _MEAN_DECAY), out=moved)
        means *= np.float32(_MEAN_DECAY)
        means += moved
        np.multiply(gradient, gradient, out=scale)
        scale *= np.float32(1 - _SQUARE_DECAY)
        squares *= np.float32(_SQUARE_DECAY)
        squares += scale
        np.sqrt(squares, out=scale)
        scale += np.float32(_LEAST)
        np.multiply(means, np.float32(pace.corrected), out=moved)
        moved /= scale
        values *= np.float32(1 - pace.rate * self._decay)
        values -= moved
        if rows is not None:
            self.values[rows], self._means[rows], self._squares[rows] = values, means, squares


def batches(rng: np.random.Generator, count: int, size: int) -> Iterator[Integers]:
    """Yield up to `size` numbers below `count` at a time without an end, each number once before any again."""
    while True:
        order = rng.permutation(count)
        yield from (order[start : start + size] for start in range(0, count, size))
