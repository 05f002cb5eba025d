"""Neighbors of courses: what is taken together, lately, and what is about the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from features.interactions import Interactions
from features.neighbors import HALF_LIFE, nearest

SIZE = 5


def taken(*rows: tuple[int, int, int]) -> Interactions:
    """Return interactions from (learner, course, half-lives since the beginning)."""
    ordered = sorted(rows, key=lambda row: (row[0], row[2]))
    learners, courses, moments = (np.array(values, np.int64) for values in zip(*ordered, strict=True))
    return Interactions(learners, courses, moments * HALF_LIFE)


NOTHING = Interactions(*(np.zeros(0, np.int64),) * 3)


def neighbors(interactions: Interactions, content: Any = None, **given: Any) -> list[list[int]]:
    """Return the neighbors of each of five courses."""
    vectors = (
        sp.csr_array((SIZE, 1), dtype=np.float32) if content is None else sp.csr_array(np.array(content, np.float32))
    )
    ones = np.ones(SIZE, np.int64)
    found = nearest(
        interactions,
        vectors,
        given.get("levels", ones),
        given.get("languages", ones),
        given.get("published", ones.astype(np.bool_)),
        count=given.get("count", 3),
    )
    listed: list[list[int]] = [[] for _ in range(SIZE)]
    for course, neighbor, place in zip(found.courses, found.neighbors, found.places, strict=True):
        assert place == len(listed[course])
        listed[course].append(int(neighbor))
    return listed


def together(*pairs: Sequence[int], at: int = 0) -> list[tuple[int, int, int]]:
    """Return rows of one learner for each pair of courses."""
    return [(learner, course, at) for learner, pair in enumerate(pairs) for course in pair]


def test_courses_taken_together_are_neighbors() -> None:
    """Most often first; a course that nobody takes with another has none, and none is its own."""
    assert [[1, 2], [0], [0], [], []] == neighbors(taken(*together((0, 1), (0, 1), (0, 2), (3,))))


def test_what_was_taken_lately_weighs_more() -> None:
    """Two learners of long ago weigh less than one of today."""
    old = together((0, 1), (0, 1))
    new = [(9, 0, 4), (9, 2, 4)]
    assert [2, 1] == neighbors(taken(*old, *new))[0]


def test_without_a_history_content_decides() -> None:
    """Unit vectors that meet make neighbors; equal ones stand in the order of their positions."""
    content = [[1, 0], [1, 0], [0, 1], [1, 0], [0, 0]]
    assert [[1, 3], [0, 3], [], [0, 1], []] == neighbors(NOTHING, content)


def test_level_breaks_ties_and_another_language_counts_half() -> None:
    """The same level is a little nearer; the same language a lot."""
    content = [[1]] * SIZE
    levels = np.array([1, 2, 1, 1, 2])
    languages = np.array([1, 1, 1, 2, 2])
    assert [2, 1, 3] == neighbors(NOTHING, content, levels=levels, languages=languages)[0]


def test_only_published_courses_are_neighbors_and_only_so_many() -> None:
    """An archived course keeps neighbors of its own."""
    published = np.array([False, True, True, True, True])
    listed = neighbors(NOTHING, [[1]] * SIZE, published=published, count=2)
    assert [[1, 2], [2, 3], [1, 3], [1, 2], [1, 2]] == listed


def test_no_course_has_no_neighbor() -> None:
    """An empty platform."""
    none = np.zeros(0, np.int64)
    found = nearest(NOTHING, sp.csr_array(np.zeros((0, 1), np.float32)), none, none, none.astype(np.bool_), count=3)
    assert 0 == len(found.courses)
