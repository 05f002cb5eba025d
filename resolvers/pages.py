"""Keyset pagination: a cursor holds the sort key of a row, so pages stay right while rows are inserted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from core.errors import InvalidArgumentError
from core.ids import url_safe_base64
from database.statements import DEFAULT_PAGE, LARGEST_PAGE

NodeT = TypeVar("NodeT")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an ordered list that a client asked for.

    Attributes:
        limit: how many nodes at most, 0 to 100.
        backward: whether they are the last ones, counted from the end.
        after: sort key that nodes come after, or None.
        before: sort key that nodes come before, or None.
    """

    limit: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Edge(Generic[NodeT]):
    """A node and the cursor of its place."""

    cursor: str
    node: NodeT


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Relay's page information."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


class Count(NamedTuple):
    """How to count a list: pages that share `many` are counted by one call, each with its own key.

    Attributes:
        many: given the request context and keys, returns one number a key, in order.
        key: what tells this list from its siblings.
    """

    many: Callable[[Any, Sequence[Any]], Awaitable[Sequence[int]]]
    key: Any


@dataclass(slots=True)
class Page(Generic[NodeT]):
    """One page of a connection. Cursors are made when they are asked for.

    Attributes:
        nodes: in the list's order, whichever way the page was asked for.
        cursor: returns the cursor of a node's place.
        has_next_page: whether more follows.
        has_previous_page: whether something comes before.
        count: how to count the whole list, so that `totalCount` costs only when asked.
        total: the length of the whole list, where the statement of the page has counted it.
    """

    nodes: list[NodeT]
    cursor: Callable[[NodeT], str]
    has_next_page: bool
    has_previous_page: bool
    count: Count
    total: int | None = field(default=None, kw_only=True)

    @property
    def edges(self) -> list[Edge[NodeT]]:
        """The nodes with the cursors of their places."""
        return [Edge(self.cursor(node), node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        """Where the page stands in its list."""
        nodes = self.nodes
        return PageInfo(
            has_next_page=self.has_next_page,
            has_previous_page=self.has_previous_page,
            start_cursor=self.cursor(nodes[0]) if nodes else None,
            end_cursor=self.cursor(nodes[-1]) if nodes else None,
        )


def encode_cursor(scope: str, key: Sequence[Any]) -> str:
    """Return the cursor of the place `key` in the list that `scope` names."""
    return url_safe_base64(orjson.dumps([scope, *key]))


def decode_cursor(scope: str, cursor: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """Return the sort key that a cursor holds.

    Args:
        scope: the list it must belong to; an order is part of it.
        cursor: what the client sent.
        kinds: type of each part of the key.

    Raises:
        InvalidArgumentError: it is not a cursor of this list.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        decoded = orjson.loads(raw)
    except (ValueError, binascii.Error):
        decoded = None
    if isinstance(decoded, list) and len(decoded) == len(kinds) + 1 and decoded[0] == scope:
        key = decoded[1:]
        if all(type(part) is kind and _storable(part) for part, kind in zip(key, kinds, strict=True)):
            return tuple(key)
    raise InvalidArgumentError("The cursor does not belong to this list and order.")


def _storable(part: Any) -> bool:
    """Say whether PostgreSQL can compare with a value: 64-bit integers, texts without NUL."""
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    return not isinstance(part, str) or "\0" not in part


def microseconds(moment: datetime) -> int:
    """Return a moment as a part of a sort key: whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """Return the moment that a part of a sort key stands for.

    Raises:
        InvalidArgumentError: there is no such moment; the cursor was forged.
    """
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError as error:
        raise InvalidArgumentError("The cursor does not belong to this list and order.") from error


def window(
    *,
    scope: str,
    kinds: Sequence[type],
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
) -> Window:
    """Return what the arguments of a connection ask for.

    Raises:
        InvalidArgumentError: `first` and `last` were both given, or are not from 0 to 100, or a cursor is
            not one of this list.
    """
    if first is not None and last is not None:
        raise InvalidArgumentError("Give either `first` or `last`, not both.")
    for name, value in (("first", first), ("last", last)):
        if value is not None and not 0 <= value <= LARGEST_PAGE:
            raise InvalidArgumentError(f"`{name}` must be from 0 to {LARGEST_PAGE}.")
    limit = last if last is not None else first if first is not None else DEFAULT_PAGE
    return Window(
        limit=limit,
        backward=last is not None,
        after=None if after is None else decode_cursor(scope, after, kinds),
        before=None if before is None else decode_cursor(scope, before, kinds),
    )


def page(
    rows: Sequence[NodeT],
    asked: Window,
    *,
    scope: str,
    key: Callable[[NodeT], Sequence[Any]],
    count: Count,
) -> Page[NodeT]:
    """Cut a page from rows that were fetched with one more than `asked.limit`.

    Args:
        rows: in fetched order: reversed when the window is backward.
        asked: the window that they were fetched for.
        scope: the list, as in `encode_cursor`.
        key: sort key of a row.
        count: how to count the whole list.
    """
    more = len(rows) > asked.limit
    kept = list(rows[: asked.limit])
    if asked.backward:
        kept.reverse()
    return Page(
        kept,
        lambda row: encode_cursor(scope, key(row)),
        asked.before is not None if asked.backward else more,
        more if asked.backward else asked.after is not None,
        count,
    )


async def total_count(context: Any, pages: Sequence[Page[Any]]) -> list[int]:
    """Return the length of each page's whole list, with one call for all that are counted alike."""
    alike: dict[Any, list[int]] = {}
    totals = [counted.total or 0 for counted in pages]
    for place, counted in enumerate(pages):
        if counted.total is None:
            alike.setdefault(counted.count.many, []).append(place)
    for many, places in alike.items():
        numbers = await many(context, [pages[place].count.key for place in places])
        for place, number in zip(places, numbers, strict=True):
            totals[place] = number
    return totals
