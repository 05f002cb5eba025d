"""Ranked lists that are kept for a while, so that pages fit together and a repeated page is the same page.

A list grows in parts of `PART` places. Each part is written once: two servers that make the same part at the same
time agree on the one that was first. Whatever the store cannot tell in time is as good as gone.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import orjson

from core.errors import InvalidArgumentError, UnavailableError
from core.ids import time_ordered_uuid
from database.tables.recommendations import RecommendationRuleKind
from serving.breaker import Breaker
from serving.constraints import Constraints
from serving.rankings import RankedCourse, RankedList, Reason, ReasonKind, RecommendationRequest, Strategy

_LOG = logging.getLogger(__name__)
PART = 200
KEYS = "waymark:list:"
"""What the keys of all lists begin with; the learner follows."""
_KEY = re.compile(rb"%b(\d+):" % KEYS.encode())


class KeyValueStore(Protocol):
    """What lists need of Valkey or Redis: `serving.valkey.Valkey`, which is only imported where it is wanted."""

    async def get(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return the values; raises UnavailableError."""
        ...

    async def put(self, key: str, value: bytes, seconds: float) -> bytes:
        """Set a value unless there is one, and return the one that is there; raises UnavailableError."""
        ...

    async def replace(self, key: str, value: bytes, seconds: float) -> None:
        """Set a value whether there is one or not; raises UnavailableError."""
        ...


Row: TypeAlias = list[Any]
"""A place as it is stored: id of the course, score, and reasons. Most are never shown, and so never unpacked."""


@dataclass(frozen=True, slots=True)
class ListPart:
    """Some places of a list in a row.

    Attributes:
        question: digest of what was asked, so that a cursor cannot continue another list.
        strategy: what ranked these places.
        model_version: version of the release, when a model did.
        rows: best first; reasons are those that ranking again would not find.
        ended: whether no place follows.
        made_at: when the list was begun.
    """

    question: str
    strategy: Strategy
    model_version: str | None
    rows: Sequence[Row]
    ended: bool
    made_at: datetime

    def encode(self) -> bytes:
        """Return the stored form."""
        moment = self.made_at.isoformat()
        return orjson.dumps([self.question, self.strategy, self.model_version, self.ended, moment, self.rows])

    @classmethod
    def decode(cls, raw: bytes) -> ListPart | None:
        """Return what was stored; None for what this version cannot read."""
        try:
            question, strategy, version, ended, moment, rows = orjson.loads(raw)
            part = cls(question, Strategy(strategy), version, list(rows), ended, datetime.fromisoformat(moment))
            for row in part.rows[:1]:
                unpacked(row)
        except (ValueError, TypeError):
            return None
        return part


def packed(course: RankedCourse, highest: float) -> Row:
    """Return the stored form of a place, with a score that is not above another one."""
    key, score, reasons = course
    told = [[why.kind.value, why.course_id, why.topic_id] for why in reasons] if reasons else []
    return [key, min(score, highest), told]


def unpacked(row: Row) -> RankedCourse:
    """Return the place that was stored."""
    key, score, reasons = row
    # JSON has no infinite numbers; nothing that ranks gives them on purpose.
    return RankedCourse(key, score or 0.0, tuple(Reason(ReasonKind(kind), *about) for kind, *about in reasons))


