"""Bringing rows of one statement back to the parents that it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from database.rows import Row

RowT = TypeVar("RowT", bound=Row)


def aligned(rows: Sequence[RowT], keys: Sequence[int]) -> list[RowT | None]:
    """Return the row of each key, by its `id`, or None."""
    found: dict[int, RowT] = {row["id"]: row for row in rows}
    return [found.get(key) for key in keys]


def grouped(rows: Sequence[RowT], column: str, keys: Sequence[int]) -> list[list[RowT]]:
    """Return the rows of each key of `column`, in the order that they were fetched in."""
    groups: dict[int, list[RowT]] = {key: [] for key in keys}
    for row in rows:
        groups[row[column]].append(row)
    return [groups[key] for key in keys]
