"""The permission matrix, measured: operations made from the schema, sent over HTTP by every role.

Nothing here knows a field by name but the few arguments of `ARGUMENTS`: what is added to the contract is reached,
sent and judged like the rest, as soon as `permission_world` has seeded an object of its type.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)

from core.ids import encode_id

YES, SIGN_IN, REFUSED, HIDDEN = "yes", "sign-in", "no", "hidden"
ROLES = ("stranger", "learner", "author", "instructor", "moderator", "administrator")
_CODES = {"UNAUTHENTICATED": SIGN_IN, "FORBIDDEN": REFUSED, "NOT_FOUND": HIDDEN}
_SCALARS = {"Int": "1", "Float": "1.0", "Boolean": "true", "DateTime": '"2026-03-01T12:00:00Z"'}
_DEEPEST = 5
_MOST_PATHS = 40
# What an argument or an input field is given, where its type and name do not say enough: by the path of names,
# such as `Mutation.enroll.input.courseId`. A literal of the GraphQL language.
ARGUMENTS: dict[str, str] = {
    "Mutation.signUp.input.email": '"newcomer@example.com"',
    "Mutation.signUp.input.password": '"correct horse battery"',
}
# The type that an id is of, where the name of the argument does not say it.
ID_TYPES = {"prerequisite": "Course", "rule": "RecommendationRule", "user": "User"}

Send = Callable[[str, str], Awaitable[Any]]
"""Given a document and a role, return the response's object."""


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a document: what is selected, and the key that its answer has (None for a fragment)."""

    selected: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes documents with the least that the schema asks for.

    Attributes:
        schema: the contract.
        ids: the opaque id of a seeded object, by type.
    """

    schema: GraphQLSchema
    ids: Mapping[str, str]

    def field(self, parent: str, name: str) -> str:
        """Return a field with its required arguments and the least selection."""
        parent_type: Any = self.schema.type_map[parent]
        field: GraphQLField = parent_type.fields[name]
        selection = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
        return f"{name}{self._arguments(parent, name, field)}{selection}"

    def mutation(self, name: str, given: Mapping[str, str] | None = None, *, told: str = "") -> str:
        """Return a mutation that asks for its refusals, and for more of its payload if `told` says so.

        `given` overrides input fields, by name.
        """
        root = self.schema.mutation_type
        assert root is not None
        field = root.fields[name]
        arguments = self._arguments("Mutation", name, field, given)
        return f"mutation {{ {name}{arguments} {{ userErrors {{ code message }} {told} }} }}"

    def selection(self, type_name: str, names: Container[str], deeper: Container[str]) -> str:
        """Return fields of a type, by coordinate, and of the types in `deeper` that they lead to."""
        found: Any = self.schema.type_map[type_name]
        selected = []
        for name, field in found.fields.items():
            if f"{type_name}.{name}" in names:
                inner = get_named_type(field.type)
                below = self.selection(inner.name, names, deeper) if inner.name in deeper else ""
                arguments = self._arguments(type_name, name, field)
                nested = f" {{ __typename {below} }}" if is_composite_type(inner) else ""
                selected.append(f"{name}{arguments}{nested}")
        return " ".join(selected)

    def paths(self, target: str) -> Iterator[list[Step]]:
        """Yield ways from the query root to objects of a type, the shortest first."""
        if target in self._nodes():
            yield self._node(target)
        yield from self._searched(target, [("Query", [])])
        # What lies too deep for that is below some object of its own.
        yield from self._searched(target, [(name, self._node(name)) for name in self._nodes() if name != target])

    def _nodes(self) -> list[str]:
        return [name for name in self.ids if "Node" in self._interfaces(name)]

    def _node(self, name: str) -> list[Step]:
        return [Step(f'node(id: "{self.ids[name]}")', "node"), Step(f"... on {name}", None)]

    def _searched(self, target: str, starts: Sequence[tuple[str, list[Step]]]) -> Iterator[list[Step]]:
        waiting = deque(starts)
        found = 0
        while waiting and found < _MOST_PATHS:
            here, path = waiting.popleft()
            if here == target:
                found += 1
                yield path
                continue
            if len(path) < _DEEPEST:
                waiting.extend(self._next(here, path))

    def _next(self, here: str, path: list[Step]) -> Iterator[tuple[str, list[Step]]]:
        found: Any = self.schema.type_map[here]
        if isinstance(found, GraphQLInterfaceType | GraphQLUnionType) and here != "Node":
            for one in self.schema.get_possible_types(found):
                yield one.name, [*path, Step(f"... on {one.name}", None)]
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in found.fields.items():
                inner = get_named_type(field.type)
                if is_composite_type(inner) and name not in {"node", "nodes"}:
                    yield inner.name, [*path, Step(f"{name}{self._arguments(here, name, field)}", name)]

    def _interfaces(self, name: str) -> set[str]:
        found: Any = self.schema.type_map[name]
        return (
            {one.name for one in found.interfaces}
            if isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
            else set()
        )

    def _arguments(self, parent: str, name: str, field: GraphQLField, given: Mapping[str, str] | None = None) -> str:
        listed = [
            f"{key}: {self._value(f'{parent}.{name}', key, argument, given or {})}"
            for key, argument in field.args.items()
            if is_required_argument(argument) or f"{parent}.{name}.{key}" in ARGUMENTS
        ]
        return f"({', '.join(listed)})" if listed else ""

    def _value(self, place: str, name: str, slot: GraphQLArgument | GraphQLInputField, given: Mapping[str, str]) -> str:
        """Return a literal for an argument or an input field."""
        if name in given:
            return given[name]
        chosen = ARGUMENTS.get(f"{place}.{name}")
        if chosen is not None:
            return chosen
        bare = slot.type.of_type if isinstance(slot.type, GraphQLNonNull) else slot.type
        inner: Any = get_named_type(slot.type)
        if isinstance(inner, GraphQLInputObjectType):
            text = self._object(f"{place}.{name}", inner, given)
        elif isinstance(inner, GraphQLEnumType):
            text = next(iter(inner.values))
        elif inner.name == "ID":
            text = f'"{self._id(place, name)}"'
        else:
            text = _SCALARS.get(inner.name, '"x"')
        return f"[{text}]" if isinstance(bare, GraphQLList) else text

    def _object(self, place: str, kind: GraphQLInputObjectType, given: Mapping[str, str]) -> str:
        wanted = {
            key: slot
            for key, slot in kind.fields.items()
            if is_required_input_field(slot) or f"{place}.{key}" in ARGUMENTS
        }
        # Strawberry checks `@oneOf` by itself, and graphql-core is not told.
        if kind.extensions["strawberry-definition"].is_one_of and not wanted:
            wanted = dict([next(iter(kind.fields.items()))])
        return "{" + ", ".join(f"{key}: {self._value(place, key, slot, given)}" for key, slot in wanted.items()) + "}"

    def _id(self, place: str, name: str) -> str:
        stem = re.sub(r"Ids?$", "", name)
        if stem in {"id", "ids"}:
            # `by: {id: …}` names what the field is called after.
            stem = place.split(".")[1] if "." in place else stem
        kind = ID_TYPES.get(stem, stem[:1].upper() + stem[1:])
        return self.ids.get(kind, encode_id(kind, 1))


