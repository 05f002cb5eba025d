"""A mapping that forgets what was not asked for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class BoundedCache(Generic[KeyT, ValueT]):
    """At most so many entries; the one that was used longest ago makes room.

    Args:
        most: how many entries there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[KeyT, ValueT] = OrderedDict()

    def get(self, key: KeyT) -> ValueT | None:
        """Return the entry of `key`, or None."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: KeyT, value: ValueT) -> None:
        """Keep `value`."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def discard(self, key: KeyT) -> None:
        """Forget the entry of `key`, if there is one."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._entries)
