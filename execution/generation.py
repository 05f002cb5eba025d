"""Python code for a plan: one function for each selection, and one for each field whose values a call returns.

The code reads like what somebody would write by hand for this one operation:

    def courses_nodes(value, run, courses_nodes_topics):
        '''Course at courses.nodes.'''
        if type(value) not in PLAIN: plain(value)
        part = {
            "title": (v if type(v := value.title) is str else String(v)),
            "topics": None,  # the next level
        }
        courses_nodes_topics.append((value, part))
        return part

Nothing that a client writes becomes code other than response keys, which the language limits to letters, digits and
underscores, and which are written as Python literals.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLOutputType,
    GraphQLString,
    default_type_resolver,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from orjson import Fragment

from core.selections import WHOLE
from execution.fields import InstanceOf
from execution.plan import TYPENAME, FieldPlan, Segment, Selection, column_of
from execution.values import PLAIN, AbnormalError, is_plain, leaf_table, listed, plain

# What a value of a built-in scalar passes when it is the response's value already; `first` names it for the first time.
_CHECKS = {
    GraphQLString: "type({first}) is str",
    GraphQLID: "type({first}) is str",
    GraphQLInt: "type({first}) is int and -2147483648 <= {v} <= 2147483647",
    GraphQLFloat: "type({first}) is float and isfinite({v})",
    GraphQLBoolean: "type({first}) is bool",
}
# Who resolves abstract types where the schema's author does not: by what `is_type_of` of each type says, in turn.
_OWN_RESOLVERS = frozenset({None, "strawberry.schema.schema_converter"})
_RESERVED = frozenset(
    {"value", "run", "part", "parts", "v", "kind", "home", "homes", "values", "item", "isfinite", "PLAIN", "plain"}
    | {
        "listed",
        "AbnormalError",
        "Fragment",
        "type",
        "str",
        "int",
        "float",
        "bool",
        "zip",
        "is",
        "True",
        "False",
        "None",
    }
)


class Namespace:
    """The global names of generated code.

    Attributes:
        names: what the code refers to, by name: readers, type checks, tables of enums; None for its own functions.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "PLAIN": PLAIN,
            "plain": plain,
            "listed": listed,
            "AbnormalError": AbnormalError,
            "Fragment": Fragment,
            "isfinite": isfinite,
        }
        self._known: dict[Any, str] = {}

    def fresh(self, wanted: str, value: Any) -> str:
        """Return a new name that is as near to the one that is wanted as can be, for an object or a function."""
        base = re.sub(r"\W", "_", wanted if value is not None else _snake(wanted))
        name, number = base, 1
        while name in self.names or name in _RESERVED or keyword.iskeyword(name):
            number += 1
            name = f"{base}_{number}"
        self.names[name] = value
        return name

    def constant(self, wanted: str, value: Any, identity: Any = None) -> str:
        """Return the name of an object that the code refers to; the same object has one name."""
        key = id(value) if identity is None else identity
        if key not in self._known:
            self._known[key] = self.fresh(wanted, value)
        return self._known[key]


