"""How long a list is counted as before it is read: as `@listSize` says, by the arguments or by assumption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphql import FieldNode, GraphQLField, IntValueNode, ListValueNode, ObjectValueNode, ValueNode, VariableNode

from execution.directives import ListSize

BEYOND = 1_000_000_000
"""No length, and no cost, is counted any further."""

Given = Mapping[str, Any]
Size = int | Callable[[Given], int]


def length_of(size: ListSize, definition: GraphQLField, node: FieldNode) -> tuple[Size, set[str]]:
    """Return how long a list is counted as, and the names of the variables that it depends on.

    Args:
        size: what is declared.
        definition: of the field.
        node: the field in a document.
    """
    assumed = size.assumed_size or 1
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    sources: list[tuple[ValueNode | None, Sequence[str], Any]] = []
    for written in size.slicing_arguments or ():
        name, *path = written.split(".")
        default = definition.args[name].default_value if name in definition.args else None
        sources.append((given.get(name), path, default))

    varying = {name for node, _, _ in sources for name in _variables(node)}
    if not varying:
        told = [one for one in (_told(*source, {}) for source in sources) if one is not None]
        return min(max(max(told, default=assumed), 1), BEYOND), varying

    def length(given: Given) -> int:
        told = [one for one in (_told(*source, given) for source in sources) if one is not None]
        return min(max(told, default=assumed), BEYOND)

    return length, varying


def _variables(value: Any) -> Iterator[str]:
    """Yield the names of the variables in an argument, as far as it may be a length."""
    if isinstance(value, ObjectValueNode):
        for each in value.fields:
            yield from _variables(each.value)
    elif isinstance(value, VariableNode):
        yield value.name.value


def _told(node: ValueNode | None, path: Sequence[str], default: Any, variables: Given) -> int | None:
    """Return the number that an argument says, or the length of the list that it is."""
    if node is None:
        return default if type(default) is int else None
    value: Any = node
    for name in (*path, None):
        if isinstance(value, VariableNode):
            value = variables.get(value.name.value)
        if name is None:
            break
        if isinstance(value, ObjectValueNode):
            value = next((each.value for each in value.fields if each.name.value == name), None)
        else:
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, IntValueNode):
        return int(value.value)
    if isinstance(value, ListValueNode):
        return len(value.values)
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        # JSON knows one kind of numbers, and so does the coercion of Int.
        return int(value)
    return len(value) if isinstance(value, list) else None


def said(size: ListSize | None) -> Any:
    """Return what tells one declared size from another."""
    return None if size is None else (size.assumed_size, str(size.slicing_arguments), str(size.sized_fields))
