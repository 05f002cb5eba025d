"""Fitting two towers: a softmax over the next course, by steps of Adam over small batches of the log.

Either vector of a course (`features.towers`) is one of its own plus those of its topics, skills and words of its title,
so that a course that few have taken has one as well (Kula, "Metadata Embeddings for User and Item Cold-start
Recommendations", 2015). They are fitted so that the course that was taken next is told from the others (Covington et
al., "Deep Neural Networks for YouTube Recommendations", 2016), of which each step draws a sample and corrects for how
often each of them is drawn (Bengio & Senécal, "Adaptive Importance Sampling to Accelerate Training of a Neural
Probabilistic Language Model", 2008). What a step costs does not follow from the size of the catalog.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.descent import Pace, Table, batches
from features.interactions import Integers, Interactions, Sparse, empty_matrix
from features.linear import HALF_LIFE
from features.towers import REACH, WEIGHTS, Floats, Towers

FACTORS = 64
AHEAD = 2
"""What follows a history is one of its learner's next so many courses: lists are made ahead of time as well."""
FORGOTTEN = 0.3
"""Share of the courses before the newest that a step does not read, so that none is relied upon."""
SAMPLED = 1_000
"""Courses that a step tells the taken ones from; catalogs of no more are compared whole."""
SAMPLING_POWER = 0.75
"""They are drawn by how many took them, to this power."""
BATCH = 512
EPOCHS = 4
FEWEST_STEPS, MOST_STEPS = 100, 2_000
"""A short log is read more often than that, and a long one in no more: a million decisions."""
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1.0
TRAITS_SCALE = 3.0
"""How much faster a course follows its topics, skills and words than itself."""
BIAS_HALF_LIFE = 30 * 24 * 3600 * 1_000_000
"""Microseconds after which an enrollment counts half in the popularity that biases start from."""
_BIAS_SHARE = 0.5
_FEWEST = 0.1
_SPREAD = 0.05
_SEED = 7


