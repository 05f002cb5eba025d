"""From what a strategy ranked to what a learner is shown: staff's wishes, the surface, and what comes before what.

The first `WINDOW` places are arranged together, and all that follow keep their order. So a list is the beginning of
every longer list of the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from math import prod

from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface
from serving.constraints import Constraints, Obstacle
from serving.rankings import RankedCourse, Reason, ReasonKind

WINDOW = 200
"""How many of the best courses change places with each other."""
TOPIC_SPREAD, TOPIC_SHARE = 10, 3
"""On the home surface, at most so many of so many places in a row are on one main topic, while there are others."""


def arrange(
    ranked: Sequence[RankedCourse], constraints: Constraints, neighbors: Sequence[int] = ()
) -> tuple[RankedCourse, ...]:
    """Return the list to show, best first.

    Scores are raised where a course was moved up, so that they still order the list.

    Args:
        ranked: as a strategy ranked them, at least `WINDOW` if there are so many.
        constraints: of the list.
        neighbors: courses that learners take together with the one that the list is around.
    """
    window = [course for course in ranked[:WINDOW] if constraints.obstacle(course.course_id) is None]
    window = _pinned(_on_surface(window, constraints, neighbors), constraints)
    arranged: list[RankedCourse] = []
    shown: set[int] = set()
    for course in chain(window, ranked[WINDOW:]):
        key = course.course_id
        if key in shown or constraints.obstacle(key) is not None:
            continue
        steps = constraints.steps(key, shown)
        if isinstance(steps, Obstacle):
            continue
        why = (Reason(ReasonKind.PREPARES_FOR, course_id=key),)
        arranged += [RankedCourse(step, course.score, why) for step in steps]
        arranged.append(course)
        shown.update(steps, (key,))
    return _descending(arranged)


def least_ranked(constraints: Constraints) -> int:
    """Return how many courses must be ranked, so that a short list is the beginning of a long one."""
    moved = constraints.request.surface is not None or any(
        constraints.staff(kind) for kind in (RecommendationRuleKind.BOOST, RecommendationRuleKind.PIN)
    )
    return WINDOW if moved else 0


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
    tier_of = {key: tier for tier, keys in reversed(list(enumerate(tiers))) for key in keys}
    places = {course.course_id: place for place, course in enumerate(window, start=1)}
    added = _added(tiers[:1], places, constraints, window[-1].score if window else 0.0)
    places |= {course.course_id: len(window) + place for place, course in enumerate(added, start=1)}

    def key(course: RankedCourse) -> tuple[int, float]:
        facts = None if constraints.rules is None else constraints.rules.courses.get(course.course_id)
        weight = prod(rule.weight for rule in boosts if rule.is_about(course.course_id, facts))
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
    return [RankedCourse(key, score, ()) for key in wanted if constraints.obstacle(key) is None]


def _spread(window: Sequence[RankedCourse], constraints: Constraints) -> list[RankedCourse]:
    """Return the window with main topics spread: the next is the best whose topic is not too frequent just before."""
    courses = constraints.rules.courses if constraints.rules is not None else {}
    topics = {
        course.course_id: courses[course.course_id].main_topic for course in window if course.course_id in courses
    }
    waiting = list(window)
    recent: deque[int | None] = deque(maxlen=TOPIC_SPREAD - 1)
    spread: list[RankedCourse] = []
    while waiting:
        frequent = {topic for topic in recent if topic is not None and recent.count(topic) >= TOPIC_SHARE}
        place = next((n for n, one in enumerate(waiting) if topics.get(one.course_id) not in frequent), 0)
        chosen = waiting.pop(place)
        recent.append(topics.get(chosen.course_id))
        spread.append(chosen)
    return spread


def _pinned(window: list[RankedCourse], constraints: Constraints) -> list[RankedCourse]:
    """Return the window with the pinned courses in their places, as far as they may be shown to the learner."""
    pins = sorted(constraints.staff(RecommendationRuleKind.PIN), key=lambda rule: (rule.place, rule.id))
    if not pins:
        return window
    ranked = {course.course_id: course for course in window}
    places: dict[int, int] = {}
    for rule in pins:
        if rule.course_id is not None and constraints.obstacle(rule.course_id) is None:
            places.setdefault(rule.course_id, rule.place)
    others = [course for course in window if course.course_id not in places]
    score = window[-1].score if window else 0.0
    for key, place in places.items():
        course = ranked.get(key, RankedCourse(key, score, ()))
        others.insert(place - 1, _because(course, Reason(ReasonKind.STAFF_PICK)))
    return others


def _because(course: RankedCourse, reason: Reason) -> RankedCourse:
    return replace(course, reasons=(reason, *course.reasons))


def _descending(arranged: Sequence[RankedCourse]) -> tuple[RankedCourse, ...]:
    """Raise each score to the highest that follows it."""
    best = float("-inf")
    raised: list[RankedCourse] = []
    for course in reversed(arranged):
        best = max(best, course.score)
        raised.append(course if course.score == best else replace(course, score=best))
    return tuple(reversed(raised))
