"""From what a strategy ranked to what a learner is shown: staff's wishes, the surface, and what comes before what.

The first `WINDOW` places are arranged together, and all that follow keep their order. So a list is the beginning of
every longer list of the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
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

    def extend(self, courses: Iterable[RankedCourse]) -> bool:
        """Add courses, unless they are there, wait for their places, or need what cannot be shown.

        Returns:
            Whether all were looked at before there were enough.
        """
        arranged, shown, pins = self.arranged, self._shown, self._pins
        needs: Container[int] = self._constraints.rules.needs if self._constraints.rules is not None else ()
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
    counted: dict[int | None, int] = dict.fromkeys(topics, 0)
    # The topic whose first waiting course is next; none but the one that has just become rarer, or was just placed.
    ready: int | None = None
    found: list[int] = []
    coming = iter(enumerate(topics))
    while len(found) < len(topics):
        if ready is None:
            place, topic = _next(coming, waiting, counted)
        else:
            place, topic = waiting[ready].popleft(), ready
        found.append(place)
        ready = None
        counted[topic] += 1
        if len(found) >= TOPIC_SPREAD:
            leaving = topics[found[-TOPIC_SPREAD]]
            counted[leaving] -= 1
            if leaving is not None and counted[leaving] == TOPIC_SHARE - 1 and waiting.get(leaving):
                ready = leaving
    return found


def _next(
    coming: Iterator[tuple[int, int | None]], waiting: dict[int, deque[int]], counted: Mapping[int | None, int]
) -> tuple[int, int | None]:
    """Return the next place whose topic is not too frequent; what comes before it waits.

    Where all are too frequent it is the first that waits.
    """
    for place, topic in coming:
        if topic is None or counted[topic] < TOPIC_SHARE:
            return place, topic
        waiting.setdefault(topic, deque()).append(place)
    place, topic = min((places[0], each) for each, places in waiting.items() if places)
    waiting[topic].popleft()
    return place, topic


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
    ranked = {course.course_id: course for course in window}
    score = window[-1].score if window else 0.0
    found: dict[int, tuple[int, RankedCourse]] = {}
    for rule in sorted(constraints.staff(RecommendationRuleKind.PIN), key=lambda rule: (rule.place, rule.id)):
        key = rule.course_id
        if key is not None and key not in found and constraints.admits(key):
            course = ranked.get(key, RankedCourse(key, score, ()))
            found[key] = (rule.place, _because(course, Reason(ReasonKind.STAFF_PICK)))
    return found


def _because(course: RankedCourse, reason: Reason) -> RankedCourse:
    return course._replace(reasons=(reason, *course.reasons))


def _descending(arranged: Sequence[RankedCourse], limit: int) -> tuple[RankedCourse, ...]:
    """Return the first courses, each score raised to the highest that follows it."""
    scores = accumulate((course.score for course in reversed(arranged)), max, initial=float("-inf"))
    raised = list(scores)[:0:-1]
    return tuple(
        course if course.score == best else RankedCourse(course.course_id, best, course.reasons)
        for course, best in zip(arranged[:limit], raised, strict=False)
    )
