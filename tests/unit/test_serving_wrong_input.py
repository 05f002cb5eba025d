"""What is wrong with the input of a ranking is borne: strange values, tiny catalogs and endless histories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import UnavailableError
from features.histories import DAY, CourseTraits, History, Popularity
from features.interactions import Integers
from features.relations import RECENT, relate
from features.similarity import Similarities, membership
from serving.ranker import Question, RankingModel, align, rank
from serving.rankings import ReasonKind
from serving.reasons import Evidence, contributions
from tests.simulated_history import PARENTS
from tests.simulated_ranking import COURSES, IDS, NOW, Matrix, matrix, model, release

LARGE = float(np.finfo(np.float32).max)
STRANGE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "negative": -4.0, "large": LARGE, "beyond": 1e300}
FIRST, SECOND = int(IDS[9]), int(IDS[3])
POPULAR = "course_enrollments_30d"


def question(history: list[int], **changes: object) -> Question:
    """Return what a learner asks who took courses (ids, newest first), one an hour."""
    now = int(NOW.timestamp() * 1e6)
    plain = Question(
        now=now,
        history=history,
        moments=now - (np.arange(len(history)) + 1) * DAY // 24,
        hidden=(),
        learner={"learner_enrollment_count": float(len(history))},
        limit=COURSES,
        allowed=None,
        goals=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # Each test changes fields by name.


def ordered(laid: RankingModel, asked: Question) -> list[int]:
    """Return the courses of a list, whose scores are numbers that order it."""
    ranked = rank(laid, asked)
    scores = [each.score for each in ranked]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    return [each.course_id for each in ranked]


def strange_matrix(value: float, courses: slice) -> Matrix:
    """Return the matrix with one value in all features of some courses."""
    features = matrix().features.copy()
    with np.errstate(over="ignore"):
        features[courses] = value
    return matrix(features=features)


@pytest.mark.parametrize("name", STRANGE)
def test_strange_values_of_features_still_rank_every_course_once(name: str) -> None:
    """Of one course, of all courses and of the learner; what is no number is read as missing."""
    value = STRANGE[name]
    asked = question([FIRST, SECOND], learner={"learner_enrollment_count": value})
    for courses in (slice(0, 1), slice(None)):
        listed = ordered(align(release(), strange_matrix(value, courses), PARENTS), asked)
        assert sorted({*IDS.tolist()} - {FIRST, SECOND}) == sorted(listed)
    missing = question([FIRST, SECOND], learner={"learner_enrollment_count": np.nan})
    if not np.isfinite(np.float64(value)) or value > LARGE:
        assert ordered(model(), missing) == ordered(model(), asked)


@pytest.mark.parametrize("name", ["nan", "inf", "-inf", "negative", "beyond"])
def test_popularity_that_is_no_number_is_none(name: str) -> None:
    """A course with an infinite count leads nothing, is called popular nowhere, and leaves others' reasons alone."""
    laid, none = (align(release(), strange_matrix(value, slice(0, 1)), PARENTS) for value in (STRANGE[name], 0.0))
    assert 0 == laid.popularity[0, 0] == Popularity.of(np.array([STRANGE[name]])).counts[0]
    assert none.bars.overall == laid.bars.overall
    np.testing.assert_array_equal(none.bars.by_topic, laid.bars.by_topic)
    told = {each.course_id: each.reasons for each in rank(laid, question([FIRST, SECOND]))}
    kinds = {reason.kind for reason in told[int(IDS[0])]}
    assert not kinds & {ReasonKind.POPULAR, ReasonKind.POPULAR_IN_TOPIC}


def shrunk(count: int) -> RankingModel:
    """Return the release over the first courses of the matrix alone."""
    whole, kept = matrix(), slice(0, count)
    none = membership([[]] * count, np.arange(count))
    small = replace(
        whole,
        course_ids=IDS[kept],
        features=whole.features[kept],
        topics=whole.topics[kept],
        skills=whole.skills[kept],
        titles=whole.titles[kept],
        level_codes=whole.level_codes[kept],
        language_codes=whole.language_codes[kept],
        prerequisites=none,
        published=whole.published[kept],
    )
    return align(release(), small, PARENTS)


def test_catalog_without_courses_has_nothing_to_rank_by() -> None:
    """The next strategy answers; nothing divides by the number of courses."""
    with pytest.raises(UnavailableError, match="history"):
        rank(shrunk(0), question([FIRST]))


def test_catalog_of_one_course_is_ranked_or_exhausted() -> None:
    """Who has it is shown an empty list; who has another one, which is gone, is answered by the next strategy."""
    laid = shrunk(1)
    assert [] == ordered(laid, question([int(IDS[0])]))
    with pytest.raises(UnavailableError, match="history"):
        rank(laid, question([FIRST]))
    assert [int(IDS[1])] == ordered(shrunk(2), question([int(IDS[0])]))


def evidence(courses: Integers) -> Evidence:
    """Return what is known of a history of these positions, newest first."""
    now = int(NOW.timestamp() * 1e6)
    history = History(courses, now - np.arange(1, len(courses) + 1), now)
    laid = model()
    popularity, bars = laid.popularity[0], laid.bars
    return Evidence(history, laid.similarities, laid.traits, laid.topic_ids, popularity, bars, frozenset())


def test_endless_history_is_compared_by_its_latest_courses() -> None:
    """A robot's 10,000 courses cost what thirty do: relations and reasons look no further back."""
    endless = np.random.default_rng(1).integers(0, COURSES, 10_000)
    columns = np.arange(COURSES)
    told = contributions(evidence(endless), columns)
    assert (RECENT, COURSES) == told.shape
    np.testing.assert_array_equal(contributions(evidence(endless[:RECENT]), columns), told)
    similarities: Similarities = model().similarities
    traits: CourseTraits = model().traits
    near, few = (
        relate(evidence(courses).history, similarities, traits, model().popular)
        for courses in (endless, endless[:RECENT])
    )
    np.testing.assert_array_equal(few.values, near.values)
    np.testing.assert_array_equal(few.described, near.described)


def test_endless_history_is_ranked() -> None:
    """Also when it holds every course but one, a hundred times each, some of which the catalog does not know."""
    taken = [*IDS[1:].tolist(), 999_999] * 170
    assert 10_000 < len(taken)
    assert [int(IDS[0])] == ordered(model(), question(taken))
