"""Enums of the inner rooms as clients see them: each value with what a frontend developer must know of it."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry


def describe(enum: type[Enum], description: str, *, name: str | None = None, **values: str) -> None:
    """Make an enum one of the contract.

    Args:
        enum: declared where it is stored or decided, without knowledge of GraphQL.
        description: what it is for, and what a client does with a value it does not know.
        name: the name in the contract; the class's own when not given.
        values: the description of each value, by name.

    Raises:
        TypeError: a value has no description, or a description no value.
    """
    missing = set(enum.__members__) ^ set(values)
    if missing:
        raise TypeError(f"Descriptions and values of {enum.__name__} differ: {', '.join(sorted(missing))}.")
    strawberry.enum(enum, name=name, description=description)
    definition: Any = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
