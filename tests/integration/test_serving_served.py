"""What serving reads follows the releases in use."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from uuid import uuid4

import pytest

from core.clock import ManualClock
from core.errors import UnavailableError
from feature_repo.services import RANKING, definitions
from feature_repo.store import open_store
from features.columns import FeatureKind, StoredFeature
from features.course import POPULARITY_FEATURES, PROFILE_FEATURES
from features.learner import LEARNER_FEATURES
from serving.artifact import ReleaseManifest
from serving.served import ServedFeatures
from tests.simulated_ranking import release

TOTAL = StoredFeature("course", "course_popularity", "course_enrollments_total")
LEVEL = StoredFeature("course", "course_profile", "course_level_code")


@pytest.fixture
def registry(tmp_path: Path, valkey_url: str) -> object:
    """A store whose registry holds what is declared."""
    store = open_store(tmp_path, valkey_url, f"test_{uuid4().hex}")
    store.apply(definitions(tmp_path))
    return store


def manifest(version: str, *features: StoredFeature) -> ReleaseManifest:
    """Return the manifest of a release that reads some features."""
    return release().manifest.model_copy(update={"version": version, "stored_features": features})


def test_what_is_read_follows_the_releases(registry: object, clock: ManualClock) -> None:
    """The service without a release, the declaration of an old one, what a new one recorded, and both for one turn."""
    releases: list[ReleaseManifest] = []
    served = ServedFeatures(registry, RANKING, lambda: tuple(releases), clock)
    everything = tuple(sorted([*POPULARITY_FEATURES, *PROFILE_FEATURES]))
    assert everything == served.reading.of("course")[0]
    releases.append(manifest("old"))
    before = served.is_outdated
    assert (everything, tuple(sorted(LEARNER_FEATURES))) == (
        served.refresh().of("course")[0],
        served.reading.of("learner")[0],
    )
    assert (True, False) == (before, served.is_outdated)
    releases[:] = [manifest("one", TOTAL)]
    served.refresh()
    served.refresh()
    assert (("course_enrollments_total",), (TOTAL,)) == served.reading.of("course")[:2]
    releases[:] = [manifest("two", LEVEL)]
    assert (LEVEL, TOTAL) == served.refresh().of("course")[1]
    assert (LEVEL,) == served.refresh().of("course")[1]
    assert {} == served.lost


def test_a_field_that_changed_its_kind_is_lost(registry: object, clock: ManualClock) -> None:
    """A column keeps its name and is not read; the other features of the view are."""
    changed = dataclasses.replace(TOTAL, kind=FeatureKind.CATEGORY, categories=("many",))
    week = StoredFeature("course", "course_popularity", "course_enrollments_7d")
    served = ServedFeatures(registry, RANKING, lambda: (manifest("one", changed, week),), clock)
    assert (("course_enrollments_7d", "course_enrollments_total"), (week,)) == served.reading.of("course")[:2]
    assert "course_enrollments_total" in served.lost["course_popularity"]


def test_a_release_of_an_undeclared_service_is_unavailable(registry: object, clock: ManualClock) -> None:
    """An old release whose service is gone cannot be served; who asks falls back."""
    gone = manifest("old").model_copy(update={"feature_service": "ranking_v0"})
    with pytest.raises(UnavailableError, match="ranking_v0"):
        ServedFeatures(registry, RANKING, lambda: (gone,), clock).refresh()


def test_candidate_of_an_undeclared_service_leaves_the_live_release_its_features(
    registry: object, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of, and what the live release reads is read; features of both are read beside each other."""
    gone = manifest("two").model_copy(update={"feature_service": "ranking_v0"})
    served = ServedFeatures(registry, RANKING, lambda: (manifest("one", TOTAL), gone), clock)
    assert (TOTAL,) == served.refresh().of("course")[1]
    assert "What release two reads is not declared" in caplog.text
    both = ServedFeatures(registry, RANKING, lambda: (manifest("one", TOTAL), manifest("two", LEVEL, TOTAL)), clock)
    assert {LEVEL, TOTAL} == set(both.refresh().of("course")[1])
