"""Variety in lists: what the definition says, and nothing where it is off."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from core.settings import RankingSettings
from database.tables.recommendations import RecommendationSurface
from serving.arrangement import WINDOW, arrange, least_ranked
from serving.constraints import Constraints
from serving.diversity import PLACES, REACH, diverse_places, likeness_of
from serving.learners import Learner
from serving.rankings import RankedCourse, RecommendationRequest
from serving.rulebook import CourseFacts, Rules

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Topics = st.lists(st.frozensets(st.integers(0, 5), max_size=3), max_size=30)
Weights = st.sampled_from([0.05, 0.25, 0.5, 0.75, 1.0])


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Return topics in common over topics of either."""
    return len(one & other) / len(one | other) if one | other else 0.0


def by_looking(topics: list[frozenset[int]], weight: float, count: int) -> list[int]:
    """Return what the definition says, looking through all that wait each time."""
    waiting, found = list(range(len(topics))), list[int]()

    def worth(place: int) -> float:
        nearest = max((np.float32(jaccard(topics[place], topics[above])) for above in found), default=0.0)
        return (1 - weight) * (1 - place / REACH) - weight * float(nearest)

    while waiting and len(found) < count:
        best = max(waiting, key=lambda place: (worth(place), -place))
        found.append(best)
        waiting.remove(best)
    return found + waiting


@given(Topics, Weights, st.sampled_from([5, PLACES]))
def test_next_is_the_best_by_relevance_and_likeness(topics: list[frozenset[int]], weight: float, count: int) -> None:
    """Whatever the topics and the weight; each place is in the order once."""
    found = diverse_places(likeness_of(topics), weight, count)
    assert by_looking(topics, weight, count) == found


@given(Topics)
def test_likeness_is_the_share_of_topics_in_common(topics: list[frozenset[int]]) -> None:
    """A course without topics is like none, itself included."""
    expected = [[jaccard(one, other) for other in topics] for one in topics]
    np.testing.assert_allclose(likeness_of(topics), np.array(expected).reshape(len(topics), len(topics)), rtol=1e-6)


def test_a_course_falls_behind_as_far_as_it_says() -> None:
    """One that is about the same as the first is passed by others within REACH * weight / (1 - weight) places."""
    topics = [frozenset({1})] * 120 + [frozenset({2})]
    assert 1 == diverse_places(likeness_of(topics), 0.35)[1]
    assert 120 == diverse_places(likeness_of(topics), 0.4)[1]
    assert 120 < REACH * 0.4 / 0.6 < 134


COURSES = {key: CourseFacts("en", frozenset({key // 60, 90}), None) for key in range(1, 301)}
RULES = Rules(COURSES, {}, {}, ())
RANKED = [RankedCourse(key, 1000.0 - key, ()) for key in range(1, 301)]


def listed(limit: int, diversity: float, rules: Rules | None = RULES) -> list[int]:
    """Return the courses of a list, whose scores order it."""
    constraints = Constraints(rules, Learner(()), RecommendationRequest(None, NOW, limit))
    arranged = arrange(RANKED, constraints, (), limit, diversity=diversity)
    assert sorted((course.score for course in arranged), reverse=True) == [course.score for course in arranged]
    return [course.course_id for course in arranged]


@given(limit=st.integers(0, 300), diversity=st.sampled_from([0.1, 0.5, 1.0]))
def test_varied_list_is_the_beginning_of_a_longer_one(limit: int, diversity: float) -> None:
    """Every course is in it once; what follows the window keeps its order."""
    whole = listed(300, diversity)
    assert whole[:limit] == listed(limit, diversity)
    assert list(range(1, 301)) == sorted(whole)
    assert list(range(WINDOW + 1, 301)) == whole[WINDOW:]


def test_off_is_the_ranking_as_it_is() -> None:
    """And so it is while nothing is known of the courses' topics; on, four topics stand among the first four."""
    assert list(range(1, 301)) == listed(300, 0.0) == listed(300, 0.9, None)
    assert {0, 1, 2, 3} == {key // 60 for key in listed(4, 0.7)}
    request = RecommendationRequest(None, NOW, 10)
    constraints = Constraints(RULES, Learner(()), request)
    assert (0, WINDOW) == (least_ranked(constraints), least_ranked(constraints, 0.1))


def test_what_leads_on_a_surface_still_leads() -> None:
    """Beside a course come its neighbors, then its topic; variety only orders each group."""
    rules = Rules({key: CourseFacts("en", frozenset({key // 60}), None) for key in COURSES}, {}, {}, ())
    request = RecommendationRequest(None, NOW, 60, surface=RecommendationSurface.COURSE_PAGE, around=1)
    arranged = arrange(RANKED, Constraints(rules, Learner(()), request), (250, 130), 60, diversity=0.5)
    shown = [course.course_id for course in arranged]
    assert {130, 250} == set(shown[:2])
    assert set(range(2, 60)) == set(shown[2:])


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_setting_is_a_share(value: float) -> None:
    """Anything else is refused at the start; it is off when nobody says anything."""
    with pytest.raises(ValidationError):
        RankingSettings(diversity=value)
    assert 0.0 == RankingSettings().diversity
