"""How alike two courses are: fitted on what learners did before a moment, or on what courses are about.

Everything here is a sparse matrix over the *positions* of courses in one sorted array of course ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.histories import CourseTraits
from features.interactions import ROBOTIC, Integers, Interactions, Sparse, latest, strongest_of
from features.kernel_arrays import Rows
from features.linear import fit_latent, fit_linear
from features.towers import TABLES, Towers
from features.towers_fitting import fit_towers

_WORDS = re.compile(r"\w+")
SHRINKAGE = 5.0
"""Added to both counts of a cosine and to a transition's denominator, so that rare courses prove little."""
LONGEST_HISTORY = 200
"""Only this many of a learner's latest courses are paired, so that a bot cannot fill the memory."""
TRANSITION_REACH = 5
TRANSITION_DECAY = 0.7
NEARBY_REACH = 10
NEARBY_SPAN = 7 * 24 * 3600 * 1_000_000
"""Microseconds in which two courses' being taken together loses all but 1/e of its weight."""
NEARBY_POWER = 0.7


MATRICES = ("item_item", "companions", "nearby", "transitions", "linear", "sequential", "latent")
"""Names of the matrices of `Similarities`."""
_KEPT: Mapping[str, type[np.generic]] = {"data": np.float32, "indices": np.int32, "indptr": np.int64}