class RankedLists:
    """Keeps lists of learners.

    Args:
        store: where.
        lifetime: how long a list is kept.
        breaker: leaves a store alone that keeps failing.
    """

    def __init__(self, store: KeyValueStore, lifetime: timedelta, breaker: Breaker | None = None) -> None:
        self._store = store
        self._lifetime = lifetime
        self._breaker = breaker or Breaker()

    async def current(self, learner_id: int, state: str, now: datetime) -> UUID | None:
        """Return the list that a learner was last shown in the same state; None when there is none."""
        (raw,) = await self._get([_current_key(learner_id, state)], now)
        try:
            return None if raw is None else UUID(bytes=raw)
        except ValueError:
            return None

    async def remember(self, learner_id: int, state: str, list_id: UUID, now: datetime) -> None:
        """Make a list the one to be shown to a learner as long as the state is the same."""
        if self._breaker.allows(now):
            try:
                key = _current_key(learner_id, state)
                await self._store.replace(key, list_id.bytes, self._lifetime.total_seconds())
            except UnavailableError:
                self._failed(now)

    async def read(
        self, learner_id: int, list_id: UUID, numbers: Sequence[int], now: datetime
    ) -> list[ListPart | None]:
        """Return parts of a learner's own list; None for what is not there, or not any more."""
        found = [
            None if raw is None else ListPart.decode(raw)
            for raw in await self._get([_part_key(learner_id, list_id, number) for number in numbers], now)
        ]
        # The store forgets by its own clock; ours is the one that is told.
        return [part if part is not None and now - part.made_at <= self._lifetime else None for part in found]

    async def keep(self, learner_id: int, list_id: UUID, number: int, part: ListPart, now: datetime) -> ListPart:
        """Keep a part as long as its list, and return it, or the one that somebody else has kept before."""
        rest = (self._lifetime - (now - part.made_at)).total_seconds()
        if rest <= 0 or not self._breaker.allows(now):
            return part
        try:
            kept = await self._store.put(_part_key(learner_id, list_id, number), part.encode(), rest)
        except UnavailableError:
            self._failed(now)
            return part
        self._breaker.succeeded()
        decoded = ListPart.decode(kept)
        return part if decoded is None or now - decoded.made_at > self._lifetime else decoded

    async def _get(self, keys: Sequence[str], now: datetime) -> Sequence[bytes | None]:
        nothing = [None] * len(keys)
        if not keys or not self._breaker.allows(now):
            return nothing
        try:
            found = await self._store.get(keys)
        except UnavailableError:
            self._failed(now)
            return nothing
        self._breaker.succeeded()
        return found

    def _failed(self, now: datetime) -> None:
        self._breaker.failed(now)
        _LOG.warning("The store of ranked lists does not answer; lists are ranked anew for each page.")


