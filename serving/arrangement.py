"""From what a strategy ranked to what a learner is shown: staff's wishes, the surface, and what comes before what.

The first `WINDOW` places are arranged together, and all that follow keep their order. So a list is the beginning of
every longer list of the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface
from serving.constraints import Constraints, Obstacle
from serving.diversity import diverse_places, likeness_of
from serving.exploration import Explored
from serving.rankings import RankedCourse, Reason, ReasonKind

WINDOW = 200
"""How many of the best courses change places with each other."""
TOPIC_SPREAD, TOPIC_SHARE = 10, 3
"""On the home surface, at most so many of so many places in a row are on one main topic, while there are others."""


def arrange(
    ranked: Sequence[RankedCourse],
    constraints: Constraints,
    neighbors: Sequence[int],
    limit: int,
    explored: Explored | None = None,
    *,
    diversity: float = 0.0,
) -> tuple[RankedCourse, ...]:
    """Return the list to show, best first.

    Scores are raised where a course was moved up, so that they still order the list.

    Args:
        ranked: as a strategy ranked them, at least `WINDOW` if there are so many.
        constraints: of the list.
        neighbors: courses that learners take together with the one that the list is around.
        limit: the longest list that is wanted.
        explored: a new course that is given a place, if any.
        diversity: how much variety of topics counts against the ranking, from 0 to 1 (`serving.diversity`).
    """
    window = constraints.admitted(ranked[:WINDOW])
    if diversity > 0:
        window = _varied(window, constraints, diversity)
    window = _on_surface(window, constraints, neighbors)
    if explored is not None:
        window = _with_explored(window, explored)
    # Scores are raised to what follows in the window, so that is arranged whole.
    sequence = _Sequence(constraints, _pins(window, constraints), max(limit, WINDOW))
    if sequence.extend(window) and sequence.extend(constraints.admitted(ranked[WINDOW:])):
        sequence.finish()
    return _descending(sequence.arranged, limit)


class _Sequence:
    """A list while it grows: each course after what it builds upon, and pinned ones in their places."""

    def __init__(self, constraints: Constraints, pins: Mapping[int, tuple[int, RankedCourse]], enough: int) -> None:
        self._constraints = constraints
        self._pins = dict(pins)
        self._enough = enough
        self.arranged: list[RankedCourse] = []
        self._shown: set[int] = set()

    def extend(self, courses: Sequence[RankedCourse]) -> bool:
        """Add courses, unless they are there, wait for their places, or need what cannot be shown.

        Returns:
            Whether all were looked at before there were enough.
        """
        arranged, shown, pins = self.arranged, self._shown, self._pins
        needs: Mapping[int, object] = self._constraints.rules.needs if self._constraints.rules is not None else {}
        if not pins and len(arranged) + len(courses) <= self._enough:
            keys = [course.course_id for course in courses]
            fresh = set(keys)
            # The usual list: nothing stands twice, and nothing comes before anything.
            if len(fresh) == len(keys) and shown.isdisjoint(fresh) and needs.keys().isdisjoint(keys):
                arranged.extend(courses)
                shown |= fresh
                return True
        for course in courses:
            if len(arranged) >= self._enough:
                return False
            key = course.course_id
            if key in shown or key in pins:
                continue
            if pins or key in needs:
                self._add_after_steps(course)
            else:
                arranged.append(course)
                shown.add(key)
        return True

    def finish(self) -> None:
        """End the list; what is pinned beyond its end stands at the end."""
        while self._pins:
            self._add_pinned(next(iter(self._pins)))

    def _add_after_steps(self, course: RankedCourse) -> None:
        steps = self._constraints.steps(course.course_id, self._shown)
        if isinstance(steps, Obstacle):
            return
        why = (Reason(ReasonKind.PREPARES_FOR, course_id=course.course_id),)
        for one in (*(RankedCourse(step, course.score, why) for step in steps), course):
            while self._pins and next(iter(self._pins.values()))[0] <= len(self.arranged) + 1:
                self._add_pinned(next(iter(self._pins)))
            # A pinned course that came between may have brought it.
            if one.course_id not in self._shown:
                self._append(one)

    def _add_pinned(self, key: int) -> None:
        _, pinned = self._pins.pop(key)
        steps = self._constraints.steps(key, self._shown)
        if not isinstance(steps, Obstacle):
            why = (Reason(ReasonKind.PREPARES_FOR, course_id=key),)
            for step in steps:
                self._append(RankedCourse(step, pinned.score, why))
            self._append(pinned)

    def _append(self, course: RankedCourse) -> None:
        # What is pinned further down has come earlier, as another course builds upon it.
        self._pins.pop(course.course_id, None)
        self.arranged.append(course)
        self._shown.add(course.course_id)


def least_ranked(constraints: Constraints, diversity: float = 0.0) -> int:
    """Return how many courses must be ranked, so that a short list is the beginning of a long one."""
    moved = (
        diversity > 0
        or constraints.request.surface is not None
        or any(constraints.staff(kind) for kind in (RecommendationRuleKind.BOOST, RecommendationRuleKind.PIN))
    )
    return WINDOW if moved else 0


def _varied(window: Sequence[RankedCourse], constraints: Constraints, diversity: float) -> list[RankedCourse]:
    """Return the window with its beginning varied by topics; what leads on a surface is still chosen after this."""
    courses = constraints.rules.courses if constraints.rules is not None else {}
    facts = [courses.get(course.course_id) for course in window]
    alike = likeness_of([frozenset() if each is None else each.topics for each in facts])
    return [window[place] for place in diverse_places(alike, diversity)]


def _on_surface(window: list[RankedCourse], constraints: Constraints, neighbors: Sequence[int]) -> list[RankedCourse]:
    """Return the window in the order of its surface, courses that belong there added, boosts applied."""
    surface, around = constraints.request.surface, constraints.around
    tiers: list[Sequence[int]] = []
    if around is not None and constraints.rules is not None:
        if surface is RecommendationSurface.AFTER_COMPLETION:
            tiers = [constraints.rules.leads_to.get(around, ()), _alike(window, around, constraints)]
        elif surface is RecommendationSurface.COURSE_PAGE:
            tiers = [neighbors, _alike(window, around, constraints)]
    boosts = constraints.staff(RecommendationRuleKind.BOOST)
    if not tiers and not boosts:
        return _spread(window, constraints) if surface is RecommendationSurface.HOME else window
    rules = constraints.rules
    boosted = [] if rules is None else [(rules.about(rule), rule.weight) for rule in boosts]
    tier_of = {key: tier for tier, keys in reversed(list(enumerate(tiers))) for key in keys}
    places = {course.course_id: place for place, course in enumerate(window, start=1)}
    added = _added(tiers[:1], places, constraints, window[-1].score if window else 0.0)
    places |= {course.course_id: len(window) + place for place, course in enumerate(added, start=1)}

    def key(course: RankedCourse) -> tuple[int, float]:
        weight = prod(weight for about, weight in boosted if course.course_id in about)
        return tier_of.get(course.course_id, len(tiers)), places[course.course_id] / weight

    ordered = sorted([*window, *added], key=key)
    if surface is RecommendationSurface.AFTER_COMPLETION and around is not None:
        why = Reason(ReasonKind.NEXT_IN_SEQUENCE, course_id=around)
        ordered = [_because(course, why) if tier_of.get(course.course_id) == 0 else course for course in ordered]
    return _spread(ordered, constraints) if surface is RecommendationSurface.HOME else ordered


def _alike(window: Iterable[RankedCourse], around: int, constraints: Constraints) -> list[int]:
    """Return the courses of the window that share a topic with another course."""
    courses = constraints.rules.courses if constraints.rules is not None else {}
    topics = courses[around].topics if around in courses else frozenset()
    keys = (course.course_id for course in window)
    return [key for key in keys if key in courses and not topics.isdisjoint(courses[key].topics)]


def _added(
    tiers: Sequence[Sequence[int]], places: dict[int, int], constraints: Constraints, score: float
) -> list[RankedCourse]:
    """Return courses that a surface wants and the ranking did not bring."""
    wanted = dict.fromkeys(key for tier in tiers for key in tier if key not in places)
    return [RankedCourse(key, score, ()) for key in wanted if constraints.admits(key)]


def _spread(window: Sequence[RankedCourse], constraints: Constraints) -> list[RankedCourse]:
    """Return the window with main topics spread: the next is the best whose topic is not too frequent just before."""
    courses = constraints.rules.courses if constraints.rules is not None else {}
    facts = [courses.get(course.course_id) for course in window]
    topics = [None if each is None else each.main_topic for each in facts]
    return [window[place] for place in spread_places(topics)]


def spread_places(topics: Sequence[int | None]) -> list[int]:
    """Return the places of courses in the order that spreads their main topics; None is a course without one."""
    waiting: dict[int, deque[int]] = {}
    # Of what stands just before, also where nothing does; courses without a topic are never too frequent.
    order: list[int | None] = [None] * TOPIC_SPREAD
    counted: dict[int | None, int] = dict.fromkeys((None, *topics), 0)
    found: list[int] = []
    coming: Iterable[tuple[int, int | None]] = enumerate(topics)
    most = float(TOPIC_SHARE)
    while True:
        for each, its_topic in coming:
            if its_topic is not None and counted[its_topic] >= most:
                waiting.setdefault(its_topic, deque()).append(each)
                continue
            place, topic = each, its_topic
            while True:
                found.append(place)
                order.append(topic)
                counted[topic] += 1
                leaving = order[-TOPIC_SPREAD]
                counted[leaving] = left = counted[leaving] - 1
                # No other topic can have become rarer: what waits of this one comes before all that follow.
                if left != TOPIC_SHARE - 1 or leaving is None or not waiting.get(leaving):
                    break
                place, topic = waiting[leaving].popleft(), leaving
        if len(found) == len(topics):
            return found
        # All that wait are too frequent; so it is the first of them.
        place, topic = min((places[0], each) for each, places in waiting.items() if places)
        waiting[topic].popleft()
        coming, most = [(place, topic)], float("inf")


def _with_explored(window: Sequence[RankedCourse], explored: Explored) -> list[RankedCourse]:
    """Return the window with a new course in its place, unless it stands higher by itself or the place is beyond."""
    place, key = explored
    others = [course for course in window if course.course_id != key]
    own = next((number for number, course in enumerate(window, start=1) if course.course_id == key), len(window) + 1)
    if own <= place or len(others) < place:
        return list(window)
    course = RankedCourse(key, others[place - 1].score, (Reason(ReasonKind.NEW_COURSE),))
    return [*others[: place - 1], course, *others[place - 1 :]]


def _pins(window: Sequence[RankedCourse], constraints: Constraints) -> dict[int, tuple[int, RankedCourse]]:
    """Return the place of each pinned course that may be shown to the learner, in the order of the places."""
    rules = constraints.staff(RecommendationRuleKind.PIN)
    if not rules:
        return {}
    ranked = {course.course_id: course for course in window}
    score = window[-1].score if window else 0.0
    found: dict[int, tuple[int, RankedCourse]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.place, rule.id)):
        key = rule.course_id
        if key is not None and key not in found and constraints.admits(key):
            course = ranked.get(key, RankedCourse(key, score, ()))
            found[key] = (rule.place, _because(course, Reason(ReasonKind.STAFF_PICK)))
    return found


def _because(course: RankedCourse, reason: Reason) -> RankedCourse:
    return course._replace(reasons=(reason, *course.reasons))


def _descending(arranged: Sequence[RankedCourse], limit: int) -> tuple[RankedCourse, ...]:
    """Return the first courses, each score raised to the highest that follows it."""
    best = max((float("-inf"), *(course.score for course in reversed(arranged[limit:]))))
    found = []
    for course in reversed(arranged[:limit]):
        key, score, reasons = course
        best = max(best, score)
        found.append(course if score == best else RankedCourse(key, best, reasons))
    found.reverse()
    return tuple(found)