async def reach(composer: Composer, send: Send, target: str) -> list[Step] | None:
    """Return a way on which some role finds an object of a type; None when nobody does."""
    if target == "Query":
        return []
    if target == "Node":
        return [Step(f'node(id: "{composer.ids["Course"]}")', "node")]
    for path in composer.paths(target):
        for role in ("administrator", "author", "learner"):
            if await outcome(send, role, path, "__typename", "__typename") == YES:
                return path
    return None


async def outcome(send: Send, role: str, path: Sequence[Step], selected: str, key: str) -> str:
    """Return what a role gets of a field at the end of a path."""
    document = selected
    for step in reversed(path):
        document = f"{step.selected} {{ {document} }}"
    response = await send(f"{{ {document} }}", role)
    refused = refusal(response.get("errors", ()))
    if refused is not None:
        return refused
    objects = [response["data"]]
    for step in path:
        if step.key is not None:
            objects = list(_flat(one.get(step.key) for one in objects))
    return YES if any(key in one for one in objects) else HIDDEN


async def mutation_outcome(send: Send, role: str, document: str) -> tuple[str, Mapping[str, Any]]:
    """Return what a role is answered to a mutation, and the data of the answer."""
    response = await send(document, role)
    refused = refusal(response.get("errors", ()))
    if refused is not None:
        return refused, {}
    (payload,) = response["data"].values()
    codes = [error["code"] for error in payload["userErrors"]]
    return next((_CODES[code] for code in codes if code in _CODES), YES), response["data"]


def answered(schema: GraphQLSchema, type_name: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the coordinate of every field in an answer."""
    found: Any = schema.type_map[type_name]
    for name, value in data.items():
        if name in getattr(found, "fields", {}):
            yield f"{type_name}.{name}"
            inner = get_named_type(found.fields[name].type).name
            for one in _flat([value]):
                if isinstance(one, dict):
                    yield from answered(schema, one.get("__typename", inner), one)


def refusal(errors: Sequence[Any]) -> str | None:
    """Return how errors refuse; None where there are none."""
    codes = {error["extensions"]["code"] for error in errors}
    if not codes:
        return None
    assert codes <= _CODES.keys(), errors
    return _CODES[min(codes)]


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        elif value is not None:
            yield value
