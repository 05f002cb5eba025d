"""Stored values as columns: numbers, embeddings and categories, the same for training and serving."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from features.columns import FeatureKind, StoredFeature, columns_of, encoded, stored_feature
from features.pair import PAIR_FEATURES
from features.vector import VectorLayout

RATING = StoredFeature("course", "signals", "rating")
FORMAT = StoredFeature("course", "signals", "format", FeatureKind.CATEGORY, categories=("VIDEO", "TEXT"))
EMBEDDING = StoredFeature("course", "signals", "embedding", FeatureKind.EMBEDDING, 2)


def test_each_kind_has_its_columns() -> None:
    """A number is a column, a category its code, a list its numbers; what does not fit is missing."""
    columns = columns_of([RATING, FORMAT, EMBEDDING])
    assert ("embedding_0", "embedding_1", "format", "rating") == columns
    values: dict[str, list[Any]] = {
        "rating": [1, None, 3.5, True],
        "format": ["TEXT", "VIDEO", "SMELL", None],
        "embedding": [[1.0, 2.0], [1.0], None, np.array([3.0, 4.0])],
    }
    nan = np.nan
    expected = [[1, 2, 1, 1], [nan, nan, 0, nan], [nan, nan, nan, 3.5], [3, 4, nan, 1]]
    np.testing.assert_array_equal(expected, encoded([RATING, FORMAT, EMBEDDING], columns, values, 4))


def test_a_feature_without_values_is_missing() -> None:
    """Columns of what was not read are NaN, and the others are as they are."""
    found = encoded([RATING, FORMAT], ["format", "rating"], {"rating": [2.0]}, 1)
    np.testing.assert_array_equal([[np.nan, 2.0]], found)


def test_a_text_where_a_number_is_declared_is_refused() -> None:
    """A value of another kind is no missing value."""
    with pytest.raises(ValueError, match="abc"):
        RATING.encode(["abc"])


def test_fields_are_read_from_types_and_tags() -> None:
    """What is declared in Feast is what is read."""
    assert RATING == stored_feature("course", "signals", "rating", "Float32", {})
    assert EMBEDDING == stored_feature("course", "signals", "embedding", "Array(Float32)", {"width": "2"})
    tags = {"categories": json.dumps(["VIDEO", "TEXT"])}
    assert FORMAT == stored_feature("course", "signals", "format", "String", tags)


@pytest.mark.parametrize(
    ("name", "dtype", "tags", "said"),
    [
        ("a", "Array(Float32)", {}, "its width"),
        ("a", "Array(Float32)", {"width": "0"}, "its width"),
        ("a", "Array(Float32)", {"width": "many"}, "its width"),
        ("a", "String", {}, "its values"),
        ("a", "String", {"categories": "[1]"}, "its values"),
        ("a", "String", {"categories": "[]"}, "its values"),
        ("a", "String", {"categories": '["x", "x"]'}, "twice"),
        ("a", "Bytes", {}, "of type Bytes"),
        ("a_at", "String", {"categories": '["x"]'}, "for moments"),
    ],
)
def test_fields_that_cannot_be_read_are_named(name: str, dtype: str, tags: dict[str, str], said: str) -> None:
    """The message names the feature, the view and what to do."""
    with pytest.raises(InputError, match=f"Feature {name} of view signals.*{said}"):
        stored_feature("course", "signals", name, dtype, tags)


def test_a_column_name_has_one_meaning() -> None:
    """Two features that would share a column are refused, of one view or of two."""
    number = StoredFeature("course", "other", "embedding_1")
    with pytest.raises(InputError, match="other:embedding_1 and signals:embedding both have a column embedding_1"):
        columns_of([EMBEDDING, number])


def test_what_is_missing_is_read_as_training_saw_it() -> None:
    """The recorded median stands in for a missing value; without one it stays missing, and the digest is the same."""
    plain = VectorLayout.of(["x"], ["y"])
    filled = VectorLayout(plain.learner, plain.course, {"x": 2.5})
    pair = np.zeros((2, len(PAIR_FEATURES)), np.float32)
    course = np.array([[np.nan], [np.inf]])
    vectors = filled.assemble(np.array([10**15]), np.array([[np.nan]]), course, pair)
    assert [2.5, 2.5] == vectors[:, 0].tolist()
    assert np.isnan(vectors[:, 1]).all()
    assert plain == filled
    assert plain.digest == filled.digest