class Generator:
    """Writes the code of one segment.

    Attributes:
        plain: whether completing values asks nothing of the run.
        completions: name of the function that completes a field's values, by the field's number.
        root: name of the function that answers the root.
    """

    def __init__(self, segment: Segment, space: Namespace) -> None:
        self.plain = True
        self.completions: dict[int, str] = {}
        self.root = ""
        self._segment = segment
        self._space = space
        self._functions: dict[int, str] = {}
        self._lists: dict[int, str] = {}
        self._chunks: list[str] = []

    def write(self) -> str:
        """Return the code."""
        root = self._segment.root
        self.root = self._space.fresh("root", None)
        self._declare(root)
        self._selection(root, self.root, None)
        for level in self._segment.levels:
            for field in (field for call in level for field in call.fields):
                for selection in field.selections.values():
                    self._declare(selection)
                self._completion(field)
        return "\n\n".join(self._chunks) + "\n"

    def _declare(self, selection: Selection) -> None:
        """Name the lists of homes that a level fills."""
        for field in selection.deferred():
            self._lists[field.number] = self._space.fresh("_".join(field.path) + "_homes", None)

    # Functions.

    def _completion(self, field: FieldPlan) -> None:
        """Write the function that puts a call's values in the places of one field."""
        name = self._space.fresh("complete_" + "_".join(field.path), None)
        self.completions[field.number] = name
        deferred = [each for selection in field.selections.values() for each in selection.deferred()]
        lines = [
            f"def {name}(run, homes, values):",
            f'    """{field.coordinate}: {field.type}, at {_at(field.path)}."""',
        ]
        lines += [f"    {self._lists[each.number]} = []" for each in deferred]
        value = self._expression(field.type, field, "value")
        lines += ["    for (_, home), value in zip(homes, values):", f"        home[{field.key!r}] = {value}"]
        lines.append(f"    return {_pairs(deferred, self._lists)}")
        self._chunks.append("\n".join(lines))

    def _permissions(self, selection: Selection) -> list[str]:
        """Return what asks for the columns of an object: once a completion, and only when there is an object."""
        policies = [
            field.declared.policy
            for field in selection.answered()
            if field.declared and not field.deferred and field.written is None
        ]
        lines = []
        for policy in dict.fromkeys(each for each in policies if each.check is not None):
            name = self._space.constant("policy_" + policy.name, policy, policy)
            self.plain = False
            lines.append(f"    if {name!r} not in run.allowed: run.require({name!r}, {name})")
        return lines

    def _selection(self, selection: Selection, name: str, field: FieldPlan | None, *, is_of_type: bool = False) -> None:
        """Write the function that answers one selection of one object, whose type may be known already."""
        lists = [self._lists[each.number] for each in selection.deferred()]
        lines = [f"def {name}({', '.join(['value', 'run', *lists])}):" if field else f"def {name}(run, value):"]
        lines.append(f'    """{selection.type.name} at {_at(selection.path)}."""')
        if field is None:
            lines += [f"    {each} = []" for each in lists]
        elif not is_of_type:
            lines += self._checks(selection, field)
        if selection.written:
            # Policies were asked before; nothing below is looked at.
            self._chunks.append("\n".join([*lines, f"    return Fragment(value[{WHOLE!r}])"]))
            return
        lines += self._permissions(selection)
        lines += [
            "    part = {",
            *(f"        {each.key!r}: {self._entry(selection, each)}" for each in selection.fields),
        ]
        lines.append("    }")
        lines += [f"    {self._lists[each.number]}.append((value, part))" for each in selection.fields if each.deferred]
        if field is not None and field.abstract:
            self.plain = False
            lines.append(f"    run.kinds.append((part, {self._space.constant('selection_' + name, selection)}))")
        answer = "part" if field else f"part, {_pairs(list(selection.deferred()), self._lists)}"
        lines.append(f"    return {answer}")
        if selection.error is not None:
            lines = [*lines[:2], "    raise AbnormalError"]
        self._chunks.append("\n".join(lines))

    def _checks(self, selection: Selection, field: FieldPlan) -> list[str]:
        lines = ["    if type(value) not in PLAIN: plain(value)"]
        is_type_of = selection.type.is_type_of
        if (condition := self._instance_of(selection)) is not None:
            lines = [f"    if not ({condition}): raise AbnormalError"]
        elif is_type_of is not None:
            check = self._space.constant(f"is_{_snake(selection.type.name)}", is_type_of, ("is", selection.type.name))
            self.plain = False
            lines.append(f"    if {check}(value, run.infos[{field.number}]) is not True: raise AbnormalError")
        return lines

    def _instance_of(self, selection: Selection) -> str | None:
        """Return the condition under which a value is of the type, if its class tells that."""
        is_type_of = selection.type.is_type_of
        if not isinstance(is_type_of, InstanceOf) or not all(is_plain(each) for each in is_type_of.classes):
            return None
        of = [self._space.constant(each.__name__, each) for each in is_type_of.classes]
        classes = of[0] if len(of) == 1 else f"({', '.join(of)})"
        condition = f"isinstance(value, {classes})"
        if is_type_of.kind is None:
            return condition
        name, kind = is_type_of.kind
        # A plain constant: an enum's member would be compared by Python code.
        plain_kind = str.__str__(kind) if isinstance(kind, str) else int(kind)
        return f"{condition} and value.{name} == {plain_kind!r}"

    def _entry(self, selection: Selection, field: FieldPlan) -> str:
        """Return the expression of one field, with a comma and perhaps a comment."""
        if field.name == TYPENAME:
            return f"{selection.type.name!r},"
        if field.deferred:
            return f"None,  # {field.coordinate}: the next level"
        if field.written is not None:
            source = f"value[{field.written!r}]"
            return (
                f"Fragment({source}),"
                if is_non_null_type(field.type)
                else (f"(None if (v := {source}) is None else Fragment(v)),")
            )
        column = column_of(field)
        if column.read is not None:
            name = f"read_{_snake(selection.type.name)}_{_snake(field.name)}"
            source = f"{self._space.constant(name, column.read)}(value)"
        elif column.default_resolver is getattr and column.python_name.isidentifier():
            source = f"value.{column.python_name}"
        else:
            source = f"{self._space.constant('get', column.default_resolver)}(value, {column.python_name!r})"
        return self._expression(field.type, field, source) + ","

    # Values.

    def _expression(self, kind: GraphQLOutputType, field: FieldPlan, source: str, depth: int = 0) -> str:
        """Return an expression for the completed value of `source`."""
        nullable = not is_non_null_type(kind)
        inner: Any = kind if nullable else kind.of_type  # type: ignore[union-attr]
        if is_leaf_type(inner):
            return self._leaf(inner, source, nullable=nullable)
        if not nullable:
            return self._composite(inner, field, source, depth)
        if source.isidentifier():
            return f"(None if {source} is None else {self._composite(inner, field, source, depth)})"
        return f"(None if (v := {source}) is None else {self._composite(inner, field, 'v', depth)})"

    def _composite(self, inner: Any, field: FieldPlan, source: str, depth: int) -> str:
        if is_list_type(inner):
            item = "item" if depth == 0 else f"item_{depth + 1}"
            each = self._expression(inner.of_type, field, item, depth + 1)
            return f"[{each} for {item} in listed({source})]"
        deferred = [each for below in field.selections.values() for each in below.deferred()]
        lists = (self._lists[each.number] for each in deferred)
        return f"{self._function(inner, field)}({', '.join([source, 'run', *lists])})"

    def _leaf(self, inner: Any, source: str, *, nullable: bool) -> str:
        table = self._space.constant(inner.name, leaf_table(inner), ("leaf", inner.name))
        first, v = (source, source) if source.isidentifier() else (f"v := {source}", "v")
        check = _CHECKS.get(inner)
        if check is not None:
            condition = check.format(first=first, v=v)
            condition = f"{condition} or {v} is None" if nullable else condition
            return f"({v} if {condition} else {table}({v}))"
        called = f"{table}[{{}}]" if is_enum_type(inner) else f"{table}({{}})"
        return f"(None if ({first}) is None else {called.format(v)})" if nullable else called.format(source)

    def _function(self, inner: Any, field: FieldPlan) -> str:
        """Return the name of the function that answers a field's objects; write it when it is new."""
        if field.number not in self._functions:
            name = self._functions[field.number] = self._space.fresh("_".join(field.path), None)
            if not field.abstract:
                self._selection(field.selections[inner.name], name, field)
                return name
            self._dispatch(inner, field, name)
        return self._functions[field.number]

    def _dispatch(self, inner: Any, field: FieldPlan, name: str) -> None:
        """Write the function that tells which object type a value of an abstract type is of."""
        lists = [self._lists[each.number] for below in field.selections.values() for each in below.deferred()]
        told = {type_name: self._instance_of(selection) for type_name, selection in field.selections.items()}
        by_class = getattr(inner.resolve_type, "__module__", None) in _OWN_RESOLVERS and None not in told.values()
        lines = [
            f"def {name}({', '.join(['value', 'run', *lists])}):",
            f'    """{inner.name} at {_at(field.path)}: the value tells its type."""',
        ]
        if not by_class:
            self.plain = False
            resolve = self._space.constant(f"type_of_{_snake(inner.name)}", inner.resolve_type or default_type_resolver)
            lines += [
                "    if type(value) not in PLAIN: plain(value)",
                f"    kind = {resolve}(value, run.infos[{field.number}], {self._space.constant(inner.name, inner)})",
            ]
        for type_name, selection in field.selections.items():
            function = self._space.fresh(f"{name}_as_{_snake(type_name)}", None)
            self._selection(selection, function, field, is_of_type=by_class)
            given = ", ".join(["value", "run", *(self._lists[each.number] for each in selection.deferred())])
            condition = told[type_name] if by_class else f"kind == {type_name!r}"
            lines.append(f"    if {condition}: return {function}({given})")
        lines.append("    raise AbnormalError")
        self._chunks.append("\n".join(lines))


def _pairs(fields: Sequence[FieldPlan], lists: dict[int, str]) -> str:
    """Return a dictionary from fields to the lists of their homes."""
    return "{" + ", ".join(f"{field.number}: {lists[field.number]}" for field in fields) + "}"


def _at(path: Sequence[str]) -> str:
    return ".".join(path) or "the root"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
