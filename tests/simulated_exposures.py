"""What learners were shown and clicked, with a known position bias and a known truth, for tests of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.histories import DAY
from features.pair import Floats
from training.exposures import Exposures

LEARNERS, COURSES, LISTS, PLACES, COLUMNS = 500, 40, 4, 15, 6


@dataclass(frozen=True)
class Examination:
    """How likely a place is looked at: 1 / place ** steepness."""

    steepness: float = 1.0

    def of(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return float64[m]."""
        return places.astype(np.float64) ** -self.steepness


class Truth(NamedTuple):
    """Vectors, float32[learners, courses, columns], and how much each suits, float64[learners, courses]."""

    vectors: Floats
    suits: NDArray[np.float64]


def truth(rng: np.random.Generator, learners: int = LEARNERS) -> Truth:
    """Return learners with courses of which few suit, by two columns and how they meet."""
    vectors = rng.normal(size=(learners, COURSES, COLUMNS)).astype(np.float32)
    strength = vectors[..., 0] + vectors[..., 1] + vectors[..., 0] * vectors[..., 1] - 2.0
    return Truth(vectors, 0.4 / (1 + np.exp(-2.0 * strength)))


def shown(rng: np.random.Generator, examination: Examination, world: Truth) -> Exposures:
    """Return lists of two releases, which mind a column that does not matter and one of the two that do.

    Each learner comes several times; what a release thinks of a course differs a little each time, as features move.
    """
    learners = len(world.suits)
    parts = []
    for visit in range(LISTS):
        by = np.array([0.2, 0.6, 1.0, 0.0, 0.0, 0.0]) if visit % 2 else np.array([0.6, 0.0, 1.0, 0.4, 0.0, 0.0])
        scores = world.vectors @ by + rng.normal(scale=0.7, size=world.suits.shape)
        courses = np.argsort(-scores, axis=1)[:, :PLACES]
        parts.append((visit, courses))
    places = np.tile(np.arange(1, PLACES + 1), learners * LISTS)
    courses = np.concatenate([each.ravel() for _, each in parts])
    owners = np.tile(np.repeat(np.arange(learners), PLACES), LISTS)
    chance = world.suits[owners, courses] * examination.of(places)
    size = len(places)
    visits = np.repeat(np.arange(LISTS), learners * PLACES)
    return Exposures(
        lists=np.repeat(np.arange(learners * LISTS), PLACES),
        places=places,
        learner_ids=owners + 1,
        course_ids=courses + 1,
        surfaces=np.zeros(size, np.int64),
        releases=visits % 2,
        moments=(visits + 1) * DAY,
        chosen=rng.random(size) < chance,
        rows=np.arange(size),
        vectors=world.vectors[owners, courses],
        versions=("v1", "v2"),
    )
