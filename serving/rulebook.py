"""What lists must heed, in memory: which courses may be shown to whom, what comes before what, and staff's wishes.

All processes follow PostgreSQL's notifications, and look again at staff's rules every few seconds besides, so that a
lost notification delays a rule and never loses it. A snapshot is immutable and swapped whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from core.clock import Clock
from database.notifications import Watch
from database.queries import recommendation_rules as queries
from database.queries.history import TOPIC_PARENTS
from database.queries.recommendation_rules import RuleRow
from database.session import Database, Reader
from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface

_LOG = logging.getLogger(__name__)
NEW_FOR = 30
"""Days after its publication that a course may be called new."""
FEW_LEARNERS = 20
"""A course that more have taken needs no help to be seen."""
_LOOK_SECONDS = 5.0
_MOST_COMBINATIONS = 64
_PAUSE_SECONDS = 1.0
"""Between two loads: an import of many courses notifies at each commit."""


class CourseFacts(NamedTuple):
    """What rules read of a published course.

    Attributes:
        language: primary subtag (BCP 47).
        topics: its topics and their parents.
        main_topic: the first of its own; None without any.
    """

    language: str
    topics: frozenset[int]
    main_topic: int | None


@dataclass(frozen=True, slots=True)
class StaffRule:
    """One wish of staff, in force from `starts_at` until before `ends_at`."""

    id: int
    kind: RecommendationRuleKind
    course_id: int | None
    topic_id: int | None
    surface: RecommendationSurface | None
    around_course_id: int | None
    around_topic_id: int | None
    place: int
    weight: float
    starts_at: datetime
    ends_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, row: RuleRow) -> StaffRule:
        """Return the rule of a row."""
        return cls(
            id=row.id,
            kind=RecommendationRuleKind(row.kind),
            course_id=row.course_id,
            topic_id=row.topic_id,
            surface=None if row.surface is None else RecommendationSurface(row.surface),
            around_course_id=row.around_course_id,
            around_topic_id=row.around_topic_id,
            place=row.place or 1,
            weight=row.weight or 1.0,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            updated_at=row.updated_at,
        )

    def in_force(self, now: datetime) -> bool:
        """Say whether it holds at a moment."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    def is_about(self, course_id: int, facts: CourseFacts | None) -> bool:
        """Say whether it speaks of a course, by itself or by a topic that it is on."""
        return self.course_id == course_id or (facts is not None and self.topic_id in facts.topics)


@dataclass(frozen=True, eq=False)
class Rules:
    """A snapshot.

    Attributes:
        courses: the published courses, by id.
        needs: the courses that each course directly builds upon, published or not.
        leads_to: the other way round.
        staff: rules that are not over.
        new: when the courses were published that are new and have few learners, by id, ascending.
    """

    courses: Mapping[int, CourseFacts]
    needs: Mapping[int, tuple[int, ...]]
    leads_to: Mapping[int, tuple[int, ...]]
    staff: tuple[StaffRule, ...]
    new: Mapping[int, datetime] = field(default_factory=dict)
    _readable: dict[frozenset[str] | None, frozenset[int]] = field(default_factory=dict, repr=False)
    _on_topic: dict[int, frozenset[int]] = field(default_factory=dict, repr=False)

    def readable(self, languages: frozenset[str] | None) -> frozenset[int]:
        """Return the published courses in some languages, or all; the same object for the same languages."""
        found = self._readable.get(languages)
        if found is None:
            found = frozenset(
                key for key, facts in self.courses.items() if languages is None or facts.language in languages
            )
            # Learners name few languages, and a forged multitude of combinations must not stay in memory.
            if len(self._readable) < _MOST_COMBINATIONS:
                self._readable[languages] = found
        return found

    def about(self, rule: StaffRule) -> frozenset[int]:
        """Return the published courses that a rule speaks of."""
        if rule.topic_id is None:
            return frozenset() if rule.course_id is None else frozenset((rule.course_id,))
        found = self._on_topic.get(rule.topic_id)
        if found is None:
            found = frozenset(key for key, facts in self.courses.items() if rule.topic_id in facts.topics)
            self._on_topic[rule.topic_id] = found
        return found

    def before(self, course_ids: Iterable[int]) -> set[int]:
        """Return all courses that these build upon, directly or not, without these."""
        given = set(course_ids)
        found: set[int] = set()
        waiting = list(given)
        while waiting:
            for needed in self.needs.get(waiting.pop(), ()):
                if needed not in found:
                    found.add(needed)
                    waiting.append(needed)
        return found - given


async def load_rules(reader: Reader, now: datetime) -> Rules:
    """Read a snapshot: four statements.

    Raises:
        UnavailableError: PostgreSQL cannot be reached.
    """
    parents = {row.id: row.parent_id for row in await reader.fetch(TOPIC_PARENTS)}
    rows = await reader.fetch(queries.COURSE_FACTS)
    courses = {
        row.course_id: CourseFacts(
            row.language,
            frozenset((*row.topic_ids, *(parents[each] for each in row.topic_ids if each in parents))),
            row.topic_ids[0] if row.topic_ids else None,
        )
        for row in rows
    }
    since = now - timedelta(days=NEW_FOR)
    new = {row.course_id: row.published_at for row in rows if row.learners < FEW_LEARNERS and row.published_at > since}
    needs: dict[int, tuple[int, ...]] = {}
    leads_to: dict[int, tuple[int, ...]] = {}
    for row in await reader.fetch(queries.PREREQUISITES):
        needs[row.course_id] = (*needs.get(row.course_id, ()), row.prerequisite_id)
        leads_to[row.prerequisite_id] = (*leads_to.get(row.prerequisite_id, ()), row.course_id)
    return Rules(courses, needs, leads_to, await _staff(reader, now), new)


async def _staff(reader: Reader, now: datetime) -> tuple[StaffRule, ...]:
    return tuple(StaffRule.of(row) for row in await reader.fetch(queries.NOT_OVER, now=now))


class Rulebook:
    """Holds the newest snapshot; before the first, only the rules hold that statements enforce."""

    def __init__(self) -> None:
        self._current: Rules | None = None
        self._turn = asyncio.Lock()

    @property
    def current(self) -> Rules | None:
        """The newest snapshot; None until one was read."""
        return self._current

    async def load(self, database: Database, now: datetime) -> None:
        """Read everything anew.

        Raises:
            UnavailableError: PostgreSQL cannot be reached; the snapshot of before stays.
        """
        async with self._turn, database.reader() as reader:
            self._current = await load_rules(reader, now)

    async def look(self, database: Database, now: datetime) -> None:
        """Read staff's rules anew, and the rest if it was never read; errors as for `load`."""
        if self._current is None:
            await self.load(database, now)
            return
        async with self._turn, database.reader() as reader:
            self._current = replace(self._current, staff=await _staff(reader, now))

    async def follow(self, database: Database, clock: Clock, watch: Watch) -> None:
        """Follow what changes, until there is nothing to watch any more."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    changed = await watch.changed()
            except TimeoutError:
                work = self.look
            else:
                if not changed:
                    return
                work = self.load
            try:
                await work(database, clock())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed.
                _LOG.warning("The rules of recommendations could not be read: %r", error)
            await asyncio.sleep(_PAUSE_SECONDS)
