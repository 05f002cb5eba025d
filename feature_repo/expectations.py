"""Fields with what is expected of them, declared together and kept in Feast's registry as tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from feast import Field
from feast.types import Array, FeastType, Float32, Float64, String

from core.errors import InputError
from features.columns import CATEGORIES_TAG, MAX_AGE_TAG, WIDTH_TAG

_LOWEST, _HIGHEST, _MOST_NULL, _MOST_DRIFT = "lowest", "highest", "most_null", "most_drift"


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a feature's values should be like; None is no expectation.

    Attributes:
        lowest: least value that is right, of numbers and of each number of an embedding.
        highest: greatest value that is right.
        most_null: largest share of entities without a value, 0 to 1. Unknown categories and lists of another width
            have none.
        most_drift: largest population stability index of the values now against 30 days ago. By a rule of thumb
            (Siddiqi, Credit Risk Scorecards, 2006) below 0.1 is stable and above 0.25 is another population.
    """

    lowest: float | None = None
    highest: float | None = None
    most_null: float | None = None
    most_drift: float | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tags that tell this in the registry."""
        told = {
            _LOWEST: self.lowest,
            _HIGHEST: self.highest,
            _MOST_NULL: self.most_null,
            _MOST_DRIFT: self.most_drift,
        }
        return {name: repr(float(value)) for name, value in told.items() if value is not None}

    @classmethod
    def of(cls, field: Any) -> Expectations:
        """Return what a `feast.Field` declares.

        Raises:
            InputError: a tag is no number.
        """
        try:
            return cls(
                **{
                    name: float(field.tags[name])
                    for name in (_LOWEST, _HIGHEST, _MOST_NULL, _MOST_DRIFT)
                    if name in field.tags
                }
            )
        except ValueError as error:
            raise InputError(f"An expectation of feature {field.name} is no number: {error}.") from error


NOTHING = Expectations()


def number(name: str, description: str, expected: Expectations = NOTHING, *, dtype: FeastType = Float64) -> Field:
    """Return the field of a number; a name that ends in `_at` is a moment in unix seconds."""
    return Field(name=name, dtype=dtype, description=description, tags=expected.tags)


def embedding(name: str, width: int, description: str, expected: Expectations = NOTHING) -> Field:
    """Return the field of a list of `width` float32; each becomes a column, `name_0` and so on."""
    return Field(
        name=name, dtype=Array(Float32), description=description, tags={**expected.tags, WIDTH_TAG: str(width)}
    )


def category(name: str, values: Sequence[str], description: str, expected: Expectations = NOTHING) -> Field:
    """Return the field of a text out of `values`; its code is the place, and what is not listed is missing."""
    tags = {**expected.tags, CATEGORIES_TAG: json.dumps(list(values))}
    return Field(name=name, dtype=String, description=description, tags=tags)


def freshness(max_age: timedelta) -> dict[str, str]:
    """Return tags for a view whose newest row must not be older, and which is served as defaults when it is."""
    return {MAX_AGE_TAG: repr(max_age.total_seconds())}


def max_age_of(tags: Mapping[str, str]) -> timedelta | None:
    """Return how old a view's newest row may be; None when nothing is declared.

    Raises:
        InputError: the tag is no number.
    """
    if MAX_AGE_TAG not in tags:
        return None
    try:
        return timedelta(seconds=float(tags[MAX_AGE_TAG]))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{MAX_AGE_TAG} is no number of seconds: {tags[MAX_AGE_TAG]}.") from error
