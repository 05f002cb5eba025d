"""Rows that the database writes as JSON: what a resolver tells its statement of them."""

from __future__ import annotations

from typing import Any

from core.selections import Selection, Written
from resolvers.authors import viewpoint
from resolvers.context import Context
from resolvers.pages import Window


def asked_for(context: Context, written: Written | None) -> tuple[Selection | None, dict[str, Any]]:
    """Return what of its rows a statement writes, and the parameters of that: the caller, and what relations need."""
    if written is None:
        return None, viewpoint(context)
    return written.selection, {**viewpoint(context), **written.parameters}


def rows_of(asked: Window, selection: Selection | None) -> int:
    """Return how many rows a page is made of: one more than it has, if it is wanted whether there are more.

    So is one of an empty page, since rows tell how long their list is.
    """
    return asked.limit + (selection is None or selection.more or not asked.limit)
