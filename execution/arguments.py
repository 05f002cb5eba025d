"""Arguments of a call: from coerced variables to what a resolver takes, as graphql-core and Strawberry convert them.

Where every argument is a scalar or an enum, nothing has to be converted, and what is left is known when the operation
is compiled: which variable, which literal, which default. Inputs and lists are coerced and converted each time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphql import GraphQLArgument, GraphQLField, Undefined, ValueNode, VariableNode, is_leaf_type, is_non_null_type
from graphql.execution.values import VariableValues, get_argument_values
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer

from execution.fields import DeclaredField, resolver_arguments
from execution.inputs import Converters
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
        self._simple = self._recognized()

    def bind(self, variables: VariableValues, context: Any) -> dict[str, Any]:
        """Return the keyword arguments for the resolver, once the policy has allowed the call.

        Raises:
            Exception: what graphql-core, Strawberry, the policy or an input raises; each parent's field fails with it.
        """
        converted = None if self._simple is None else self._bound(self._simple, variables.coerced)
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

    def _bound(self, simple: list[_Simple], coerced: dict[str, Any]) -> dict[str, Any] | None:
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

    def _recognized(self) -> list[_Simple] | None:
        given = {argument.name.value: argument.value for argument in self._node.arguments or ()}
        simple = []
        for argument in self._declared.arguments:
            name = self._config.name_converter.from_argument(argument)
            one = _simple(argument, self._definition.args[name], given.get(name))
            if one is None:
                return None
            simple.append(one)
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
    if isinstance(given, VariableNode):
        return _Simple(argument.python_name, given.name.value, default, required, nullable)
    if given is None:
        return _Simple(argument.python_name, None, default, required, nullable)
    value = coerce_input_literal(given, definition.type)
    # A literal of a custom scalar may be a list or an object, which nobody may share.
    if value is Undefined or isinstance(value, list | dict):
        return None
    return _Simple(argument.python_name, None, value, required, nullable)
