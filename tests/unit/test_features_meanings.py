"""What columns mean."""

from __future__ import annotations

from features.course import POPULARITY_FEATURES, PROFILE_FEATURES
from features.learner import LEARNER_FEATURES
from features.meanings import MEANINGS
from features.vector import VectorLayout


def test_each_column_has_a_meaning_and_nothing_else_has() -> None:
    """A column that is added is explained, and one that is renamed or removed is not explained any more."""
    layout = VectorLayout(
        learner=tuple(sorted(LEARNER_FEATURES)), course=tuple(sorted({*POPULARITY_FEATURES, *PROFILE_FEATURES}))
    )
    assert set(layout.names) == set(MEANINGS)
    assert all(text.endswith(".") for text in MEANINGS.values())


def test_the_column_of_a_moment_is_told_in_days() -> None:
    """The table has unix seconds; what the ranker reads is how long ago."""
    assert "First enrollment ever made, days ago." == MEANINGS["course_first_enrolled_days_ago"]
    assert not any("unix" in text for text in MEANINGS.values())
