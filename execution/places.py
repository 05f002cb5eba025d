"""Where an object stands in the response, found out only when something went wrong there.

Generated code does not keep paths: it would pay for them with every object. The response itself is a tree, so the path
of any object can be found again by walking it beside the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLOutputType, is_list_type, is_non_null_type

from execution.plan import FieldPlan, Selection


class Place:
    """A position in the response.

    Attributes:
        above: the position that it is part of; None for the root.
        holder: the object or list that the value is in; None for the root.
        key: its name or number there.
        nullable: whether null may stand there.
        nulled: whether an error put null there; then nothing below it is part of the response.
    """

    __slots__ = ("above", "holder", "key", "nullable", "nulled")

    def __init__(self, above: Place | None, holder: Any, key: str | int, *, nullable: bool) -> None:
        self.above = above
        self.holder = holder
        self.key = key
        self.nullable = nullable
        self.nulled = False

    def path(self) -> list[str | int]:
        """Return the path from the root of the response."""
        keys: list[str | int] = []
        place = self
        while place.above is not None:
            keys.append(place.key)
            place = place.above
        keys.reverse()
        return keys

    def is_gone(self) -> bool:
        """Say whether this position or one above it has been nulled."""
        place: Place | None = self
        while place is not None:
            if place.nulled:
                return True
            place = place.above
        return False

    def null(self) -> Place:
        """Put null where it may stand: here or as far above as it must; return that position, or the root."""
        place = self
        while place.above is not None and not place.nullable:
            place = place.above
        place.nulled = True
        if place.holder is not None:
            place.holder[place.key] = None
        return place


def places(data: dict[str, Any], root: Selection, kinds: Mapping[int, Selection]) -> dict[int, Place]:
    """Return the position of every object of a response, by the object's identity.

    Args:
        data: the response so far.
        root: what it answers.
        kinds: the selections of objects of abstract types, by the object's identity.
    """
    walk = _Walk(kinds)
    walk.object(data, root, Place(None, None, "", nullable=True))
    return walk.found


class _Walk:
    def __init__(self, kinds: Mapping[int, Selection]) -> None:
        self._kinds = kinds
        self.found: dict[int, Place] = {}

    def object(self, value: dict[str, Any], selection: Selection, place: Place) -> None:
        self.found[id(value)] = place
        for field in selection.answered():
            if field.selections and field.written is None and (below := value.get(field.key)) is not None:
                here = Place(place, value, field.key, nullable=not is_non_null_type(field.type))
                self._value(below, field.type, field, here)

    def _value(self, value: Any, kind: GraphQLOutputType, field: FieldPlan, place: Place) -> None:
        inner: Any = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(inner):
            item_type = inner.of_type
            nullable = not is_non_null_type(item_type)
            for number, item in enumerate(value):
                if item is not None:
                    self._value(item, item_type, field, Place(place, value, number, nullable=nullable))
            return
        self.object(value, self._kinds[id(value)] if field.abstract else field.selections[inner.name], place)
