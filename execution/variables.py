"""Variables of an operation: what clients send, coerced as graphql-core does.

Most variables are numbers, texts and enum values that need no work; they are recognized here. As soon as one is
anything else, or does not fit, graphql-core coerces all of them, and words the errors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import isfinite
from typing import Any, NamedTuple

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableDefinitionNode,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from graphql.utilities.coerce_input_value import coerce_input_literal

# As graphql-core's own execution does: more errors than these help nobody.
_MOST_ERRORS = 50
_NONE = VariableValues({}, {})


def _text(value: Any) -> Any:
    return value if type(value) is str else Undefined


def _whole(value: Any) -> Any:
    return value if type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT else Undefined


def _real(value: Any) -> Any:
    return value if type(value) is float and isfinite(value) else Undefined


def _truth(value: Any) -> Any:
    return value if type(value) is bool else Undefined


_RECOGNIZERS: Mapping[Any, Callable[[Any], Any]] = {
    GraphQLString: _text,
    GraphQLID: _text,
    GraphQLInt: _whole,
    GraphQLFloat: _real,
    GraphQLBoolean: _truth,
}


class _Simple(NamedTuple):
    """A variable of a scalar or an enum.

    Attributes:
        name: without the dollar sign.
        recognize: returns the coerced value of what needs no work, or Undefined.
        nullable: whether null and nothing will do.
        default: coerced; Undefined when there is none.
        signature: as graphql-core wants it beside the value.
    """

    name: str
    recognize: Callable[[Any], Any]
    nullable: bool
    default: Any
    signature: GraphQLVariableSignature


class Variables:
    """The variables that an operation defines."""

    def __init__(self, schema: GraphQLSchema, definitions: Collection[VariableDefinitionNode]) -> None:
        self._schema = schema
        self._definitions = definitions
        simple = [_simple(schema, definition) for definition in definitions]
        self._simple = None if None in simple else [each for each in simple if each is not None]

    def coerce(self, given: dict[str, Any] | None) -> VariableValues | list[GraphQLError]:
        """Return the coerced values, or the errors that refuse the request."""
        if not self._definitions:
            return _NONE
        given = given or {}
        return self._recognized(given) or get_variable_values(self._schema, self._definitions, given, _MOST_ERRORS)

    def _recognized(self, given: dict[str, Any]) -> VariableValues | None:
        if self._simple is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, recognize, nullable, default, signature in self._simple:
            value = given.get(name, Undefined)
            sources[name] = VariableValueSource(signature, value)
            if value is Undefined:
                if default is not Undefined:
                    coerced[name] = default
                elif not nullable:
                    return None
            elif value is None:
                if not nullable:
                    return None
                coerced[name] = None
            else:
                found = recognize(value)
                if found is Undefined:
                    return None
                coerced[name] = found
        return VariableValues(sources, coerced)


def _simple(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Simple | None:
    signature = get_variable_signature(schema, definition)
    if isinstance(signature, GraphQLError):
        return None
    kind: Any = signature.type
    nullable = not is_non_null_type(kind)
    kind = kind if nullable else kind.of_type
    recognize = _RECOGNIZERS.get(kind)
    if recognize is None and isinstance(kind, GraphQLEnumType):
        # A name stands for the same value every time; values are enum members, which nobody changes.
        names = {name: kind.coerce_input_value(name) for name in kind.values}
        recognize = _lookup(names)
    default: Any = Undefined
    if definition.default_value is not None:
        default = coerce_input_literal(definition.default_value, signature.type)
        recognize = None if default is Undefined else recognize
    return None if recognize is None else _Simple(signature.name, recognize, nullable, default, signature)


def _lookup(names: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda value: names.get(value, Undefined) if type(value) is str else Undefined
