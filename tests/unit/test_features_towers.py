"""Two towers: what is told of a course, what fitting learns, and courses that were not there in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from features import towers_fitting
from features.descent import Pace
from features.interactions import Integers, Interactions, Sparse
from features.linear import HALF_LIFE
from features.towers import ALIKE, REACH, RECENCY, TOLD, Floats, Towers
from features.towers_fitting import FACTORS, SAMPLED, _Batch, _Decisions, _errors, _Sampling, fit_towers

RNG = np.random.default_rng(7)
SIZE = 30


def some_towers(size: int = SIZE, width: int = 8) -> Towers:
    """Return random vectors."""
    read, offered = RNG.normal(0, 1, (2, size, width)).astype(np.float32)
    return Towers(read, offered, RNG.normal(0, 1, size).astype(np.float32))


def told(towers: Towers, history: list[int], columns: Integers | None = None) -> Floats:
    """Return what is told of courses, of all where none are named."""
    columns = np.arange(len(towers.biases)) if columns is None else columns
    out = np.full((TOLD, len(columns)), np.nan, np.float32)
    towers.said(np.array(history, np.int64), columns, out)
    return out


def log_of(lists: list[list[int]]) -> Interactions:
    """Return a log in which each learner takes a course a day, the last of all on the same day."""
    longest = max(map(len, lists), default=0)
    rows = [
        (learner, course, (longest - len(each) + place) * 86_400_000_000)
        for learner, each in enumerate(lists)
        for place, course in enumerate(each)
    ]
    learners, courses, moments = np.array(rows, np.int64).reshape(-1, 3).T
    return Interactions(learners, courses, moments)


def walks(count: int = 300, length: int = 6) -> Interactions:
    """Return a log in which everybody goes from a course to the next one, around a ring."""
    rng = np.random.default_rng(3)
    return log_of(
        [[(start + step) % SIZE for step in range(length)] for start in rng.integers(0, SIZE, count).tolist()]
    )


def test_what_is_told_is_the_sum_of_the_history() -> None:
    """The newer weighs more, only the latest are read, and the length of the history decides nothing but its scale."""
    towers, history = some_towers(), RNG.permutation(SIZE)[: REACH + 5].tolist()
    weights = RECENCY ** np.arange(REACH)
    vector = weights @ towers.read[history[:REACH]] / np.sqrt(weights.sum())
    found = told(towers, history)
    np.testing.assert_allclose(found[0], towers.offered @ vector, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1], towers.offered @ vector + towers.biases, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[2], towers.offered @ towers.read[history[0]], rtol=1e-4, atol=1e-4)


def test_a_course_is_told_the_same_in_any_list() -> None:
    """Bit by bit, so that what serving ranks by is what training saw."""
    towers = some_towers(width=FACTORS)
    every = told(towers, [3, 1, 4])
    for columns in (np.array([5]), np.array([9, 2]), np.arange(0, SIZE, 3)):
        np.testing.assert_array_equal(every[:, columns], told(towers, [3, 1, 4], columns))


def test_nothing_is_told_without_a_history() -> None:
    """But how likely a course is taken by anybody; and nothing of no courses."""
    towers = some_towers()
    found = told(towers, [])
    assert not found[[0, 2]].any()
    np.testing.assert_array_equal(found[1], towers.biases)
    assert (TOLD, 0) == told(towers, [1], np.arange(0)).shape


def test_what_follows_is_learned() -> None:
    """Who took a course is told those that come next on the ring, and not those before."""
    towers = fit_towers(walks(3_000), SIZE)
    for course in range(SIZE):
        logits = told(towers, [course])[1]
        logits[course] = -np.inf
        steps = (np.arange(SIZE) - course) % SIZE
        assert set(steps[np.argsort(-logits)[:3]]) <= {1, 2, 3, 4}
        assert logits[steps == 1] > logits[steps == SIZE - 1]


def test_fitting_twice_gives_the_same() -> None:
    """Bit by bit."""
    one, other = (fit_towers(walks(), SIZE) for _ in range(2))
    for name, table in one.tables.items():
        np.testing.assert_array_equal(table, other.tables[name])
        assert np.float32 == table.dtype


def topics() -> Sparse:
    """Return which of three topics each course is on."""
    return sp.csr_array(np.eye(3, dtype=np.float32)[np.arange(SIZE) % 3])


def test_courses_that_nobody_took_are_told_by_what_they_are_about() -> None:
    """Who takes courses of one topic is told those of it first that nobody has taken yet."""
    rng, taken = np.random.default_rng(5), np.arange(SIZE - 6)
    lists = [rng.permutation(taken[taken % 3 == learner % 3])[:5].tolist() for learner in range(300)]
    towers = fit_towers(log_of(lists), SIZE, topics())
    new = np.arange(SIZE - 6, SIZE)
    for topic in range(3):
        logits = told(towers, [topic, topic + 3], new)[1]
        assert set(new[new % 3 == topic]) == set(new[np.argsort(-logits)[:2]])


def test_popular_courses_are_likelier() -> None:
    """Whatever the history: biases begin with recent enrollments, and are fitted."""
    rng = np.random.default_rng(4)
    lists = [rng.choice(SIZE, 5, replace=False, p=_skewed()).tolist() for _ in range(400)]
    biases = fit_towers(log_of(lists), SIZE).biases
    assert biases[:5].min() > biases[-5:].max()


def _skewed() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    weights = 1.0 / np.arange(1, SIZE + 1)
    chances: np.ndarray[tuple[int], np.dtype[np.float64]] = weights / weights.sum()
    return chances


@pytest.mark.parametrize("lists", [[], [[0]], [[0], [1], [2]]])
def test_who_took_one_course_teaches_nothing(lists: list[list[int]]) -> None:
    """Nothing follows on anything, and everything is zero."""
    towers = fit_towers(log_of(lists), SIZE, topics())
    assert not any(table.any() for table in towers.tables.values())
    assert not told(towers, [1]).any()


def test_a_catalog_of_one_course_is_fitted() -> None:
    """A course that is taken twice follows itself, in a catalog that has nothing else."""
    towers = fit_towers(log_of([[0, 0], [0]]), 1)
    assert all(np.isfinite(table).all() for table in towers.tables.values())


def test_decisions_follow_others_of_their_learner() -> None:
    """Histories are the learner's own, newest first; what follows is one of the next two; older ones count less."""
    log = log_of([[5], [1, 2, 3], [7, 8]])
    decisions = _Decisions.of(replace(log, moments=log.moments - np.where(log.courses == 8, HALF_LIFE, 0)))
    assert [2, 3, 5] == decisions.places.tolist()
    found = [decisions.batch(np.arange(3), np.random.default_rng(seed)) for seed in range(40)]
    histories = [[course for course in row if course >= 0] for row in found[0].histories.tolist()]
    assert [[1], [2, 1], [7]] == histories
    assert [{2, 3}, {3}, {8}] == [{each.targets[place].item() for each in found} for place in range(3)]
    assert {True} == {bool(each.read[:, 0].all()) for each in found}
    assert {True, False} == {bool(each.read[1, 1]) for each in found}
    np.testing.assert_allclose(found[0].weights, np.array([2, 2, 1]) / 5, rtol=0.02)


