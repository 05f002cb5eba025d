"""What the compiled executor supports; everything else is refused with a reason, and left to graphql-core."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)
from strawberry import Schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer, has_object_definition
from strawberry.types.lazy_type import LazyType

from core.errors import WaymarkError
from execution.fields import BatchField, ColumnField, CommandField, DeclaredField
from execution.policies import Policy

MOST_CONDITIONS = 8
_CONDITIONS = frozenset({"skip", "include"})
_POLICY_PARTS = frozenset({"name", "check", "check_parents"})
_PARENT_NAMES = frozenset({"self", "root", "parent"})


class UnsupportedOperationError(WaymarkError):
    """The operation cannot be compiled; graphql-core can execute it. The message says why, in one line."""


def check_schema(schema: Schema) -> None:
    """Refuse a schema that wants to be told of every field, or executes in a way of its own.

    Raises:
        UnsupportedOperationError: a part of the schema could not be honored.
    """
    if schema.execution_context_class is not StrawberryGraphQLCoreExecutionContext:
        raise UnsupportedOperationError(f"the schema executes with {schema.execution_context_class.__name__}")
    if schema.schema_converter.exception_handlers:
        raise UnsupportedOperationError("the schema has exception handlers")
    for extension in schema.get_extensions():
        kind = type(extension)
        if kind.resolve is not SchemaExtension.resolve:
            raise UnsupportedOperationError(f"the extension {kind.__name__} hooks the resolution of fields")
        if kind.on_execute is not SchemaExtension.on_execute:
            raise UnsupportedOperationError(f"the extension {kind.__name__} hooks execution")


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the operation of a document that is to be executed.

    Raises:
        UnsupportedOperationError: there is none of that name, or there are several and none is named, or it is a
            subscription.
    """
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    found = operations if name is None else [each for each in operations if each.name and each.name.value == name]
    if len(found) != 1:
        wanted = "exactly one operation" if name is None else f"one operation named {name}"
        raise UnsupportedOperationError(f"the document does not have {wanted}")
    if found[0].operation is OperationType.SUBSCRIPTION:
        raise UnsupportedOperationError("it is a subscription")
    return found[0]


def conditions(operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """Return the names of the variables that decide which fields there are, in alphabetical order.

    Raises:
        UnsupportedOperationError: a directive other than `@skip` and `@include`, a fragment with variables, or more
            such variables than variants could be kept of.
    """
    nodes: list[object] = [operation, *(operation.variable_definitions or ())]
    nodes += _selected(operation.selection_set, fragments, set())
    names: set[str] = set()
    for node in nodes:
        for directive in getattr(node, "directives", None) or ():
            if directive.name.value not in _CONDITIONS:
                raise UnsupportedOperationError(f"the directive @{directive.name.value} is not supported")
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names.add(argument.value.name.value)
        if getattr(node, "arguments", None) and isinstance(node, FragmentSpreadNode):
            raise UnsupportedOperationError("fragments with arguments are not supported")
        if isinstance(node, FragmentDefinitionNode) and node.variable_definitions:
            raise UnsupportedOperationError(f"the fragment {node.name.value} has variables")
    if len(names) > MOST_CONDITIONS:
        raise UnsupportedOperationError(f"more than {MOST_CONDITIONS} variables stand in @skip and @include")
    return tuple(sorted(names))


def _selected(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[object]:
    """Yield every node that a selection set reaches; fragments once."""
    for selection in selections.selections:
        yield selection
        if isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name not in seen and name in fragments:
                seen.add(name)
                yield fragments[name]
                yield from _selected(fragments[name].selection_set, fragments, seen)
        elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
            yield from _selected(selection.selection_set, fragments, seen)


def declared_field(coordinate: str, definition: GraphQLField, *, in_mutation: bool) -> DeclaredField:
    """Return the declaration of a field that the compiled executor can answer exactly as graphql-core would.

    Args:
        coordinate: `Type.field`, for messages.
        definition: of the schema.
        in_mutation: whether it is a field of the mutation type.

    Raises:
        UnsupportedOperationError: it cannot.
    """
    if coordinate.partition(".")[2].startswith("__"):
        raise UnsupportedOperationError(f"{coordinate} is introspection")
    field = definition.extensions.get("strawberry-definition")
    if type(field) not in {ColumnField, BatchField, CommandField}:
        raise UnsupportedOperationError(f"{coordinate} is not a column, a batch or a command")
    assert isinstance(field, DeclaredField)  # noqa: S101 - The line above says so, to people.
    if field.extensions:
        raise UnsupportedOperationError(f"{coordinate} has field extensions")
    if isinstance(field, CommandField) and not in_mutation:
        raise UnsupportedOperationError(f"{coordinate} is a command outside the mutation type")
    _check_policy(coordinate, field.policy)
    _check_column(coordinate, field)
    _check_arguments(coordinate, field)
    return field


def check_type(kind: GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType) -> None:
    """Refuse a type that takes its time to tell whether a value is of it.

    Raises:
        UnsupportedOperationError: a coroutine decides.
    """
    decides = kind.is_type_of if isinstance(kind, GraphQLObjectType) else kind.resolve_type
    if inspect.iscoroutinefunction(decides):
        raise UnsupportedOperationError(f"a coroutine decides what is a {kind.name}")


def _check_policy(coordinate: str, policy: Policy) -> None:
    known = {part.name for part in fields(policy)}
    if type(policy) is not Policy or not known <= _POLICY_PARTS:
        raise UnsupportedOperationError(
            f"the policy of {coordinate} has parts that the compiled executor does not know"
        )


def _check_column(coordinate: str, field: DeclaredField) -> None:
    if isinstance(field, ColumnField):
        if field.base_resolver is not None:
            raise UnsupportedOperationError(f"{coordinate} is a column with a resolver")
        if inspect.iscoroutinefunction(field.read):
            raise UnsupportedOperationError(f"{coordinate} is read by a coroutine")


def _check_arguments(coordinate: str, field: DeclaredField) -> None:
    stub = field.base_resolver
    if stub is not None:
        given_by_us = (stub.info_parameter, stub.parent_parameter, stub.root_parameter)
        if any(parameter is not None and parameter.name not in _PARENT_NAMES for parameter in given_by_us):
            raise UnsupportedOperationError(f"the stub of {coordinate} asks for more than its arguments")
    for argument in field.arguments:
        if _builds_itself(argument, argument.type, set()):
            raise UnsupportedOperationError(f"an argument of {coordinate} builds itself from its input")


def _builds_itself(argument: StrawberryArgument, kind: object, seen: set[object]) -> bool:
    """Say whether an input type wants more than its values to be made: Strawberry's `from_input`."""
    while isinstance(kind, StrawberryContainer | LazyType):
        kind = kind.resolve_type() if isinstance(kind, LazyType) else kind.of_type
    if not has_object_definition(kind) or kind in seen:
        return False
    seen.add(kind)
    definition = kind.__strawberry_definition__
    return definition.from_input is not None or any(
        _builds_itself(argument, field.resolve_type(type_definition=definition), seen) for field in definition.fields
    )
