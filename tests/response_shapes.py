"""Whether a response has the shape of its operation: what every typed client relies on, field by field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_operation_ast,
    is_abstract_type,
    parse,
)
from graphql.execution.values import VariableValues, get_directive_values, get_variable_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
_LARGEST_INT = 2**31
_TYPENAME = "__typename"


def shape_problems(
    schema: GraphQLSchema, query: str, operation_name: str | None, variables: Mapping[str, Any], response: Any
) -> list[str]:
    """Return what is wrong with a response object, one line a place; empty when a typed client can read it.

    Args:
        schema: the contract.
        query: the document that was sent.
        operation_name: which of its operations.
        variables: as they were sent.
        response: the decoded JSON.
    """
    if not isinstance(response, dict) or not response.keys() <= {"data", "errors", "extensions"}:
        return [f"the response is {response!r:.200}"]
    problems = list(_errors(response.get("errors")))
    if "data" not in response:
        return problems if response.get("errors") else [*problems, "neither data nor errors"]
    document = parse(query)
    operation = get_operation_ast(document, operation_name)
    assert operation is not None
    root = schema.get_root_type(operation.operation)
    assert root is not None
    if response["data"] is None:
        return problems if response.get("errors") else [*problems, "data is null and nothing says why"]
    return [
        *problems,
        *_Walk(schema, document, operation, variables).composite(
            root, [operation.selection_set], response["data"], "data"
        ),
    ]


def _errors(errors: Any) -> Iterator[str]:
    if errors is None:
        return
    if not isinstance(errors, list) or not errors:
        yield "errors is not a list with something in it"
        return
    for error in errors:
        if not isinstance(error.get("message"), str) or not error["message"]:
            yield f"an error without a message: {error!r}"
        if not isinstance(error.get("extensions", {}).get("code"), str):
            yield f"an error without a code: {error!r}"
        if not error.keys() <= {"message", "locations", "path", "extensions"}:
            yield f"an error with unknown keys: {error!r}"


class _Walk:
    """One response beside its operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        coerced = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
        assert isinstance(coerced, VariableValues), coerced
        self._variables = coerced

    def composite(self, parent: Composite, selections: Sequence[SelectionSetNode], value: Any, path: str) -> list[str]:
        """Return the problems of an object; of an abstract type, those of the possible type that fits best."""
        if not isinstance(value, dict):
            return [f"{path}: {value!r:.80} instead of an object"]
        if isinstance(parent, GraphQLObjectType):
            return list(self._object(parent, selections, value, path))
        found = [list(self._object(one, selections, value, path)) for one in self._schema.get_possible_types(parent)]
        return min(found, key=len)

    def _object(
        self, parent: GraphQLObjectType, selections: Sequence[SelectionSetNode], value: dict[str, Any], path: str
    ) -> Iterator[str]:
        expected: dict[str, list[FieldNode]] = {}
        for selection in selections:
            self._collect(parent, selection, expected)
        if list(expected) != list(value):
            yield f"{path}: the keys are {list(value)} instead of {list(expected)}"
            return
        for key, nodes in expected.items():
            name = nodes[0].name.value
            if name == _TYPENAME:
                if value[key] != parent.name:
                    yield f"{path}.{key}: {value[key]!r} instead of {parent.name}"
                continue
            field = parent.fields.get(name)
            if field is None:
                # Introspection, which graphql-core answers by itself.
                continue
            inner = [node.selection_set for node in nodes if node.selection_set is not None]
            yield from self._value(field.type, inner, value[key], f"{path}.{key}")

    def _value(self, kind: Any, inner: Sequence[SelectionSetNode], value: Any, path: str) -> Iterator[str]:
        if isinstance(kind, GraphQLNonNull):
            if value is None:
                yield f"{path}: null where the contract says never"
                return
            kind = kind.of_type
        if value is None:
            return
        if isinstance(kind, GraphQLList):
            if not isinstance(value, list):
                yield f"{path}: {value!r:.80} instead of a list"
                return
            for place, item in enumerate(value):
                yield from self._value(kind.of_type, inner, item, f"{path}.{place}")
        elif isinstance(kind, GraphQLObjectType) or is_abstract_type(kind):
            yield from self.composite(kind, inner, value, path)
        else:
            yield from _leaf(kind, value, path)

    def _collect(
        self, parent: GraphQLObjectType, selection_set: SelectionSetNode, found: dict[str, list[FieldNode]]
    ) -> None:
        for node in selection_set.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            if isinstance(node, FragmentSpreadNode):
                inner: FragmentDefinitionNode | InlineFragmentNode = self._fragments[node.name.value]
            else:
                assert isinstance(node, InlineFragmentNode)
                inner = node
            if inner.type_condition is None or self._applies(inner.type_condition.name.value, parent):
                self._collect(parent, inner.selection_set, found)

    def _applies(self, name: str, parent: GraphQLObjectType) -> bool:
        condition = self._schema.get_type(name)
        if condition is parent:
            return True
        return isinstance(
            condition, GraphQLInterfaceType | GraphQLUnionType
        ) and parent in self._schema.get_possible_types(condition)

    def _included(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        if skip and skip["if"]:
            return False
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not include or bool(include["if"])


def _leaf(kind: GraphQLScalarType | GraphQLEnumType, value: Any, path: str) -> Iterator[str]:
    if isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            yield f"{path}: {value!r:.80} is no value of {kind.name}"
        return
    check = _SCALARS.get(kind.name)
    if check is None:
        yield f"{path}: nobody has said what a {kind.name} looks like"
    elif not check(value):
        yield f"{path}: {value!r:.80} is not a {kind.name}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST_INT <= value < _LARGEST_INT


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_SCALARS: Mapping[str, Callable[[Any], bool]] = {
    "ID": _is_text,
    "String": _is_text,
    "Boolean": lambda value: isinstance(value, bool),
    "Int": _is_whole,
    "Float": _is_finite,
    "DateTime": _is_moment,
}