@dataclass(frozen=True)
class Similarities:
    """What the retrievers know of pairs of courses, float32[n, n] each, the strongest entries of every row.

    Attributes:
        item_item: cosine of two courses' learners.
        companions: the same, where a learner of many courses counts less, and the length of the list decides nothing.
        nearby: how often two courses were taken within days of each other.
        transitions: how often the column was taken soon after the row.
        linear: weights of EASE (`features.linear`).
        sequential: weights of SLIST.
        latent: weights of the factor model.
        towers: no matrix, but a vector for a history and one for a course (`features.towers`).
    """

    item_item: Sparse
    companions: Sparse
    nearby: Sparse
    transitions: Sparse
    linear: Sparse
    sequential: Sparse
    latent: Sparse
    towers: Towers

    @cached_property
    def matrices(self) -> dict[str, Sparse]:
        """All matrices by name, in the order of `MATRICES`."""
        return {name: getattr(self, name) for name in MATRICES}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What they are kept as on disk; `of` reads it."""
        kept = {
            f"{name}_{part}": getattr(matrix, part).astype(kind, copy=False)
            for name, matrix in self.matrices.items()
            for part, kind in _KEPT.items()
        }
        return kept | {f"towers_{name}": table for name, table in self.towers.tables.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], size: int) -> Similarities:
        """Return what was kept, of so many courses.

        Raises:
            KeyError: something is missing.
            ValueError: it is of other shapes or types.
        """
        towers = Towers(**{name: arrays[f"towers_{name}"] for name in TABLES})
        towers.check(size)
        return cls(**{name: _read(arrays, name, size) for name in MATRICES}, towers=towers)

    @cached_property
    def rows(self) -> Rows:
        """float32[7n, n], all of them below each other; they become views of it, so that it takes no memory of its own.

        One lookup in it answers for all.
        """
        matrices = self.matrices.values()
        stacked: Sparse = sp.vstack(list(matrices), format="csr", dtype=np.float32)
        start = 0
        for matrix in matrices:
            part = slice(start, start + matrix.nnz)
            matrix.data, matrix.indices, start = stacked.data[part], stacked.indices[part], part.stop
            matrix.indptr = matrix.indptr.astype(stacked.indices.dtype, copy=False)
        return Rows(stacked)

    def reordered(self, positions: Integers, size: int) -> Similarities:
        """Return the same over another array of courses.

        Args:
            positions: int64[n], where each course stands in the other array, or -1 when it is not there.
            size: length of the other array.
        """
        if len(positions) == size and np.array_equal(positions, np.arange(size)):
            return self
        matrices = {name: _reordered(each, positions, size) for name, each in self.matrices.items()}
        return Similarities(**matrices, towers=self.towers.reordered(positions, size))

    def over(self, course_ids: Integers, traits: CourseTraits) -> Similarities:
        """Return the same over other courses, of which those that were not there in fitting are known by their traits.

        Args:
            course_ids: int64[], sorted, of the courses that these similarities are of.
            traits: of the other courses.
        """
        positions, kept = positions_of(course_ids, traits.course_ids)
        laid = self.reordered(np.where(kept, positions, -1), len(traits))
        known = np.zeros(len(traits), np.bool_)
        known[positions[kept]] = True
        return replace(laid, towers=laid.towers.completed(known, traits.about))


def fit_similarities(interactions: Interactions, size: int, about: Sparse | None = None) -> Similarities:
    """Fit all on `interactions`, which the caller has cut off before the moment of the decisions.

    Args:
        interactions: what is known; nothing else is looked at.
        size: number of courses.
        about: float32[n, k], `CourseTraits.about`; None where nothing is known of what courses are about.
    """
    recent = _recent(interactions)
    linear, sequential = fit_linear(recent, size)
    return Similarities(
        item_item=fit_item_item(interactions, size),
        companions=strongest_of(_cosines(recent, size, shared=True)),
        nearby=strongest_of(_nearby(recent, size)),
        transitions=fit_transitions(interactions, size),
        linear=linear,
        sequential=sequential,
        latent=fit_latent(recent, size),
        towers=fit_towers(recent, size, about),
    )


def fit_item_item(interactions: Interactions, size: int) -> Sparse:
    """Fit `Similarities.item_item` alone, as `fit_similarities` does."""
    return strongest_of(_cosines(_recent(interactions), size, shared=False))


def fit_transitions(interactions: Interactions, size: int) -> Sparse:
    """Fit `Similarities.transitions` alone, as `fit_similarities` does."""
    return strongest_of(_transition_rates(_recent(interactions), size))


def content_vectors(traits: Sequence[Sparse]) -> Sparse:
    """Return unit-length TF-IDF vectors of what courses are about.

    Args:
        traits: binary matrices [n, k_i], such as topics and skills; each weighs the same.

    Returns:
        float32[n, sum of k_i]; a course about which nothing is known has a zero row.
    """
    weighted = [_unit_rows(_inverse_frequency(trait)) for trait in traits]
    return _unit_rows(sp.hstack(weighted, format="csr", dtype=np.float32))


def title_vectors(titles: Sequence[str]) -> Sparse:
    """Return unit-length TF-IDF vectors of the words of titles, float32[n, number of words].

    Series and authors have habits of naming that topics do not tell.
    """
    words = [sorted(set(_WORDS.findall(title.casefold()))) for title in titles]
    known = {word: column for column, word in enumerate(sorted({word for each in words for word in each}))}
    columns = np.fromiter((known[word] for each in words for word in each), np.int64)
    rows = np.repeat(np.arange(len(titles), dtype=np.int64), [len(each) for each in words])
    return content_vectors([_binary(rows, columns, (len(titles), max(1, len(known))))])


def membership(groups: Sequence[Sequence[int]], members: Integers) -> Sparse:
    """Return binary float32[len(groups), len(members)] from lists of ids; unknown ids are left out.

    Args:
        groups: ids for each row.
        members: int64[k] sorted ids that the columns stand for.
    """
    lengths = np.fromiter((len(group) for group in groups), np.int64, len(groups))
    ids = np.fromiter((value for group in groups for value in group), np.int64, int(lengths.sum()))
    rows = np.repeat(np.arange(len(groups), dtype=np.int64), lengths)
    columns, known = positions_of(ids, members)
    return _binary(rows[known], columns[known], (len(groups), len(members)))


def positions_of(ids: Integers, within: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Return where ids stand in a sorted array (0 for unknown ones) and bool[] of the known."""
    if len(within) == 0:
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
    positions = np.minimum(np.searchsorted(within, ids), len(within) - 1).astype(np.int64)
    known = within[positions] == ids
    return np.where(known, positions, 0), known


def _recent(interactions: Interactions) -> Interactions:
    # One robot would say as much of rarely taken courses as all who take them.
    learners = interactions.learners
    human = np.bincount(learners)[learners] <= ROBOTIC
    return interactions.select(human & latest(learners, LONGEST_HISTORY))


