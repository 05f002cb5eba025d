"""When something may leave the contract: deprecated for a release, with a date, and used by no operation we know of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from graphql import GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, build_schema, parse, visit
from graphql.language import ArgumentNode, EnumValueNode, FieldNode, ObjectFieldNode

from tests.contract.npm_tools import HERE, node, npm_folder

_DATED = re.compile(r"\bsince \d{4}-\d{2}-\d{2}\b")


@dataclass(frozen=True, slots=True)
class Change:
    """A breaking change, as graphql-inspector names it; `path` is a schema coordinate such as `Course.title`."""

    path: str
    message: str


def breaking_changes(released: Path, current: Path) -> list[Change]:
    """Return what a client of the released contract could stumble over, by graphql-inspector."""
    done = node(HERE / "inspect.mjs", released, current, cwd=npm_folder())
    return [
        Change(change["path"], change["message"]) for change in json.loads(done.stdout) if change["level"] == "BREAKING"
    ]


def unlicensed(changes: Iterable[Change], released: GraphQLSchema, used: frozenset[str]) -> list[str]:
    """Return why changes may not be made, one line each; what was deprecated, dated and is unused may go."""
    found = []
    for change in changes:
        reason = _deprecation(released, change.path)
        if reason is None:
            found.append(f"{change.message} It was not deprecated in the last release.")
        elif not _DATED.search(reason):
            found.append(f"{change.message} Its deprecation has no date (`since YYYY-MM-DD`).")
        elif change.path in used:
            found.append(f"{change.message} An operation that is out there uses it.")
    return found


def used_coordinates(schema: GraphQLSchema, documents: Iterable[str]) -> frozenset[str]:
    """Return the coordinates of fields, arguments, input fields and enum values that documents use."""
    used: set[str] = set()
    for document in documents:
        info = TypeInfo(schema)
        visit(parse(document), TypeInfoVisitor(info, _Uses(info, used)))
    return frozenset(used)


class _Uses(Visitor):
    """Collects what a document uses."""

    def __init__(self, info: TypeInfo, used: set[str]) -> None:
        super().__init__()
        self._info = info
        self._used = used

    def enter_field(self, selected: FieldNode, *_: object) -> None:
        """Collect a field."""
        parent = self._info.get_parent_type()
        if parent is not None:
            self._used.add(f"{parent.name}.{selected.name.value}")

    def enter_argument(self, argument: ArgumentNode, *_: object) -> None:
        """Collect an argument, as graphql-inspector writes it."""
        parent, field = self._info.get_parent_type(), self._info.get_field_def()
        if parent is not None and field is not None:
            for name, known in getattr(parent, "fields", {}).items():
                if known is field:
                    self._used.add(f"{parent.name}.{name}.{argument.name.value}")

    def enter_object_field(self, given: ObjectFieldNode, *_: object) -> None:
        """Collect an input field."""
        parent = self._info.get_parent_input_type()
        named = getattr(parent, "of_type", parent)
        if named is not None and hasattr(named, "name"):
            self._used.add(f"{named.name}.{given.name.value}")

    def enter_enum_value(self, value: EnumValueNode, *_: object) -> None:
        """Collect an enum value."""
        named = self._info.get_input_type()
        named = getattr(named, "of_type", named)
        if named is not None and hasattr(named, "name"):
            self._used.add(f"{named.name}.{value.value}")


def _deprecation(schema: GraphQLSchema, path: str) -> str | None:
    type_name, _, rest = path.partition(".")
    kind = schema.type_map.get(type_name)
    name, _, argument = rest.partition(".")
    element = (getattr(kind, "fields", None) or getattr(kind, "values", None) or {}).get(name)
    if element is not None and argument:
        element = element.args.get(argument)
    reason: str | None = getattr(element, "deprecation_reason", None)
    return reason


def schema_of(path: Path) -> GraphQLSchema:
    """Return the schema that a file describes."""
    return build_schema(path.read_text(encoding="utf-8"))
