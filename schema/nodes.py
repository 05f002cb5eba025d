"""The Node interface: anything with an id can be fetched again by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import strawberry

from core.ids import encode_id
from execution.fields import column
from schema.policies import ANYONE

_REMEMBERED = 8_192


def global_id(type_name: str) -> Callable[[Any], str]:
    """Return a function from a row to its opaque id."""

    # What is asked for often is asked for again; the same objects come in every list.
    @lru_cache(maxsize=_REMEMBERED)
    def encoded(key: int | str) -> str:
        return encode_id(type_name, key)

    def read(row: Any) -> str:
        return encoded(row.id)

    # PostgreSQL can make the same of the column `id`.
    read.opaque = type_name  # type: ignore[attr-defined]
    return read


def _unreadable(row: Any) -> str:
    raise TypeError(f"{type(row).__name__} is a row of a type that does not define its id.")


@strawberry.interface(description="An object with an opaque, globally unique, stable id.")
class Node:
    """Relay's Node (GraphQL Global Object Identification)."""

    id: strawberry.ID = column(
        ANYONE, "Opaque and stable; give it to `node` to fetch the object again.", read=_unreadable
    )
