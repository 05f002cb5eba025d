"""Rows as asyncpg returns them, with their columns readable as attributes.

One class a kind of row, so that a type checker knows the columns and the GraphQL layer knows the type.
"""

from __future__ import annotations

from typing import Any

import asyncpg


class Row(asyncpg.Record):
    """A row; `row.title` is `row["title"]`. Subclasses only annotate their columns."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return the column `name`; called only where no attribute of that name exists."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
