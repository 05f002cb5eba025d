"""Arguments of a call: from coerced variables to what a resolver takes, as graphql-core and Strawberry convert them.

Where every argument is a scalar or an enum, or an input object of such that the document writes, what is left is known
when the operation is compiled: which variable, which literal, which default. Other inputs, and lists, are coerced and
converted each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    is_input_object_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer

from execution.fields import DeclaredField, resolver_arguments
from execution.inputs import Converter, Converters, InputConverter
from execution.plan import Call


class _Simple(NamedTuple):
    """An argument of a scalar or an enum.

    Attributes:
        name: of the resolver's parameter.
        variable: whose value it has; None for a literal, a default or nothing.
        value: where there is no variable, or where it has no value; Undefined when the argument is not passed then.
        required: whether graphql-core must word an error where there would be nothing.
        nullable: whether null will do.
    """

    name: str
    variable: str | None
    value: Any
    required: bool
    nullable: bool


class _Object(NamedTuple):
    """An argument that the document writes as an input object, of scalars and enums.

    Attributes:
        name: of the resolver's parameter.
        fields: by their names in GraphQL.
        finish: what graphql-core gives the fields to; Strawberry's checks of `@oneOf` are there.
        convert: makes Strawberry's type of them.
        one_of: whether exactly one must be given, and not be null.
    """

    name: str
    fields: list[_Simple]
    finish: Callable[[dict[str, Any]], Any]
    convert: Converter
    one_of: bool


class Arguments:
    """The arguments of one call; the same for all of its parents."""

    def __init__(self, call: Call, config: StrawberryConfig, converters: Converters) -> None:
        field = call.fields[0]
        self._declared: DeclaredField = call.declared
        self._definition: GraphQLField = field.definition
        self._node = field.nodes[0]
        self._config = config
        self._converters = [
            (config.name_converter.from_argument(each), each.python_name, converters.of(each.type), each.is_maybe)
            for each in call.declared.arguments
        ]
        self._objects: list[_Object] = []
        self._simple = self._recognized()

    def bind(self, variables: VariableValues, context: Any) -> dict[str, Any]:
        """Return the keyword arguments for the resolver, once the policy has allowed the call.

        Raises:
            Exception: what graphql-core, Strawberry, the policy or an input raises; each parent's field fails with it.
        """
        converted = None if self._simple is None else _bound(self._simple, variables.coerced)
        if converted is not None and self._objects:
            converted = self._with_objects(converted, variables.coerced)
        if converted is None:
            given = get_argument_values(self._definition, self._node, variables)
            converted = {
                python_name: value if convert is None or (value is None and not keep_null) else convert(value)
                for name, python_name, convert, keep_null in self._converters
                if (value := given.get(name, Undefined)) is not Undefined
            }
        if self._declared.policy.check is not None:
            self._declared.policy.enforce(context)
        return resolver_arguments(converted) if converted else converted

    def _with_objects(self, bound: dict[str, Any], coerced: dict[str, Any]) -> dict[str, Any] | None:
        """Return the arguments with those that are objects, or None when graphql-core must find out what is wrong."""
        for name, fields, finish, convert, one_of in self._objects:
            given = _bound(fields, coerced)
            if given is None or (one_of and (len(given) != 1 or None in given.values())):
                return None
            try:
                bound[name] = convert(finish(given))
            except GraphQLError:
                return None
        return bound

    def _recognized(self) -> list[_Simple] | None:
        given = {argument.name.value: argument.value for argument in self._node.arguments or ()}
        simple = []
        for place, argument in enumerate(self._declared.arguments):
            name = self._config.name_converter.from_argument(argument)
            one = _simple(argument, self._definition.args[name], given.get(name))
            if one is not None:
                simple.append(one)
                continue
            written = _object(argument, self._definition.args[name], given.get(name), self._converters[place][2])
            if written is None:
                return None
            self._objects.append(written)
        return simple


def _simple(argument: StrawberryArgument, definition: GraphQLArgument, given: ValueNode | None) -> _Simple | None:
    nullable = not is_non_null_type(definition.type)
    kind: Any = definition.type if nullable else definition.type.of_type  # type: ignore[union-attr]
    python_type: Any = argument.type
    while isinstance(python_type, StrawberryContainer):
        python_type = python_type.of_type
    default = coerce_default_value(definition)
    required = not nullable and default is Undefined
    if given is None and default is Undefined:
        return _Simple(argument.python_name, None, Undefined, required, nullable)
    if not is_leaf_type(kind) or argument.is_maybe or python_type is GlobalID:
        return None
    return _leaf(argument.python_name, definition, given)


def _leaf(name: str, definition: GraphQLArgument | GraphQLInputField, given: ValueNode | None) -> _Simple | None:
    nullable = not is_non_null_type(definition.type)
    default = coerce_default_value(definition)
    required = not nullable and default is Undefined
    if given is None and default is Undefined:
        return _Simple(name, None, Undefined, required, nullable)
    if isinstance(given, VariableNode):
        return _Simple(name, given.name.value, default, required, nullable)
    if given is None:
        return _Simple(name, None, default, required, nullable)
    value = coerce_input_literal(given, definition.type)
    # A literal of a custom scalar may be a list or an object, which nobody may share.
    if value is Undefined or isinstance(value, list | dict):
        return None
    return _Simple(name, None, value, required, nullable)


def _object(
    argument: StrawberryArgument, definition: GraphQLArgument, given: ValueNode | None, convert: Converter | None
) -> _Object | None:
    """Return an argument whose object is written in the document; None for what is not so simple."""
    kind: Any = definition.type.of_type if is_non_null_type(definition.type) else definition.type
    if not isinstance(given, ObjectValueNode) or not isinstance(convert, InputConverter) or argument.is_maybe:
        return None
    if not is_input_object_type(kind) or any(each is not None for _, _, each, _ in convert.fields):
        return None
    nodes = {each.name.value: each.value for each in given.fields}
    fields = [_leaf(name, field, nodes.get(name)) for name, field in kind.fields.items()]
    simple = [each for each in fields if each is not None]
    if len(simple) < len(fields) or not all(is_leaf_type(get_named_type(each.type)) for each in kind.fields.values()):
        return None
    return _Object(argument.python_name, simple, kind.out_type, convert, bool(kind.is_one_of))


def _bound(simple: list[_Simple], coerced: dict[str, Any]) -> dict[str, Any] | None:
    """Return the arguments, or None when graphql-core must find out what is wrong."""
    bound: dict[str, Any] = {}
    for name, variable, fallback, required, nullable in simple:
        value = fallback if variable is None else coerced.get(variable, Undefined)
        if value is Undefined:
            if required:
                return None
            value = fallback
        if value is None and not nullable:
            return None
        if value is not Undefined:
            bound[name] = value
    return bound
