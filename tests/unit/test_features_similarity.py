"""Similarities: fitted on exactly what is given, and the formulas that they claim."""

from __future__ import annotations

import numpy as np
import pytest

from features.interactions import Interactions
from features.similarity import (
    LONGEST_HISTORY,
    SHRINKAGE,
    TRANSITION_DECAY,
    content_vectors,
    fit_similarities,
    membership,
    positions_of,
)


def interactions(*taken: list[int]) -> Interactions:
    """Return one learner for each list of courses, oldest first."""
    learners = [learner for learner, each in enumerate(taken) for _ in each]
    courses = [course for each in taken for course in each]
    moments = [moment for each in taken for moment in range(len(each))]
    return Interactions(np.array(learners, np.int64), np.array(courses, np.int64), np.array(moments, np.int64))


def test_cosine_counts_shared_learners_over_shrunk_counts() -> None:
    """Two courses with two shared learners of three and two have the cosine 2 / sqrt(8 · 7)."""
    fitted = fit_similarities(interactions([0, 1], [0, 1], [0, 2]), 3)
    assert fitted.item_item[0, 1] == pytest.approx(2 / np.sqrt((3 + SHRINKAGE) * (2 + SHRINKAGE)))
    assert fitted.item_item[0, 1] == fitted.item_item[1, 0]
    assert not fitted.item_item.diagonal().any()


def test_transitions_have_a_direction_and_decay_with_distance() -> None:
    """The next course counts one, the one after it less, and nothing is counted backwards."""
    fitted = fit_similarities(interactions([0, 1, 2]), 3)
    assert fitted.transitions[0, 1] == pytest.approx(1 / (1 + SHRINKAGE))
    assert fitted.transitions[0, 2] == pytest.approx(TRANSITION_DECAY / (1 + SHRINKAGE))
    assert fitted.transitions[1, 0] == 0


def test_transitions_do_not_cross_learners() -> None:
    """The last course of one learner does not lead to the first of the next."""
    assert fit_similarities(interactions([0], [1]), 2).transitions.nnz == 0


def test_a_robot_is_paired_by_its_latest_courses_only() -> None:
    """Courses that a learner took longer ago than the cap leave no trace."""
    fitted = fit_similarities(interactions(list(range(LONGEST_HISTORY + 1))), LONGEST_HISTORY + 1)
    assert fitted.item_item[[0]].nnz == 0
    assert fitted.item_item[[1]].nnz == LONGEST_HISTORY - 1


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing_can_be_fitted(count: int) -> None:
    """An empty log and a log of one enrollment give empty matrices."""
    fitted = fit_similarities(interactions([0] * count), 2)
    assert (0, 0) == (fitted.item_item.nnz, fitted.transitions.nnz)


def test_reordering_keeps_pairs_and_drops_what_is_gone() -> None:
    """A similarity follows its courses to their new positions."""
    fitted = fit_similarities(interactions([0, 1, 2]), 3)
    moved = fitted.reordered(np.array([4, -1, 0]), 5)
    assert moved.item_item[4, 0] == fitted.item_item[0, 2]
    assert moved.transitions[4, 0] == fitted.transitions[0, 2]
    assert moved.item_item.nnz == 2


def test_content_vectors_have_unit_length_and_favor_the_rare() -> None:
    """A course on a rare topic is less like one that shares only a common skill than like its own topic."""
    topics = membership([[1], [1], [2], []], np.array([1, 2]))
    skills = membership([[7], [], [7], []], np.array([7]))
    vectors = content_vectors([topics, skills])
    alike = (vectors @ vectors.T).toarray()
    np.testing.assert_allclose(alike.diagonal(), [1, 1, 1, 0], rtol=1e-5)
    assert alike[0, 1] > alike[1, 2] == 0


def test_unknown_ids_have_no_position() -> None:
    """Ids that are not in the array are told apart, in an empty array too."""
    positions, known = positions_of(np.array([5, 9, 7]), np.array([5, 7]))
    assert [True, False, True] == known.tolist()
    assert [0, 1] == positions[known].tolist()
    assert [False] == positions_of(np.array([5]), np.array([], np.int64))[1].tolist()


def test_membership_leaves_unknown_ids_out() -> None:
    """Only listed members become columns, and a repeated one counts once."""
    assert [[1.0, 0.0], [0.0, 0.0]] == membership([[3, 3, 9], []], np.array([3, 4])).toarray().tolist()
