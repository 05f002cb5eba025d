"""A release is asked the held-out decisions of another one, and only those that it cannot have learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest

from core.errors import InputError
from features.vector import VectorLayout
from serving.artifact import Release
from tests.simulated_history import CountedFeatures, simulated_history
from tests.simulated_ranking import release
from training.history import EPOCH
from training.judgment import Judgment, compare
from training.metrics import NOT_RANKED
from training.rejudgment import after, asked_from, rejudged
from training.release import FittedModel, TrainingOptions, fit_before, judge
from training.split import ENOUGH_HELD_OUT, Protocol, held_out_from, judged_from, split_moment

HISTORY = simulated_history()
FEATURES = CountedFeatures(HISTORY)
OPTIONS = TrainingOptions(threads=1, rounds=20)
T = split_moment(HISTORY)


def unseen(_name: str, _total: int) -> Callable[[int], None]:
    """Draw no progress."""
    return lambda _: None


@cache
def judgment() -> Judgment:
    """Return what a training on the whole log is judged on."""
    found = judge(HISTORY, FEATURES, Protocol.TIME_SPLIT, OPTIONS, lambda *_: None, thorough=False).judgment
    assert found is not None
    return found


@cache
def fitted(moment: int) -> FittedModel:
    """Return a model that has seen nothing of a moment and later."""
    return fit_before(HISTORY, FEATURES, moment, OPTIONS, lambda *_: None)


def released(moment: int) -> Release:
    """Return a release of it, which says until when its log went."""
    model, plain = fitted(moment), release()
    moments = HISTORY.interactions.moments
    end = at(int(moments[moments < moment].max()))
    manifest = plain.manifest.model_copy(update={"trained_until": end, "defaults": dict(model.defaults)})
    return replace(plain, manifest=manifest, ensemble=model.ensemble, similarities=model.similarities)


def at(moment: int) -> datetime:
    """Return the moment of so many microseconds."""
    return EPOCH + timedelta(microseconds=moment)


def test_release_of_before_the_moment_gets_the_ranks_that_evaluation_gave_the_same_model() -> None:
    """The same log, seed and moment make the same model, so that every rank is the same."""
    again = rejudged(HISTORY, FEATURES, released(T), judgment(), unseen)
    for name in ("learner_ids", "course_ids", "moments", "model", "popularity"):
        np.testing.assert_array_equal(getattr(judgment(), name), getattr(again, name))
    found = compare(judgment(), again)
    assert (len(again.model), 0, 0, 0.0) == (found.common, found.only_ours, found.only_theirs, found.difference)


def test_decisions_that_the_release_may_have_learned_from_do_not_count() -> None:
    """One whose log reaches past the moment is asked what is strictly later than its last enrollment."""
    later = int(np.quantile(judgment().moments, 0.25))
    seen = released(later)
    again = rejudged(HISTORY, FEATURES, seen, judgment(), unseen)
    assert 20 <= len(again.moments) < len(judgment().moments)
    assert at(int(again.moments.min())) > seen.manifest.trained_until
    assert judgment().as_of == again.as_of
    everything = int(judgment().moments.max()) + 1
    with pytest.raises(InputError, match=r"held-out decisions of the other 0 are later, where 20 are needed: train"):
        rejudged(HISTORY, FEATURES, released(everything), judgment(), unseen)


def test_decisions_that_the_log_does_not_tell_of_any_more_do_not_count() -> None:
    """A learner who was erased, and a course that may not be shown any more, are asked of nobody."""
    gone = int(judgment().learner_ids[0])
    kept = HISTORY.learner_ids[HISTORY.interactions.learners] != gone
    log = HISTORY.interactions
    forgotten = replace(HISTORY, interactions=log.select(kept), left=HISTORY.left[kept])
    hidden = int(judgment().course_ids[judgment().learner_ids != gone][0])
    published = HISTORY.traits.course_ids != hidden
    again = rejudged(replace(forgotten, published=published), FEATURES, released(T), judgment(), unseen)
    assert gone not in again.learner_ids
    assert hidden not in again.course_ids
    left = (judgment().learner_ids != gone) & (judgment().course_ids != hidden)
    np.testing.assert_array_equal(judgment().moments[left], again.moments)


def test_another_log_says_so() -> None:
    """Where hardly any of the decisions is told of, the log is not the one that the other release was trained on."""
    other = replace(HISTORY, learner_ids=HISTORY.learner_ids + 1_000)
    with pytest.raises(InputError, match=r"tells of 0 of the 37 held-out decisions any more .*: train both on this"):
        rejudged(other, FEATURES, released(T), judgment(), unseen)


def test_courses_of_the_release_may_be_others() -> None:
    """Its similarities are laid over the courses of the log; those that it never saw are read as what is like them."""
    ids, traits = HISTORY.traits.course_ids, HISTORY.traits
    others = np.append(np.arange(1, len(ids)), 0)
    laid = released(T).similarities.over(
        ids,
        replace(
            traits,
            course_ids=np.append(ids[1:], ids[-1] + 5),
            content=traits.content[others],
            titles=traits.titles[others],
        ),
    )
    assert len(ids) == laid.item_item.shape[0]
    assert 0 == laid.item_item[[-1]].nnz
    np.testing.assert_array_equal(
        released(T).similarities.item_item.toarray()[1:-1, 1:-1], laid.item_item.toarray()[:-2, :-2]
    )
    np.testing.assert_array_equal(released(T).similarities.towers.read[1:], laid.towers.read[:-1])
    assert laid.towers.offered[-1].any()


def test_what_cannot_be_asked_says_why() -> None:
    """Another protocol has no one moment; other columns are not what the ranker reads."""
    with pytest.raises(InputError, match="protocol leave-last-out"):
        rejudged(HISTORY, FEATURES, released(T), replace(judgment(), protocol=Protocol.LEAVE_LAST_OUT), unseen)
    other = CountedFeatures(HISTORY)
    other.layout = VectorLayout.of([], ["course_enrollments_total"])  # Another service.
    with pytest.raises(InputError, match="ranking_v1 has other columns now than release v1"):
        rejudged(HISTORY, other, released(T), judgment(), unseen)


def test_what_came_after_a_moment_is_what_a_time_split_at_it_judges_on() -> None:
    """Whom it asks about which course is the same; nobody has ranked anything, and hidden courses are left out."""
    found = asked_from(HISTORY, T)
    for name in ("learner_ids", "course_ids", "moments"):
        np.testing.assert_array_equal(getattr(judgment(), name), getattr(found, name))
    assert ({NOT_RANKED}, T) == ({*found.model.tolist(), *found.popularity.tolist()}, found.as_of)
    shown = HISTORY.traits.course_ids != found.course_ids[0]
    assert found.course_ids[0] not in asked_from(replace(HISTORY, published=shown), T).course_ids
    assert T == after(at(T - 1))


def test_what_the_live_release_has_not_learned_from_is_held_out_where_it_is_enough() -> None:
    """Not where the last tenth begins later, nor where less than 200 decisions are left."""
    log = simulated_history(learners=2_400)
    moments, tenth = log.interactions.moments, split_moment(log)
    assert held_out_from(log, tenth) is None
    assert tenth + 1 == held_out_from(log, tenth + 1)
    late = int(np.quantile(moments, 0.999))
    assert len(judged_from(log, late).decisions) < ENOUGH_HELD_OUT
    assert held_out_from(log, late) is None
    assert held_out_from(log, int(moments.max()) + 1) is None
