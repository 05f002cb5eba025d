"""Random valid operations over any schema: aliases, fragments, conditions, merged fields, variables with defaults."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
    parse,
    validate,
)


@dataclass
class Operation:
    """A document with one operation, and values for its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class OperationWriter:
    """Writes one random operation.

    Attributes:
        schema: that it is valid against.
        random: the source of every choice.
        depth: how deep selections go.
        values: makes a value of a scalar: by the scalar's name, a GraphQL literal as JSON can hold it, or None.
    """

    schema: GraphQLSchema
    random: Random
    depth: int = 5
    values: dict[str, list[Any]] = field(default_factory=dict)
    _fragments: list[str] = field(default_factory=list)
    _definitions: list[str] = field(default_factory=list)
    _variables: dict[str, Any] = field(default_factory=dict)

    def write(self, kind: str = "query") -> Operation:
        """Return an operation that graphql-core finds valid."""
        while True:
            self._fragments.clear()
            self._definitions.clear()
            self._variables = {}
            root = self.schema.mutation_type if kind == "mutation" else self.schema.query_type
            assert root is not None
            body = self._selection(root, self.depth)
            heading = f"{kind} Random" + (f"({', '.join(self._definitions)})" if self._definitions else "")
            text = "\n".join([f"{heading} {body}", *self._fragments])
            if not validate(self.schema, parse(text)):
                return Operation(text, dict(self._variables))

    def _chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def _selection(self, kind: Any, depth: int) -> str:
        parts = [self._part(kind, depth) for _ in range(self.random.randint(1, 5))]
        return "{ " + " ".join(parts) + " }"

    def _part(self, kind: Any, depth: int) -> str:
        if depth > 1 and self._chance(20):
            return self._fragment(kind, depth)
        names = (
            []
            if not hasattr(kind, "fields")
            else [
                name
                for name, each in kind.fields.items()
                if depth > 1 or not is_composite_type(get_named_type(each.type))
            ]
        )
        if not names or self._chance(7):
            return f"{self._alias('__typename')}__typename{self._condition()}"
        name = self.random.choice(names)
        return self._field(name, kind.fields[name], depth)

    def _alias(self, name: str) -> str:
        if not self._chance(25):
            return ""
        return self.random.choice([f"a{self.random.randrange(3)}_{name.strip('_')}", f"class_{name.strip('_')}"]) + ": "

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str:
        given = [
            f"{each}: {self._argument(each, argument)}"
            for each, argument in definition.args.items()
            if is_required_argument(argument) or self._chance(50)
        ]
        text = f"{self._alias(name)}{name}" + (f"({', '.join(given)})" if given else "") + self._condition()
        named = get_named_type(definition.type)
        return f"{text} {self._selection(named, depth - 1)}" if is_composite_type(named) else text

    def _fragment(self, kind: Any, depth: int) -> str:
        condition = self._narrowed(kind)
        below = self._selection(condition, depth - 1)
        if self._chance(50):
            typed = "" if condition is kind and self._chance(40) else f" on {condition.name}"
            return f"...{typed}{self._condition()} {below}"
        name = f"F{len(self._fragments)}_{self.random.choice(string.ascii_lowercase)}"
        self._fragments.append(f"fragment {name} on {condition.name} {below}")
        return f"...{name}{self._condition()}" + (f" ...{name}" if self._chance(20) else "")

    def _narrowed(self, kind: Any) -> Any:
        possible = [kind]
        if is_abstract_type(kind):
            possible += self.schema.get_possible_types(kind)
        elif is_object_type(kind):
            possible += kind.interfaces
        return self.random.choice(possible)

    def _condition(self) -> str:
        if not self._chance(15):
            return ""
        name = self.random.choice(["skip", "include"])
        if self._chance(30):
            return f" @{name}(if: {self.random.choice(['true', 'false'])})"
        variable = f"c{self.random.randrange(3)}"
        if not any(each.startswith(f"${variable}:") for each in self._definitions):
            default = self.random.choice(["", " = true", " = false"])
            self._definitions.append(f"${variable}: Boolean{'' if default else '!'}{default}")
            if not default or self._chance(60):
                self._variables[variable] = self._chance(50)
            elif self._chance(20):
                self._variables[variable] = None
        return f" @{name}(if: ${variable})"

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        value = self._value(argument.type, 3)
        if not self._chance(40):
            return _literal(value, argument.type)
        variable = f"{name}{len(self._definitions)}"
        kind = str(argument.type)
        default = ""
        if self._chance(30) and value is not None:
            default = f" = {_literal(value, argument.type)}"
            kind = kind.rstrip("!") if self._chance(50) else kind
        self._definitions.append(f"${variable}: {kind}{default}")
        if not default or self._chance(50):
            chosen = self._value(argument.type, 3)
            self._variables[variable] = "surprise" if self._chance(4) else chosen
        if kind.endswith("!") is False and self._chance(20):
            self._variables.pop(variable, None)
        return f"${variable}"

    def _value(self, kind: Any, depth: int) -> Any:
        """Return a value as JSON holds it; enum values are `Name` objects."""
        if is_non_null_type(kind):
            return self._value(kind.of_type, depth) if (value := self._filled(kind.of_type, depth)) is None else value
        return None if self._chance(12) else self._filled(kind, depth)

    def _filled(self, kind: Any, depth: int) -> Any:
        if is_list_type(kind):
            return [self._value(kind.of_type, depth - 1) for _ in range(self.random.randrange(3))]
        if isinstance(kind, GraphQLEnumType):
            return self.random.choice(list(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return self._input(kind, depth)
        return self.random.choice(self.values.get(kind.name) or _SCALARS[kind.name])

    def _input(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        if kind.is_one_of or kind.out_type is not GraphQLInputObjectType.out_type:
            name = self.random.choice(list(kind.fields))
            return {name: self._filled(kind.fields[name].type, depth - 1)}
        return {
            name: self._value(each.type, depth - 1)
            for name, each in kind.fields.items()
            if is_required_input_field(each) or (depth > 0 and self._chance(50))
        }


_SCALARS: dict[str, list[Any]] = {
    "Int": [0, 1, 2, 3, 7, 100, -1, 2147483647],
    "Float": [0.0, 0.5, 1, -2.25, 1e300],
    "String": ["", "a", 'quote " and \\', "ünï©ode", "gardening"],
    "Boolean": [True, False],
    "ID": ["1", "x", 5, "refuse"],
    "DateTime": ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"],
    "Json": [1, "text", True, [1, 2], {"k": [1]}],
}


def _literal(value: Any, kind: Any) -> str:
    if is_non_null_type(kind):
        kind = kind.of_type
    if value is None:
        return "null"
    if is_list_type(kind):
        return "[" + ", ".join(_literal(item, kind.of_type) for item in value) + "]"
    if isinstance(kind, GraphQLInputObjectType):
        return (
            "{" + ", ".join(f"{name}: {_literal(item, kind.fields[name].type)}" for name, item in value.items()) + "}"
        )
    if isinstance(kind, GraphQLEnumType):
        return str(value)
    return _json_literal(value)


def _json_literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_json_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json_literal(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


__all__ = ["Operation", "OperationWriter"]
