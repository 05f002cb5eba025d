"""What learners do with the lists of a canary and with those of the live release, counted since the canary began."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from app.releases import Tried, list_releases, live_of, tried_of
from core.errors import InputError
from core.ids import time_ordered_uuid
from database.queries.recommendations import OUTCOMES, OutcomeRow
from database.session import Database
from serving.trials import is_in_canary

_Z = 1.959964
"""Of the standard normal distribution: 95% lie within."""


@dataclass(frozen=True)
class Side:
    """Learners of one side of a canary, who were shown a list.

    Attributes:
        learners: how many.
        impressions: courses of lists that they were shown.
        clicks: of these.
        enrollments: from these.
        clicked: learners with a click.
        enrolled: learners with an enrollment.
    """

    learners: int
    impressions: int
    clicks: int
    enrollments: int
    clicked: int
    enrolled: int

    @classmethod
    def of(cls, rows: Iterable[OutcomeRow]) -> Side:
        """Count."""
        counted = list(rows)
        return cls(
            learners=len(counted),
            impressions=sum(row.impressions for row in counted),
            clicks=sum(row.clicks for row in counted),
            enrollments=sum(row.enrollments for row in counted),
            clicked=sum(row.clicks > 0 for row in counted),
            enrolled=sum(row.enrollments > 0 for row in counted),
        )

    def share(self, name: str) -> float:
        """Return the share of the learners who `clicked` or `enrolled`; 0 of nobody."""
        number: int = getattr(self, name)
        return number / self.learners if self.learners else 0.0


@dataclass(frozen=True)
class TrialOutcomes:
    """What is tried, and in a canary what both sides do.

    Attributes:
        tried: the trial.
        live: version of the live release.
        canary: learners who are in the canary; nobody in a shadow.
        others: the others.
    """

    tried: Tried
    live: str
    canary: Side
    others: Side

    def difference(self, name: str) -> tuple[float, float, float]:
        """Return by how much the canary's share of learners who `clicked` or `enrolled` is higher, and its interval."""
        return difference_of_shares(
            getattr(self.canary, name), self.canary.learners, getattr(self.others, name), self.others.learners
        )


async def compare_sides(database: Database) -> TrialOutcomes:
    """Count what learners did with lists that were made since the trial, or its present share, began.

    Learners count where they belong, whatever really ranked their list: to leave out those whom the candidate failed
    would leave out what is wrong with it.

    Raises:
        InputError: nothing is tried.
    """
    rows = await list_releases(database)
    tried, live = Tried.of(tried_of(rows)), live_of(rows)
    if tried is None or live is None:
        raise InputError("No release is tried: `waymark model shadow` and `waymark model canary` begin it.")
    found: list[OutcomeRow] = []
    if tried.percent is not None:
        async with database.reader() as reader:
            first = time_ordered_uuid(tried.since, bytes)
            found = await reader.fetch(OUTCOMES, since=tried.since, first_list=first)
    inside = {row.learner_id for row in found if is_in_canary(tried.version, row.learner_id, tried.percent or 0.0)}
    canary = Side.of(row for row in found if row.learner_id in inside)
    return TrialOutcomes(tried, live.version, canary, Side.of(row for row in found if row.learner_id not in inside))


def difference_of_shares(ours: int, of_ours: int, theirs: int, of_theirs: int) -> tuple[float, float, float]:
    """Return the difference of two independent shares with its 95% interval.

    Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10), which also holds for small counts and
    for shares near 0.

    Args:
        ours: how many of ours did.
        of_ours: how many there are, at least 1.
        theirs: how many of theirs did.
        of_theirs: how many there are, at least 1.
    """
    one, other = ours / of_ours, theirs / of_theirs
    one_low, one_high = _wilson(ours, of_ours)
    other_low, other_high = _wilson(theirs, of_theirs)
    difference = one - other
    low = difference - math.hypot(one - one_low, other_high - other)
    high = difference + math.hypot(one_high - one, other - other_low)
    return difference, low, high


def _wilson(number: int, of: int) -> tuple[float, float]:
    """Return Wilson's score interval of a share."""
    share, square = number / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return middle - half, middle + half
