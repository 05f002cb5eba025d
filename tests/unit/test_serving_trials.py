"""Who is in a canary, and which releases can be served side by side."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import pairwise

import pytest

from core.clock import ManualClock
from core.errors import ReleaseError
from database.tables.models import TrialKind
from features.columns import FeatureKind, StoredFeature
from serving.artifact import ReleaseManifest, refuse_other_encodings
from serving.breaker import Breaker
from serving.ranker import align
from serving.rollout import is_in_share
from serving.trials import Trial, is_in_canary
from tests.conftest import NOW
from tests.simulated_history import PARENTS
from tests.simulated_ranking import matrix, model, release

LEARNERS = range(20_000)
FORMAT = StoredFeature("course", "signals", "course_format", FeatureKind.CATEGORY, categories=("VIDEO", "TEXT"))
EMBEDDING = StoredFeature("course", "signals", "course_embedding", FeatureKind.EMBEDDING, width=3)


def canary(percent: float, version: str = "v2") -> set[int]:
    """Return who is in the canary of a release."""
    return {learner for learner in LEARNERS if is_in_canary(version, learner, percent)}


def test_canary_is_a_stable_share_that_grows() -> None:
    """About as many as the percentage says; whoever is in it stays in it while it is raised to everybody."""
    shares = [canary(percent) for percent in (0.01, 1, 5, 50, 100)]
    assert [0.01, 1, 5, 50, 100] == [pytest.approx(100 * len(each) / len(LEARNERS), abs=1.0) for each in shares]
    assert all(small < large for small, large in pairwise(shares))
    assert set(LEARNERS) == shares[-1]


def test_canaries_of_two_releases_meet_other_learners() -> None:
    """The shares are independent of one another, and of the share that sees the model at all."""
    first, second = canary(20, "v2"), canary(20, "v3")
    seeing = {learner for learner in LEARNERS if is_in_share("recommendations", learner, 20)}
    for one, other in ((first, second), (first, seeing), (second, seeing)):
        assert 0.04 == pytest.approx(len(one & other) / len(LEARNERS), abs=0.01)


def test_nobody_is_shown_a_release_in_shadow() -> None:
    """Whatever the percentage was; and people are told of a trial in a word."""
    trials = [Trial(TrialKind.SHADOW, "v2", 100.0), Trial(TrialKind.CANARY, "v2", 100.0)]
    assert [False, True] == [trial.takes(7) for trial in trials]
    assert ["shadow", "canary 100%", "canary 0.5%"] == [
        str(each) for each in (*trials, Trial(TrialKind.CANARY, "v", 0.5))
    ]


def manifest(version: str, *features: StoredFeature) -> ReleaseManifest:
    """Return the manifest of a release that reads some features."""
    return release().manifest.model_copy(update={"version": version, "stored_features": features})


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(FORMAT, categories=("TEXT", "VIDEO")),
        dataclasses.replace(FORMAT, view="elsewhere"),
        StoredFeature("course", "signals", "course_embedding_1"),
    ],
)
def test_release_that_reads_a_column_in_another_way_is_refused_beside_the_live_one(other: StoredFeature) -> None:
    """Both would be given the column of one of them."""
    live = manifest("v1", FORMAT, EMBEDDING)
    with pytest.raises(ReleaseError, match=f"v2 reads {other.name} in another way"):
        refuse_other_encodings(live, manifest("v2", other))


def test_releases_that_read_the_same_or_other_columns_are_served_side_by_side() -> None:
    """And so is one that did not record what it reads, which reads what is declared."""
    live = manifest("v1", FORMAT)
    for features in ((FORMAT, EMBEDDING), (EMBEDDING,), ()):
        refuse_other_encodings(live, manifest("v2", *features))


def test_what_is_known_of_courses_is_shared_by_both_releases() -> None:
    """Over the same matrix; over another one it is computed anew."""
    live = model()
    beside = align(release(), live.matrix, PARENTS, live)
    assert beside.traits is live.traits
    assert beside.matrix is live.matrix
    assert align(release(), matrix(), PARENTS, live).traits is not live.traits


def test_asking_whether_a_breaker_is_open_takes_nobody_the_try(clock: ManualClock) -> None:
    """The first caller after the pause may still try."""
    breaker = Breaker(failures=1, open_for=timedelta(seconds=5))
    assert not breaker.is_open(NOW)
    breaker.failed(NOW)
    assert breaker.is_open(NOW)
    clock.now = NOW + timedelta(seconds=5)
    assert [False, False] == [breaker.is_open(clock()) for _ in range(2)]
    assert [True, False] == [breaker.allows(clock()) for _ in range(2)]
