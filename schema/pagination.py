"""Relay connections."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import strawberry

from core.selections import Total
from execution.directives import INHERITED
from execution.fields import batch, column
from resolvers import pages
from schema.policies import ANYONE

NodeT = TypeVar("NodeT")

First = Annotated[
    int | None, strawberry.argument(description="How many from the start, 0 to 100; 20 when nothing is said.")
]
Last = Annotated[int | None, strawberry.argument(description="How many from the end, 0 to 100; not with `first`.")]
After = Annotated[str | None, strawberry.argument(description="A cursor: only what comes after it.")]
Before = Annotated[str | None, strawberry.argument(description="A cursor: only what comes before it.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = column(ANYONE, "Whether more follows this page.")
    has_previous_page: bool = column(ANYONE, "Whether something comes before this page.")
    start_cursor: str | None = column(ANYONE, "Cursor of the first edge; null on an empty page.")
    end_cursor: str | None = column(ANYONE, "Cursor of the last edge; null on an empty page.")


@strawberry.type(description="One place in a list.")
class Edge(Generic[NodeT]):
    """An edge of a connection."""

    cursor: str = column(ANYONE, "Opaque; give it as `after` or `before` of the same list and order.")
    node: NodeT = column(ANYONE, "What stands at this place.", cached=INHERITED)


@strawberry.type(description="A page of a list.")
class Connection(Generic[NodeT]):
    """A connection as the Relay cursor specification says, with the nodes at hand."""

    edges: list[Edge[NodeT]] = column(ANYONE, "The places of this page, in the list's order.", cached=INHERITED)
    nodes: list[NodeT] = column(ANYONE, "What stands at the places, without cursors.", cached=INHERITED)
    page_info: PageInfo = column(ANYONE, "Where this page stands in its list.", cached=INHERITED)

    @batch(pages.total_count, policy=ANYONE, cached=INHERITED, relation=Total())
    def total_count(self) -> int:
        """Length of the whole list. It is counted only when asked for."""
        raise NotImplementedError