def fit_towers(interactions: Interactions, size: int, about: Sparse | None = None) -> Towers:
    """Fit on `interactions`, each of which is to be told from what its learner took before.

    Args:
        interactions: what is known, ordered by learner, then moment.
        size: number of courses, n.
        about: float32[n, k], what courses are about, such as topics and words of titles; None where that is not known.
    """
    decisions = _Decisions.of(interactions)
    if not len(decisions):
        nothing = np.zeros((size, FACTORS), np.float32)
        return Towers(nothing, nothing.copy(), np.zeros(size, np.float32))
    rng = np.random.default_rng(_SEED)
    scaled = empty_matrix((size, 0)) if about is None else (about * np.float32(TRAITS_SCALE)).tocsr()
    model, sampling = _Model(rng, _popularity(interactions, size), scaled), _Sampling.of(interactions, size)
    steps = min(MOST_STEPS, max(FEWEST_STEPS, EPOCHS * -(-len(decisions) // BATCH)))
    for step, places in zip(range(steps), batches(rng, len(decisions), BATCH), strict=False):
        batch = decisions.batch(places, rng)
        model.descend(batch, *sampling.others(batch.targets, rng), Pace.of(step, steps, LEARNING_RATE))
    return model.towers


@dataclass(frozen=True)
class _Batch:
    """Some decisions.

    Attributes:
        histories: int64[b, REACH], courses that were taken before, newest first; -1 where there are no more.
        read: bool[b, REACH], which of them are read this time.
        targets: int64[b], the course that was taken.
        weights: float32[b], how much each decision counts; 1 in all.
    """

    histories: Integers
    read: NDArray[np.bool_]
    targets: Integers
    weights: Floats


@dataclass(frozen=True)
class _Decisions:
    """Enrollments that follow others of their learner.

    Attributes:
        courses: int64[m], of all enrollments.
        starts: int64[m], where those of the same learner start.
        ends: int64[m], where they end.
        places: int64[e], those that follow another one.
        weights: float32[m], less for older ones.
    """

    courses: Integers
    starts: Integers
    ends: Integers
    places: Integers
    weights: Floats

    @classmethod
    def of(cls, log: Interactions) -> Self:
        """Return those of a log."""
        starts = np.searchsorted(log.learners, log.learners).astype(np.int64)
        ends = np.searchsorted(log.learners, log.learners, side="right").astype(np.int64)
        ages = (log.moments.max(initial=0) - log.moments) / HALF_LIFE
        places = np.flatnonzero(np.arange(len(log)) > starts)
        return cls(log.courses, starts, ends, places, np.exp2(-ages).astype(np.float32))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)

    def batch(self, numbers: Integers, rng: np.random.Generator) -> _Batch:
        """Return some of them, by number."""
        places = self.places[numbers]
        earlier = places[:, None] - 1 - np.arange(REACH)
        there = earlier >= self.starts[places][:, None]
        read = there & (rng.random(there.shape) >= FORGOTTEN)
        # Every history begins with its newest course, so that there is something to tell by.
        read[:, 0] = True
        targets = self.courses[np.minimum(places + rng.integers(0, AHEAD, len(places)), self.ends[places] - 1)]
        weights = self.weights[places]
        histories = np.where(there, self.courses[np.maximum(earlier, 0)], -1)
        return _Batch(histories, read, targets, weights / weights.sum())


@dataclass(frozen=True)
class _Sampling:
    """How others are drawn.

    Attributes:
        chances: float64[n], of each course.
        sums: float64[n], of the chances up to each course.
    """

    chances: NDArray[np.float64]
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, log: Interactions, size: int) -> Self:
        """Return the sampling of a log of so many courses."""
        weights = (np.bincount(log.courses, minlength=size) + 1.0) ** SAMPLING_POWER
        chances = weights / weights.sum()
        return cls(chances, np.cumsum(chances))

    def others(self, targets: Integers, rng: np.random.Generator) -> tuple[Integers, Floats]:
        """Return int64[s], ascending, courses to compare, the targets among them, and float32[s], what to add to each.

        A course that is compared more often than another must not seem less likely for it.
        """
        size = len(self.chances)
        if size <= SAMPLED:
            return np.arange(size), np.zeros(size, np.float32)
        drawn = np.minimum(np.searchsorted(self.sums, rng.random(SAMPLED), side="right"), size - 1)
        courses = np.unique(np.concatenate([drawn, targets]))
        return courses, -np.log(-np.expm1(SAMPLED * np.log1p(-self.chances[courses]))).astype(np.float32)


class _Tower:
    """Vectors of courses: their own, and those of what they are about.

    Args:
        own: float32[n, d], what the vectors of their own begin with.
        traits: float32[k, d], what those of topics, skills and words begin with.
    """

    def __init__(self, own: Floats, traits: Floats) -> None:
        self._own, self._traits = Table(own, WEIGHT_DECAY), Table(traits, WEIGHT_DECAY)

    def of(self, about: Sparse, courses: Any = ...) -> Floats:
        """Return float32[c, d], vectors of courses that are about `about`, float32[c, k]."""
        found: Floats = self._own.values[courses] + about @ self._traits.values
        return found

    def descend(self, about: Sparse, courses: Integers, gradient: Floats, pace: Pace) -> None:
        """Go one step down, float32[c, d]."""
        self._traits.descend(about.T @ gradient, pace)
        self._own.descend(gradient, pace, courses)


class _Model:
    """Both towers and the biases, as they are being fitted.

    Args:
        rng: what they begin with.
        popularity: float64[n], recent enrollments.
        about: float32[n, k], scaled.
    """

    def __init__(self, rng: np.random.Generator, popularity: NDArray[np.float64], about: Sparse) -> None:
        # Both begin alike in what courses are about, so that the product begins with how much they have in common. With
        # chance instead, fits of other seeds differ by a tenth, and most of them are worse.
        size, width = about.shape
        traits = _noise(rng, width)
        self._read, self._offered = _Tower(_noise(rng, size), traits), _Tower(_noise(rng, size), traits.copy())
        self._about = about
        self._biases = Table((_BIAS_SHARE * np.log(popularity + _FEWEST)).astype(np.float32), WEIGHT_DECAY)

    def descend(self, batch: _Batch, others: Integers, corrections: Floats, pace: Pace) -> None:
        """Go one step down what the targets are mistaken for.

        Args:
            batch: the decisions.
            others: int64[s], ascending, the courses that are compared, the targets among them.
            corrections: float32[s], added to what is said of each.
            pace: of the step.
        """
        weights = np.where(batch.read, WEIGHTS, np.float32(0))
        weights /= np.sqrt(weights.sum(axis=1, keepdims=True))
        courses, places = np.unique(batch.histories[batch.read], return_inverse=True)
        ends = np.concatenate([[0], np.cumsum(batch.read.sum(axis=1))])
        histories = sp.csr_array((weights[batch.read], places, ends), shape=(len(ends) - 1, len(courses)))
        about, about_others = self._about[courses], self._about[others]
        offered, asked = self._offered.of(about_others, others), histories @ self._read.of(about, courses)
        logits = asked @ offered.T
        logits += self._biases.values[others] + corrections
        errors = _errors(logits, batch, others)
        self._read.descend(about, courses, histories.T @ (errors @ offered), pace)
        self._offered.descend(about_others, others, errors.T @ asked, pace)
        self._biases.descend(errors.sum(axis=0), pace, others)

    @property
    def towers(self) -> Towers:
        """What was fitted."""
        return Towers(self._read.of(self._about), self._offered.of(self._about), self._biases.values)


def _errors(logits: Floats, batch: _Batch, others: Integers) -> Floats:
    """Return how much likelier each course is held to be than it was, weighted; in the place of the logits."""
    rows = np.arange(len(logits))
    targets = np.searchsorted(others, batch.targets)
    # Nobody takes again what they have, and nothing is learned of a course by its not being taken twice.
    places = np.minimum(np.searchsorted(others, batch.histories), len(others) - 1)
    had = (others[places] == batch.histories) & (places != targets[:, None])
    row, column = np.nonzero(had)
    logits[row, places[row, column]] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    logits[rows, targets] -= 1
    logits *= batch.weights[:, None]
    return logits


def _noise(rng: np.random.Generator, count: int) -> Floats:
    return rng.normal(0, _SPREAD, (count, FACTORS)).astype(np.float32)


def _popularity(log: Interactions, size: int) -> NDArray[np.float64]:
    """Return float64[n], enrollments, older ones counting less."""
    ages = (log.moments.max() - log.moments) / BIAS_HALF_LIFE
    return np.bincount(log.courses, np.exp2(-ages), size).astype(np.float64)
