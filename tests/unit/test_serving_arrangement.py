"""Arranging: the same as by the definitions, which look at one course after the other."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import example, given, settings, strategies as st

from core.clock import system_clock
from serving.arrangement import TOPIC_SHARE, TOPIC_SPREAD, WINDOW, arrange, spread_places
from serving.constraints import Constraints
from serving.learners import STRANGER
from serving.rankings import RankedCourse, RecommendationRequest
from serving.rulebook import CourseFacts, Rules

RANKINGS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0])), max_size=60)
COURSES = st.frozensets(st.integers(1, 40))


def by_looking(topics: list[int | None]) -> list[int]:
    """Return what the definition says: the best whose topic is not too frequent just before, or the best of all."""
    waiting, found = list(range(len(topics))), list[int]()
    while waiting:
        before = [topics[place] for place in found[-(TOPIC_SPREAD - 1) :]]
        allowed = [p for p in waiting if topics[p] is None or before.count(topics[p]) < TOPIC_SHARE]
        found.append((allowed or waiting)[0])
        waiting.remove(found[-1])
    return found


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 4), max_size=60))
@example([0] * 30)
def test_the_next_is_the_best_whose_topic_is_not_too_frequent(topics: list[int | None]) -> None:
    """Whatever the topics, the order is the one that looking through all of them gives."""
    assert by_looking(topics) == spread_places(topics)


@settings(deadline=None)
@given(RANKINGS, COURSES, COURSES, st.integers(0, 30))
@example([(1, 0.5), (2, 2.0), (1, 0.0), (3, 1.0)], frozenset(), frozenset(range(41)), 2)
def test_what_may_be_shown_stands_once_in_its_order(
    ranking: list[tuple[int, float]], hidden: frozenset[int], published: frozenset[int], limit: int
) -> None:
    """Of a ranking without wishes the list is what may be shown, each course once, with scores that do not rise."""
    ranked = [RankedCourse(key, score, ()) for key, score in ranking]
    rules = Rules({key: CourseFacts("en", frozenset(), None) for key in published}, {}, {}, ())
    constraints = Constraints(rules, STRANGER, RecommendationRequest(None, system_clock(), limit, hidden=hidden))
    first: dict[int, RankedCourse] = {}
    for course in ranked:
        if constraints.admits(course.course_id):
            first.setdefault(course.course_id, course)
    expected = list(first.values())
    highest = list(accumulate((course.score for course in reversed(expected)), max))[::-1]
    found = arrange(ranked, constraints, (), limit)
    assert [course.course_id for course in expected[:limit]] == [course.course_id for course in found]
    assert highest[:limit] == [course.score for course in found]
    assert arrange(ranked, constraints, (), WINDOW)[:limit] == found


@settings(deadline=None)
@given(RANKINGS.filter(bool), st.dictionaries(st.integers(1, 40), st.tuples(st.integers(1, 40)), max_size=6))
def test_nothing_comes_before_what_it_builds_upon(
    ranking: list[tuple[int, float]], needs: dict[int, tuple[int, ...]]
) -> None:
    """Each course of a list stands after the published ones that it needs."""
    published = {key: CourseFacts("en", frozenset(), None) for key in range(1, 41)}
    rules = Rules(published, needs, {}, ())
    constraints = Constraints(rules, STRANGER, RecommendationRequest(None, system_clock(), WINDOW))
    found = [each.course_id for each in arrange([RankedCourse(*each, ()) for each in ranking], constraints, (), WINDOW)]
    assert len(set(found)) == len(found)
    for place, key in enumerate(found):
        assert set(needs.get(key, ())) <= set(found[:place])
    assert {key for key, _ in ranking if key not in needs} <= set(found)