def _cosines(interactions: Interactions, size: int, *, shared: bool) -> Sparse:
    """Return the cosine of courses' learners; `shared` is whether each learner shares out one vote."""
    learner_count = int(interactions.learners.max(initial=-1)) + 1
    taken = _binary(interactions.learners, interactions.courses, (learner_count, size))
    counts = np.bincount(taken.indices, minlength=size) + SHRINKAGE
    shares = (1 / np.sqrt(np.maximum(np.diff(taken.indptr), 1))).astype(np.float32)
    left = sp.diags_array(shares) @ taken if shared else taken
    together = (left.T @ taken).tocoo()
    apart = together.row != together.col
    rows, columns = together.row[apart], together.col[apart]
    values = together.data[apart] / np.sqrt(counts[rows] * counts[columns])
    return _sparse(rows, columns, values, (size, size))


def _nearby(interactions: Interactions, size: int) -> Sparse:
    learners, courses, moments = interactions.learners, interactions.courses, interactions.moments
    starts, ends, values = [courses[:0]], [courses[:0]], [np.zeros(0)]
    for gap in range(1, min(NEARBY_REACH, len(learners) - 1) + 1):
        together = (learners[gap:] == learners[:-gap]) & (courses[gap:] != courses[:-gap])
        before, after = courses[:-gap][together], courses[gap:][together]
        apart = (moments[gap:][together] - moments[:-gap][together]) / NEARBY_SPAN
        starts += [before, after]
        ends += [after, before]
        values += [np.exp(-apart)] * 2
    rows = np.concatenate(starts)
    taken = (np.bincount(courses, minlength=size) + SHRINKAGE) ** NEARBY_POWER
    return _sparse(rows, np.concatenate(ends), np.concatenate(values) / taken[rows], (size, size))


def _transition_rates(interactions: Interactions, size: int) -> Sparse:
    learners, courses = interactions.learners, interactions.courses
    rows, columns, values = [courses[:0]], [courses[:0]], [np.zeros(0)]
    for gap in range(1, min(TRANSITION_REACH, len(learners) - 1) + 1):
        follows = (learners[gap:] == learners[:-gap]) & (courses[gap:] != courses[:-gap])
        before = courses[:-gap][follows]
        rows.append(before)
        columns.append(courses[gap:][follows])
        values.append(np.full(len(before), TRANSITION_DECAY ** (gap - 1)))
    starts = np.concatenate(rows)
    taken = np.bincount(courses, minlength=size) + SHRINKAGE
    return _sparse(starts, np.concatenate(columns), np.concatenate(values) / taken[starts], (size, size))


def _inverse_frequency(trait: Sparse) -> Sparse:
    counts = np.bincount(trait.indices, minlength=trait.shape[1])
    weights = np.log((trait.shape[0] + 1) / np.maximum(counts, 1)).astype(np.float32)
    return sp.csr_array((weights[trait.indices], trait.indices, trait.indptr), shape=trait.shape)


def _unit_rows(matrix: Sparse) -> Sparse:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)
    scaled = matrix.data * np.repeat(scales, np.diff(matrix.indptr))
    return sp.csr_array((scaled, matrix.indices, matrix.indptr), shape=matrix.shape)


def _binary(rows: Integers, columns: Integers, shape: tuple[int, int]) -> Sparse:
    matrix = _sparse(rows, columns, np.ones(len(rows)), shape)
    matrix.data[:] = 1.0
    return matrix


def _sparse(rows: Integers, columns: Integers, values: NDArray[Any], shape: tuple[int, int]) -> Sparse:
    matrix = sp.coo_array((values.astype(np.float32), (rows, columns)), shape=shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def _read(arrays: Mapping[str, NDArray[Any]], name: str, size: int) -> Sparse:
    matrix = sp.csr_array(tuple(arrays[f"{name}_{part}"] for part in _KEPT), shape=(size, size))
    matrix.check_format(full_check=True)
    return matrix


def _reordered(matrix: Sparse, positions: Integers, size: int) -> Sparse:
    entries = matrix.tocoo()
    rows, columns = positions[entries.row], positions[entries.col]
    kept = (rows >= 0) & (columns >= 0)
    return _sparse(rows[kept], columns[kept], entries.data[kept], (size, size))
