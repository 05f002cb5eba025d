"""Exploration: now and then a place of a list is given to a new course, which no ranking could know of yet.

A ranker learns from what learners took, so that a course without learners stays without. One learner-day in so many
has one place of its lists for a course of the last weeks that few have taken and that is on a topic of the learner's.
The place is never among the first four. What it costs is bounded by that, and `waymark model evaluate` tells it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from database.tables.recommendations import RecommendationSurface
from serving.constraints import Constraints
from serving.rulebook import NEW_FOR, Rules

PLACES = range(5, 11)
"""Places that may be given away: within a first page, below what the learner most likely came for."""
_PARTS = 10_000


class Explored(NamedTuple):
    """A new course and the place, from 1, that it is given."""

    place: int
    course_id: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much is explored.

    Attributes:
        share: of the learners on a day, from 0 to 1, whose lists have such a place.
    """

    share: float = 0.0

    def choose(self, constraints: Constraints) -> Explored | None:
        """Return what is explored in a list: the same for a learner all day, so that pages and visits agree.

        None outside the share, on surfaces that are around a course, before the first snapshot of the rules, and where
        no new course is on a topic that the learner has chosen or taken a course on.
        """
        request, rules = constraints.request, constraints.rules
        if rules is None or request.learner_id is None or request.surface not in {None, RecommendationSurface.HOME}:
            return None
        drawn = hashlib.blake2b(f"{request.learner_id} {request.now:%Y-%m-%d}".encode(), digest_size=12).digest()
        share, place, course = (int.from_bytes(drawn[start : start + 4], "big") for start in (0, 4, 8))
        if share % _PARTS >= round(self.share * _PARTS):
            return None
        found = _suitable(rules, constraints)
        return Explored(PLACES[place % len(PLACES)], found[course % len(found)]) if found else None


NOTHING = Exploration()


def _suitable(rules: Rules, constraints: Constraints) -> list[int]:
    """Return new courses on the learner's topics that may be shown and need nothing first, ascending."""
    topics = _topics(rules, constraints)
    since = constraints.request.now - timedelta(days=NEW_FOR)
    return [
        key
        for key, published_at in rules.new.items()
        if since < published_at <= constraints.request.now
        and not topics.isdisjoint(rules.courses[key].topics)
        and constraints.admits(key)
        and constraints.steps(key, frozenset()) == []
    ]


def _topics(rules: Rules, constraints: Constraints) -> set[int]:
    """Return the topics that the learner chose, and the main topics of the courses that they kept."""
    learner = constraints.learner
    chosen = set(learner.preferences.topic_ids if learner.preferences is not None else ())
    taken = (rules.courses.get(row.course_id) for row in learner.kept)
    return chosen | {facts.main_topic for facts in taken if facts is not None and facts.main_topic is not None}
