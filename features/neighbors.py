"""The nearest courses of each course: what learners take together, blended with what courses are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Interactions, Sparse, latest
from features.similarity import LONGEST_HISTORY, SHRINKAGE

HALF_LIFE = 365 * 24 * 3600 * 1_000_000
"""Microseconds after which taking a course counts half, before the newest interaction of all."""
CONTENT_WEIGHT = 0.3
LEVEL_WEIGHT = 0.02
OTHER_LANGUAGE = 0.5
"""What the similarity of a course in another language is multiplied with."""
_CHUNK = 512


@dataclass(frozen=True)
class Neighbors:
    """Pairs of positions, grouped by course, nearest first.

    Attributes:
        courses: int64[m], whose neighbor.
        neighbors: int64[m], who it is.
        places: int64[m], from 0 in each group.
    """

    courses: Integers
    neighbors: Integers
    places: Integers


def nearest(
    interactions: Interactions,
    content: Sparse,
    levels: Integers,
    languages: Integers,
    published: NDArray[np.bool_],
    *,
    count: int,
) -> Neighbors:
    """Return up to `count` published neighbors of each course; equal ones by position.

    Args:
        interactions: what is known, ordered by learner, then moment; only the latest 200 of a learner are paired.
        content: float32[n, k], unit rows of what courses are about.
        levels: int64[n], codes.
        languages: int64[n], codes.
        published: bool[n], who may be a neighbor.
        count: at most how many.
    """
    size = len(published)
    together = together_by_recency(interactions, size)
    parts: list[tuple[Integers, Integers, Integers]] = []
    for start in range(0, size, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, size), dtype=np.int64)
        scores = together[rows].toarray() + CONTENT_WEIGHT * (content[rows] @ content.T).toarray()
        known = scores > 0
        scores += LEVEL_WEIGHT * (levels[rows, None] == levels[None, :])
        scores *= np.where(languages[rows, None] == languages[None, :], 1.0, OTHER_LANGUAGE)
        known &= published[None, :]
        known[np.arange(len(rows)), rows] = False
        parts.append(_best(rows, np.where(known, scores, -np.inf), count))
    if not parts:
        empty = np.zeros(0, np.int64)
        return Neighbors(empty, empty, empty)
    courses, neighbors, places = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Neighbors(courses, neighbors, places)


def together_by_recency(interactions: Interactions, size: int) -> Sparse:
    """Return float32[n, n], the shrunk cosine of two courses' learners, where an older interaction weighs less.

    A pair counts with the geometric mean of its two weights, so that the diagonal is the weight of the course.
    """
    recent = interactions.select(latest(interactions.learners, LONGEST_HISTORY))
    learner_count = int(recent.learners.max(initial=-1)) + 1
    ages = (recent.moments.max(initial=0) - recent.moments) / HALF_LIFE
    weights = np.exp2(-ages / 2).astype(np.float32)
    taken = sp.coo_array((weights, (recent.learners, recent.courses)), shape=(learner_count, size)).tocsr()
    masses = np.asarray(taken.multiply(taken).sum(axis=0)).ravel() + SHRINKAGE
    pairs = (taken.T @ taken).tocoo()
    values = pairs.data / np.sqrt(masses[pairs.row] * masses[pairs.col])
    cosine: Sparse = sp.coo_array((values.astype(np.float32), (pairs.row, pairs.col)), shape=(size, size)).tocsr()
    return cosine


def _best(rows: Integers, scores: NDArray[np.floating], count: int) -> tuple[Integers, Integers, Integers]:
    # A stable sort of the negated scores: equal ones stay in the order of their positions.
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    kept = np.isfinite(np.take_along_axis(scores, order, axis=1))
    places = np.broadcast_to(np.arange(order.shape[1], dtype=np.int64), order.shape)
    owners = np.broadcast_to(rows[:, None], order.shape)
    return owners[kept], order[kept].astype(np.int64), places[kept]