class KeptList:
    """One list of one learner while a page of it is made.

    Args:
        lists: where it is kept.
        learner_id: whose it is.
        question: digest of what was asked.
        now: the moment.
        list_id: its name; None for a list that is not known yet.

    Attributes:
        list_id: its name, once `find` was called or the list was named.
    """

    def __init__(self, lists: RankedLists, learner_id: int, question: str, now: datetime, list_id: UUID | None) -> None:
        self._lists = lists
        self._learner_id = learner_id
        self._question = question
        self._now = now
        self._parts: list[ListPart] = []
        self.list_id = list_id or time_ordered_uuid(now)
        self._fresh_id: UUID | None = None
        self._rows: list[Row] = []

    def __len__(self) -> int:
        """Return how many places are known."""
        return len(self._rows)

    def courses(self, start: int, end: int) -> list[RankedCourse]:
        """Return the places after `start`, until `end`."""
        return [unpacked(row) for row in self._rows[start:end]]

    async def find(self, state: str) -> None:
        """Take up the list that the learner was last shown in this state, if there is one."""
        found = await self._lists.current(self._learner_id, state, self._now)
        if found is not None:
            self._fresh_id, self.list_id = self.list_id, found

    async def read(self, places: int) -> None:
        """Read the first places.

        Raises:
            InvalidArgumentError: the list was an answer to another question.
        """
        numbers = range(_parts_for(places))
        for part in await self._lists.read(self._learner_id, self.list_id, numbers, self._now):
            if part is None:
                break
            if part.question != self._question:
                raise InvalidArgumentError("The cursor belongs to a list with other arguments.")
            self._add(part)
        if not self._parts and self._fresh_id is not None:
            # It was remembered and is gone: what is made now is another list.
            self.list_id = self._fresh_id

    def covers(self, places: int) -> bool:
        """Say whether so many places are known, or all that there are."""
        return len(self._rows) >= places or bool(self._parts and self._parts[-1].ended)

    def at(self, place: int) -> ListPart:
        """Return the part that holds a place from 0, or the last one."""
        for part in self._parts:
            if place < len(part.rows):
                return part
            place -= len(part.rows)
        return self._parts[-1]

    def end_of_version(self, place: int) -> int:
        """Return where the places end that the same ranked as a place from 0: a page holds no others."""
        by, end = self.at(place), 0
        for part in self._parts:
            same = (part.strategy, part.model_version) == (by.strategy, by.model_version)
            if end > place and not same:
                break
            end += len(part.rows)
        return end

    @property
    def version(self) -> str | None:
        """The version that ranked the last places that are known; None when no model did."""
        return self._parts[-1].model_version if self._parts else None

    async def extend(self, ranked: RankedList, asked: int, places: int) -> None:
        """Add parts until so many places are known, without what stands in the list already.

        Args:
            ranked: a ranking of this moment.
            asked: the limit that it was ranked for; `places_for(places)`.
            places: how many are wanted.
        """
        while not self.covers(places):
            known = {key for key, *_ in self._rows}
            # Another model's scores are on another scale, and still must order the list.
            lowest = self._rows[-1][1] if self._rows else float("inf")
            fresh = [course for course in ranked.courses if course.course_id not in known]
            part = ListPart(
                question=self._question,
                strategy=ranked.strategy,
                model_version=ranked.model_version,
                rows=[packed(course, lowest) for course in fresh[:PART]],
                ended=len(fresh) <= PART and (not fresh or len(ranked.courses) < asked),
                made_at=self._parts[0].made_at if self._parts else self._now,
            )
            self._add(await self._lists.keep(self._learner_id, self.list_id, len(self._parts), part, self._now))

    async def remember(self, state: str) -> None:
        """Show the same list again as long as the learner is in the same state."""
        await self._lists.remember(self._learner_id, state, self.list_id, self._now)

    def _add(self, part: ListPart) -> None:
        self._parts.append(part)
        self._rows.extend(part.rows)


def question_of(request: RecommendationRequest) -> str:
    """Return the digest of what a list is an answer to, besides the learner."""
    surface = None if request.surface is None else request.surface.value
    return _digest([surface, request.around, request.variant])


def state_of(constraints: Constraints, expected: tuple[str, str | None]) -> str:
    """Return the digest of all that a list depends on and that a learner or staff may change, of one question.

    Args:
        constraints: of the list.
        expected: the strategy that ranks it, and the version of its model.
    """
    learner = constraints.learner
    preferences = learner.preferences
    chosen = (
        None
        if preferences is None
        else [preferences.level, preferences.goals, preferences.languages, sorted(preferences.topic_ids)]
    )
    history = [[row.course_id, row.status] for row in learner.history]
    rules = [[rule.id, rule.updated_at] for kind in RecommendationRuleKind for rule in constraints.staff(kind)]
    question = question_of(constraints.request)
    return _digest([question, *expected, history, chosen, sorted(learner.dismissed), rules])


def _digest(content: Sequence[object]) -> str:
    return hashlib.blake2b(orjson.dumps(content), digest_size=12).hexdigest()


def places_for(places: int) -> int:
    """Return how many courses to rank for a list of so many places: whole parts, and one more to see if it ends."""
    return _parts_for(places) * PART + 1


def _parts_for(places: int) -> int:
    return -(-places // PART)


def owner_of(key: bytes) -> int | None:
    """Return the learner whose list is kept under a key; None for a key of something else."""
    found = _KEY.match(key)
    return None if found is None else int(found[1])


def _current_key(learner_id: int, state: str) -> str:
    return f"{KEYS}{learner_id}:{state}"


def _part_key(learner_id: int, list_id: UUID, number: int) -> str:
    # A learner's own key: the list of somebody else cannot be named.
    return f"{KEYS}{learner_id}:{list_id}:{number}"
