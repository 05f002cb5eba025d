"""How a stored feature becomes columns of the vector: a number is one, an embedding several, a category a code.

What is declared in Feast is read from types and tags here, once for training and serving; a release records it,
so that a declaration that changes later does not change what its ranker reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from features.vector import MOMENT_SUFFIX

WIDTH_TAG = "width"
"""Tag of an embedding: how many numbers it has."""
CATEGORIES_TAG = "categories"
"""Tag of a category: its values in order, a JSON list; the code of a value is its place."""
MAX_AGE_TAG = "max_age_seconds"
"""Tag of a view: how old what is online may be until serving takes defaults in its place."""

_NUMBERS = frozenset({"Int32", "Int64", "Float32", "Float64", "Bool"})
_ARRAYS = frozenset(f"Array({name})" for name in _NUMBERS)
_WIDEST = 4096

Owner: TypeAlias = Literal["learner", "course"]


class FeatureKind(StrEnum):
    """What a stored value is."""

    NUMBER = "number"
    EMBEDDING = "embedding"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class StoredFeature:
    """A feature of the store and what it becomes.

    Attributes:
        owner: whom it is about.
        view: name of its feature view.
        name: of the feature.
        kind: what its values are.
        width: how many columns it has.
        categories: of a category, the values that have a code.
    """

    owner: Owner
    view: str
    name: str
    kind: FeatureKind = FeatureKind.NUMBER
    width: int = 1
    categories: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The name that Feast is asked with."""
        return f"{self.view}:{self.name}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in order: the name itself, or `name_0` to `name_k` of an embedding."""
        if self.kind is FeatureKind.EMBEDDING:
            return tuple(f"{self.name}_{place}" for place in range(self.width))
        return (self.name,)

    def encode(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
        """Return float64[n, width]; NaN for what is missing, an unknown category, and an embedding of another width.

        Args:
            values: n values as the store has them, None for missing.

        Raises:
            ValueError: a value is not of the declared kind.
            TypeError: likewise.
        """
        if self.kind is FeatureKind.EMBEDDING:
            return self._spread(values)
        if self.kind is FeatureKind.CATEGORY:
            codes = {value: float(code) for code, value in enumerate(self.categories)}
            found = [codes.get(value, np.nan) if isinstance(value, str) else np.nan for value in values]
            return np.array(found, np.float64).reshape(-1, 1)
        return np.asarray(values, np.float64).reshape(-1, 1)

    def _spread(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
        spread = np.full((len(values), self.width), np.nan)
        for row, value in enumerate(values):
            # A missing list is None, or NaN where a frame holds it.
            if isinstance(value, Sequence | np.ndarray) and len(value) == self.width:
                spread[row] = np.asarray(value, np.float64)
        return spread


def stored_feature(owner: Owner, view: str, name: str, dtype: str, tags: Mapping[str, str]) -> StoredFeature:
    """Return what a declared field is.

    Args:
        owner: whom the view is about.
        view: its name.
        name: of the field.
        dtype: Feast's name of the type, such as `Int64` or `Array(Float32)`.
        tags: of the field.

    Raises:
        InputError: the ranker cannot read such a field, or a tag is wrong.
    """
    called = f"Feature {name} of view {view}"
    if dtype in _NUMBERS:
        return StoredFeature(owner, view, name)
    if name.endswith(MOMENT_SUFFIX):
        raise InputError(f"{called} ends in {MOMENT_SUFFIX}, which is for moments in unix seconds.")
    if dtype in _ARRAYS:
        width = tags.get(WIDTH_TAG, "")
        if not (width.isascii() and width.isdigit() and 0 < int(width) <= _WIDEST):
            raise InputError(f"{called} is a list: declare its width with the tag {WIDTH_TAG}, 1 to {_WIDEST}.")
        return StoredFeature(owner, view, name, FeatureKind.EMBEDDING, int(width))
    if dtype == "String":
        return StoredFeature(owner, view, name, FeatureKind.CATEGORY, categories=_categories(called, tags))
    raise InputError(f"{called} is of type {dtype}; the ranker reads numbers, lists of numbers and categories.")


def _categories(called: str, tags: Mapping[str, str]) -> tuple[str, ...]:
    try:
        values = json.loads(tags.get(CATEGORIES_TAG, ""))
    except ValueError:
        values = None
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise InputError(f"{called} is text: declare its values with the tag {CATEGORIES_TAG}, a JSON list.")
    if len(set(values)) < len(values):
        raise InputError(f"{called} declares a category twice.")
    return tuple(values)


def columns_of(features: Iterable[StoredFeature]) -> tuple[str, ...]:
    """Return the sorted names of all columns.

    Raises:
        InputError: two features have a column of the same name.
    """
    owners: dict[str, StoredFeature] = {}
    for feature in features:
        for column in feature.columns:
            other = owners.setdefault(column, feature)
            if other != feature:
                raise InputError(
                    f"{feature.reference} and {other.reference} both have a column {column}: "
                    "a feature of another meaning needs another name."
                )
    return tuple(sorted(owners))


def encoded(
    features: Sequence[StoredFeature], columns: Sequence[str], values: Mapping[str, Sequence[Any]], count: int
) -> NDArray[np.float64]:
    """Return float64[count, len(columns)], NaN in columns of features without values.

    Args:
        features: of which to take the columns.
        columns: names in the order that is wanted.
        values: `count` values of each feature, by its name.
        count: number of rows.

    Raises:
        ValueError: a value is not of the declared kind.
        TypeError: likewise.
    """
    places = {column: place for place, column in enumerate(columns)}
    found = np.full((count, len(columns)), np.nan)
    for feature in features:
        if feature.name in values:
            found[:, [places[column] for column in feature.columns]] = feature.encode(values[feature.name])
    return found
