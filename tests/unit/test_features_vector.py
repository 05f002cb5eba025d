"""The vector: one layout for training and serving, and moments only as time that has passed."""

from __future__ import annotations

import numpy as np

from features.pair import DAY, PAIR_FEATURES
from features.vector import DERIVED_FEATURES, VectorLayout

NOW = np.array([20_000 * DAY])
PAIR = np.zeros((2, len(PAIR_FEATURES)), np.float32)


def assemble(layout: VectorLayout, course: list[list[float]], learner: list[float]) -> dict[str, list[float]]:
    """Return two rows by feature."""
    vectors = layout.assemble(NOW, np.array([learner]), np.array(course), PAIR)
    return dict(zip(layout.names, vectors.T.tolist(), strict=True))


def test_the_order_in_which_a_store_names_features_does_not_matter() -> None:
    """Layouts of the same names are equal, whatever the order."""
    assert VectorLayout.of(["b", "a"], ["d", "c"]) == VectorLayout.of(["a", "b"], ["c", "d"])


def test_the_digest_changes_with_the_names_and_with_whose_they_are() -> None:
    """Another feature, or a feature that moves from learner to course, is another layout."""
    digests = {VectorLayout.of(*names).digest for names in ((["a"], ["b"]), (["a", "b"], []), (["a"], ["c"]))}
    assert 3 == len(digests)


def test_a_moment_becomes_days_before_the_decision() -> None:
    """A feature that ends in `_at` is read as the days that passed; the future is unknown."""
    layout = VectorLayout.of(["learner_last_enrolled_at"], ["course_first_enrolled_at"])
    now = 20_000 * 86_400.0
    values = assemble(layout, [[now - 10 * 86_400], [now + 86_400]], [now - 3 * 86_400])
    assert [3.0, 3.0] == values["learner_last_enrolled_days_ago"]
    assert 10.0 == values["course_first_enrolled_days_ago"][0]
    assert np.isnan(values["course_first_enrolled_days_ago"][1])


def test_derived_features_are_of_the_decision() -> None:
    """The rate is enrollments a day since the first, and trends compare windows."""
    names = [f"course_enrollments_{window}" for window in ("total", "7d", "30d", "90d")]
    layout = VectorLayout.of([], [*names, "course_first_enrolled_at"])
    row = {
        "course_enrollments_total": 50.0,
        "course_enrollments_7d": 3.0,
        "course_enrollments_30d": 4.0,
        "course_enrollments_90d": 7.0,
        "course_first_enrolled_at": (20_000 - 25) * 86_400.0,
    }
    values = assemble(layout, [[row[name] for name in layout.course]] * 2, [])
    assert [2.0, 0.5, 0.5] == [values[name][0] for name in DERIVED_FEATURES]


def test_derived_features_are_missing_where_the_service_has_none() -> None:
    """A feature service without popularity still makes a vector."""
    values = assemble(VectorLayout.of([], ["course_level_code"]), [[1.0], [2.0]], [])
    assert np.isnan([values[name] for name in DERIVED_FEATURES]).all()


def test_infinite_values_are_missing_values() -> None:
    """What no training set holds is not shown to the ranker."""
    values = assemble(VectorLayout.of(["a"], ["b"]), [[np.inf], [-np.inf]], [np.nan])
    assert np.isnan([*values["a"], *values["b"]]).all()
