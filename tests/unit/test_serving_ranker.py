"""Ranking one learner's candidates: eligible, ordered, and for reasons that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st

from core.errors import ReleaseError, UnavailableError
from features.pair import DAY
from serving import candidates
from serving.ensembles import Ensemble
from serving.ranker import Question, align, rank
from serving.rankings import RankedCourse, Reason, ReasonKind
from serving.reasons import POPULAR_PLACES
from tests.simulated_history import PARENTS, simulated_courses
from tests.simulated_ranking import COURSES, IDS, NOW, empty, matrix, model, release, trained
from training.dataset import Dataset
from training.fit import fit_ranker


def question(history: list[int], **changes: object) -> Question:
    """Return what a learner asks who took courses (ids, newest first), one a day."""
    now = int(NOW.timestamp() * 1e6)
    plain = Question(
        now=now,
        history=history,
        moments=np.array([now - (age + 1) * DAY for age in range(len(history))], np.int64),
        hidden=(),
        learner={"learner_enrollment_count": float(len(history))},
        limit=20,
        allowed=None,
        goals=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # As above.


def ids(ranked: tuple[RankedCourse, ...]) -> list[int]:
    """Return the courses of a list."""
    return [each.course_id for each in ranked]


def test_the_next_course_of_the_sequence_leads() -> None:
    """Learners mostly go on six courses later, and the model has learned that."""
    assert 160 in ids(rank(model(), question([100, 40])))[:3]


histories = st.lists(st.sampled_from(IDS.tolist()), min_size=1, max_size=COURSES, unique=True)


@given(history=histories, allowed=st.none() | st.frozensets(st.sampled_from([*IDS.tolist(), 9999])))
@settings(max_examples=40, deadline=None)
def test_only_eligible_courses_are_ranked_each_once_best_first(
    history: list[int], allowed: frozenset[int] | None
) -> None:
    """Whatever the history and the filter, nothing taken, hidden, unpublished or filtered out appears."""
    published = np.arange(COURSES) % 5 > 0
    laid = replace(model(), matrix=matrix(published=published))
    hidden = IDS[7:9].tolist()
    ranked = rank(laid, question(history, allowed=allowed, hidden=hidden, limit=COURSES))
    wanted = set(IDS[published].tolist()) - set(history) - set(hidden)
    assert wanted & (allowed if allowed is not None else wanted) == set(ids(ranked))
    assert len(ranked) == len(set(ids(ranked)))
    scores = [each.score for each in ranked]
    assert sorted(scores, reverse=True) == scores


@pytest.mark.parametrize("history", [[100, 40], [600], IDS[:30].tolist()])
def test_a_shorter_list_is_the_beginning_of_a_longer_one(history: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With far fewer candidates than courses, all courses follow, and no limit changes the order."""
    monkeypatch.setattr(candidates, "QUOTAS", dict.fromkeys(candidates.QUOTAS, 3))
    whole = rank(model(), question(history, limit=10 * COURSES))
    assert set(IDS.tolist()) - set(history) == set(ids(whole))
    assert len(set(ids(whole))) == len(whole)
    for limit in range(0, COURSES + 1, 7):
        assert whole[:limit] == rank(model(), question(history, limit=limit))
    scores = [each.score for each in whole]
    assert sorted(scores, reverse=True) == scores
    # Three candidates of each of five retrievers at most: what follows goes by popularity, then id.
    popularity = dict(zip(IDS.tolist(), model().popularity[0].tolist(), strict=True))
    rest = ids(whole)[15:]
    assert sorted(rest, key=lambda each: (-popularity[each], each)) == rest


@given(history=histories)
@settings(max_examples=30, deadline=None)
def test_reasons_are_true(history: list[int]) -> None:
    """A named course is in the history, a named topic is the course's, and what is called popular is."""
    laid = model()
    goals = [101, 2]
    popularity = dict(zip(IDS.tolist(), laid.popularity[0].tolist(), strict=True))
    topics = {
        course: {topic, PARENTS[topic]}
        for course, (topic,) in zip(IDS.tolist(), simulated_courses()["topic_ids"], strict=True)
    }
    for course in rank(laid, question(history, goals=goals, limit=COURSES)):
        for reason in course.reasons:
            if reason.kind is ReasonKind.BECAUSE_YOU_TOOK:
                assert reason.course_id in history
            elif reason.kind is ReasonKind.MATCHES_GOAL:
                assert reason.topic_id in topics[course.course_id] & set(goals)
            elif reason.kind is ReasonKind.POPULAR_IN_TOPIC:
                assert reason.topic_id in topics[course.course_id]
                assert any(reason.topic_id in topics[each] for each in history)
                better = [
                    c
                    for c in IDS.tolist()
                    if reason.topic_id in topics[c] and popularity[c] > popularity[course.course_id]
                ]
                assert len(better) < 10
            else:
                assert popularity[course.course_id] >= 1


def test_because_you_took_names_the_strongest_course_of_the_history() -> None:
    """The course that contributed most to cosine and transitions is the one that is named."""
    laid = model()
    cosine, rates = laid.similarities.item_item.toarray(), laid.similarities.transitions.toarray()
    history = [100, 370, 40]
    places = [int(np.searchsorted(IDS, each)) for each in history]
    for course in rank(laid, question(history)):
        column = int(np.searchsorted(IDS, course.course_id))
        shares = [
            0.85**age * cosine[place, column] + 0.6**age * rates[place, column] for age, place in enumerate(places)
        ]
        named = [reason.course_id for reason in course.reasons if reason.kind is ReasonKind.BECAUSE_YOU_TOOK]
        if max(shares) > 0:
            assert [history[int(np.argmax(shares))]] == named


