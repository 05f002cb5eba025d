"""Rows as asyncpg returns them, with their columns readable as attributes.

One class a kind of row, so that a type checker knows the columns and the GraphQL layer knows the type.
"""

from __future__ import annotations

import inspect
from operator import itemgetter
from typing import Any

import asyncpg


class Row(asyncpg.Record):
    """A row; `row.title` is `row["title"]`. Subclasses only annotate their columns."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Make each annotated column a property: much faster than `__getattr__`, and columns are read all the time."""
        super().__init_subclass__()
        for name in inspect.get_annotations(cls):
            if not hasattr(asyncpg.Record, name):
                setattr(cls, name, property(itemgetter(name)))

    def __getattr__(self, name: str) -> Any:
        """Return the column `name`; called only where no attribute of that name exists, or its column is missing."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
