"""How much a place of a list is looked at, from courses that a learner was shown at several places.

A course that leads a list is clicked more because it leads, and not only because it suits. What tells the two apart is
the same course, shown to the same learner on the same surface at different places, as releases and days go by: there
only the place differs. Agarwal et al. (Estimating Position Bias without Intrusive Interventions, 2019) harvest such
interventions. Here each click chooses one among the places at which it could have happened, which leaves out how much
the course suits, and the places' strengths are those of Plackett and Luce, found by Hunter's iteration (MM Algorithms
for Generalized Bradley-Terry Models, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers

STARTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 21, 31)
"""First places of the groups of places that share a propensity: few lists are read so far down."""
_PRIOR = 10.0
"""Choices, half of them won, that each group is given against one that is looked at as much as the average."""
_ROUNDS = 500
_PRECISION = 1e-6


@dataclass(frozen=True)
class Propensities:
    """How much places are looked at, relative to the one that is looked at most.

    Attributes:
        values: one for each of `STARTS`, in (0, 1].
        contests: choices that they were estimated from.
    """

    values: tuple[float, ...] = (1.0,) * len(STARTS)
    contests: int = 0

    def of(self, places: Integers) -> NDArray[np.float64]:
        """Return float64[m] for places, counted from 1."""
        return np.asarray(self.values)[_group(places)]


def estimated(alike: Integers, places: Integers, positive: NDArray[np.bool_]) -> Propensities:
    """Return the propensities that explain best which place was chosen, drawn towards equal ones where little is known.

    Args:
        alike: int64[m], what may be compared has the same number: one course, learner and surface.
        places: int64[m], from 1.
        positive: bool[m], whether the course was chosen there.
    """
    sets, groups, wins = _choices(alike, _group(places), positive)
    count = int(sets.max()) + 1 if len(sets) else 0
    strengths = np.ones(len(STARTS))
    for _ in range(_ROUNDS):
        chances = 1 / np.bincount(sets, weights=strengths[groups], minlength=count)
        expected = np.bincount(groups, weights=chances[sets], minlength=len(STARTS))
        found = (wins + _PRIOR / 2) / (expected + _PRIOR / (strengths + 1))
        moved = float(np.abs(found / strengths - 1).max())
        strengths = found
        if moved < _PRECISION:
            break
    return Propensities(tuple((strengths / strengths.max()).tolist()), count)


def _group(places: Integers) -> Integers:
    return np.searchsorted(STARTS, places, side="right").astype(np.int64) - 1


def _choices(
    alike: Integers, groups: Integers, positive: NDArray[np.bool_]
) -> tuple[Integers, Integers, NDArray[np.float64]]:
    """Return the members of each choice: its number and their group of places; and how often each group was chosen.

    A choice is a place where the course was chosen with all of those where it was not. One without another group
    among them tells nothing.
    """
    # Most courses were never chosen, and tell nothing.
    told = np.flatnonzero(np.isin(alike, alike[positive]))
    order = told[np.argsort(alike[told], kind="stable")]
    _, starts = np.unique(alike[order], return_index=True)
    sets, members = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    wins, count = np.zeros(len(STARTS)), 0
    for rows in np.split(order, starts[1:]):
        chosen = positive[rows]
        others = groups[rows[~chosen]]
        for winner in groups[rows[chosen]].tolist():
            if (others != winner).any():
                members.append(np.append(others, winner))
                sets.append(np.full(len(others) + 1, count))
                wins[winner] += 1
                count += 1
    return np.concatenate(sets), np.concatenate(members), wins