def test_courses_with_missing_prerequisites_come_last() -> None:
    """A course that builds upon one not taken stands after all others; once that is taken it does not."""
    place = int(np.searchsorted(IDS, 160))
    needs = sp.csr_array(
        (np.ones(1, np.float32), ([place], [int(np.searchsorted(IDS, 220))])), shape=(COURSES, COURSES)
    )
    laid = replace(model(), matrix=matrix(prerequisites=needs))
    assert 160 == ids(rank(laid, question([100, 40], limit=COURSES)))[-1]
    assert 160 in ids(rank(laid, question([100, 40, 220], limit=COURSES)))[:5]


def test_a_course_the_release_has_never_seen_can_be_ranked() -> None:
    """New courses have no similarities, only what they are about; they are in the list all the same."""
    old = replace(
        release(),
        course_ids=IDS[:-1],
        similarities=trained().similarities.reordered(
            np.where(np.arange(COURSES) < COURSES - 1, np.arange(COURSES), -1), COURSES - 1
        ),
    )
    laid = align(old, matrix(), PARENTS)
    assert 600 in ids(rank(laid, question([60, 120], limit=COURSES)))


def test_a_release_beside_another_ranks_by_its_own() -> None:
    """What is known of the courses alone is taken over; trees, similarities and columns are not."""
    other = replace(
        release(),
        ensemble=Ensemble(fit_ranker(lessons(), release().layout, rounds=5, seed=3, threads=1)),
        similarities=trained().similarities.reordered(np.full(COURSES, -1), COURSES),
    )
    beside, alone = align(other, model().matrix, PARENTS, model()), align(other, matrix(), PARENTS)
    assert beside.traits is model().traits
    for history in ([100, 40], [600], IDS[:30].tolist()):
        assert rank(alone, question(history)) == rank(beside, question(history))
        assert rank(model(), question(history)) != rank(beside, question(history))


def lessons() -> Dataset:
    """Return what teaches a ranker something else: the last column decides."""
    vectors = np.random.default_rng(2).random((900, len(release().layout.names)), np.float32)
    groups = np.repeat(np.arange(30), 30)
    taken = np.zeros(900, np.bool_)
    taken[np.arange(30) * 30 + vectors[:, -1].reshape(30, 30).argmax(axis=1)] = True
    return Dataset(vectors, taken, groups, decisions=30, retrieved=1.0)


def test_missing_features_still_give_a_list() -> None:
    """NaN everywhere, for the courses and the learner, ranks by what is left."""
    laid = align(release(), matrix(features=np.full((COURSES, 3), np.nan, np.float32)), PARENTS)
    ranked = rank(laid, question([100], learner={"learner_enrollment_count": np.nan}))
    assert 20 == len(ranked)
    assert all(np.isfinite(each.score) for each in ranked)


def test_a_course_nobody_took_has_no_reason_to_be_called_popular() -> None:
    """Where nothing contributed and nobody enrolled lately, there is no reason."""
    laid = replace(
        model(),
        popularity=np.zeros((1, COURSES), np.float32),
        similarities=trained().similarities.reordered(np.full(COURSES, -1), COURSES),
    )
    kinds = {reason.kind for each in rank(laid, question([100], limit=COURSES)) for reason in each.reasons}
    assert kinds <= {ReasonKind.BECAUSE_YOU_TOOK}
    assert POPULAR_PLACES > COURSES


def test_popularity_is_a_reason_only_where_there_is_no_other() -> None:
    """A course without relation to the history is there because it is popular."""
    laid = align(
        replace(release(), similarities=trained().similarities.reordered(np.full(COURSES, -1), COURSES)),
        matrix(topics=empty(6), skills=empty(30)),
        {},
    )
    reasons = [each.reasons for each in rank(laid, question([100], limit=5)) if each.reasons]
    assert {(Reason(ReasonKind.POPULAR),)} == set(reasons)


def test_a_clock_that_runs_behind_does_not_matter() -> None:
    """A course taken after `now`, as of another machine's clock, counts as just taken."""
    late = question([100], moments=np.array([int(NOW.timestamp() * 1e6) + DAY]))
    assert 20 == len(rank(model(), late))


def test_a_history_without_known_courses_is_not_ranked() -> None:
    """Where nothing of the history has features, the next strategy answers."""
    with pytest.raises(UnavailableError, match="history"):
        rank(model(), question([999_999]))


def test_a_matrix_without_a_feature_is_refused() -> None:
    """A release that reads a column the matrix lacks does not rank."""
    with pytest.raises(ReleaseError, match="course_enrollments_total"):
        align(release(), matrix(names=("course_first_enrolled_at", "renamed", "course_enrollments_30d")), PARENTS)


def test_a_learner_without_a_feature_is_refused() -> None:
    """A learner feature that is not served is an error, and a missing value is not."""
    with pytest.raises(ReleaseError, match="learner_enrollment_count"):
        rank(model(), question([100], learner={}))