def test_large_catalogs_are_sampled_and_corrected() -> None:
    """The taken courses are among the compared, and each is corrected by how often a step compares it."""
    size, rng = SAMPLED + 500, np.random.default_rng(2)
    log = log_of([[0, 1, course] for course in range(size)])
    sampling, targets = _Sampling.of(log, size), np.array([size - 1, 3])
    counts = np.zeros(size)
    for _ in range(300):
        courses, corrections = sampling.others(targets, rng)
        counts[courses] += 1
        assert np.isin(targets, courses).all()
        assert (np.diff(courses) > 0).all()
    drawn = np.exp(-corrections)
    free = ~np.isin(courses, targets)
    np.testing.assert_allclose(drawn[free][2:].mean(), counts[2:-1].mean() / 300, rtol=0.03)
    assert 300 == counts[0]
    small, nothing = _Sampling.of(log_of([[0, 1]]), SIZE).others(np.array([1]), rng)
    assert (list(range(SIZE)), False) == (small.tolist(), bool(nothing.any()))


def test_errors_are_the_slope_of_the_loss() -> None:
    """Against finite differences; what the learner has already is neither likely nor unlikely."""
    others = np.array([2, 4, 5, 9])
    batch = _Batch(
        histories=np.array([[4, -1], [1, 2]]),
        read=np.array([[True, False], [True, True]]),
        targets=np.array([5, 9]),
        weights=np.array([0.75, 0.25], np.float32),
    )
    logits = RNG.normal(0, 1, (2, 4))

    def loss(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        shown = values.copy()
        shown[0, 1] = shown[1, 0] = -np.inf
        chances = np.exp(shown) / np.exp(shown).sum(axis=1, keepdims=True)
        return float(-(batch.weights * np.log(chances[[0, 1], [2, 3]])).sum())

    slopes = np.zeros((2, 4))
    for place in np.ndindex(2, 4):
        up, down = logits.copy(), logits.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        slopes[place] = (loss(up) - loss(down)) / 2e-5
    np.testing.assert_allclose(_errors(logits.astype(np.float32), batch, others), slopes, atol=1e-5)


def test_long_logs_are_read_in_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they cost is bounded."""
    monkeypatch.setattr(towers_fitting, "MOST_STEPS", 2)
    paces: list[tuple[int, int]] = []
    of = Pace.of

    def pace(step: int, steps: int, rate: float) -> Pace:
        paces.append((step, steps))
        return of(step, steps, rate)

    monkeypatch.setattr(Pace, "of", pace)
    fit_towers(walks(), SIZE)
    assert [(0, 2), (1, 2)] == paces


def test_other_courses_have_their_vectors_or_those_of_what_is_like_them() -> None:
    """A course that left is forgotten; a new one is the mean of those that are about the same, or nothing."""
    towers, about = some_towers(4), sp.csr_array(np.array([[1, 0], [0, 2], [1, 1], [0, 0], [0, 3]], np.float32))
    laid = towers.reordered(np.array([0, 1, -1, 3]), 5)
    np.testing.assert_array_equal(laid.read[[0, 1, 3]], towers.read[[0, 1, 3]])
    assert not laid.read[[2, 4]].any()
    assert {towers.biases.min()} == set(laid.biases[[2, 4]].tolist())
    full = laid.completed(np.array([True, True, False, True, False]), about)
    np.testing.assert_allclose(full.offered[2], (towers.offered[0] + 2 * towers.offered[1]) / 3, rtol=1e-5)
    np.testing.assert_allclose(full.read[4], towers.read[1], rtol=1e-5)
    np.testing.assert_array_equal(full.read[[0, 1, 3]], laid.read[[0, 1, 3]])
    unlike = laid.completed(np.array([True, True, True, True, False]), sp.csr_array(np.eye(5, dtype=np.float32)))
    assert not unlike.read[4].any()
    assert laid.completed(np.ones(5, np.bool_), about) is laid
    assert laid.completed(np.zeros(5, np.bool_), about) is laid


def test_new_courses_are_completed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as all at once."""
    known, laid = np.arange(SIZE) < SIZE - 9, some_towers()
    whole = laid.completed(known, topics())
    monkeypatch.setattr("features.towers._PART", 2)
    for name, table in laid.completed(known, topics()).tables.items():
        np.testing.assert_array_equal(table, whole.tables[name])


@pytest.mark.parametrize(
    "changes",
    [
        {"read": np.zeros((SIZE - 1, 8), np.float32)},
        {"offered": np.zeros((SIZE, 7), np.float32)},
        {"biases": np.zeros((SIZE, 1), np.float32)},
        {"biases": np.zeros(SIZE)},
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Floats]) -> None:
    """Before anything is ranked by it."""
    some_towers().check(SIZE)
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(some_towers(), **changes).check(SIZE)


def test_what_is_like_many_follows_the_most_alike() -> None:
    """Not the whole catalog, whose mean says nothing."""
    count = ALIKE + 10
    about = np.ones((count + 1, 1), np.float32)
    about[:10] = 0.5
    towers = some_towers(count).reordered(np.arange(count), count + 1)
    known = np.arange(count + 1) < count
    found = towers.completed(known, sp.csr_array(about))
    np.testing.assert_allclose(found.read[-1], towers.read[10:-1].mean(axis=0), rtol=1e-4, atol=1e-5)
