"""Which parts of a query PostgreSQL writes as JSON itself, found out when the query is compiled.

Where a batch field says what rows its resolver returns (`rows`), and everything that is selected of such a row is a
plain column of it or is reached by a `relation`, the resolver is asked for rows that have the answer's text in a
column, and generated code puts the text where the object belongs. Where only some batch fields can be had that way,
those are written, and the rest is done level by level as ever.

What is written is not looked at any more. So only that is written which cannot fail: a value that may be something
else than its type allows, a policy that looks at parents, an argument that may be refused, all of these are left to
the ordinary way, either here or, where the request decides, by `Writing.prepare`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field as attribute
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLOutputType,
    GraphQLScalarType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues

from core.selections import (
    CONSTANT,
    ENUM,
    OPAQUE,
    Relation,
    Rows,
    Selection as WrittenSelection,
    Total,
    Written,
    WrittenField,
    WrittenObject,
    WrittenValue,
)
from execution.arguments import Arguments
from execution.fields import BatchField, ColumnField, InstanceOf
from execution.plan import TYPENAME, Call, FieldPlan, Selection
from execution.policies import Policy

# A statement that writes more is long to plan.
_MOST_FIELDS = 400
# By the names of Relay's specification.
_PAGE_INFO, _MORE = "PageInfo", frozenset({"hasNextPage", "hasPreviousPage"})


class _UnwritableError(Exception):
    """Something of a selection has to be done in Python."""


@dataclass(eq=False, slots=True)
class Plan:
    """What is written of the rows of one call.

    Attributes:
        selection: for the resolver.
        relations: the batch fields in it, with what the names of their parameters begin with.
        policies: that guard it.
    """

    selection: WrittenSelection
    relations: list[tuple[FieldPlan, str]] = attribute(default_factory=list)
    policies: set[Policy] = attribute(default_factory=set)


def plan(call: Call) -> Plan | None:
    """Plan what is written for a call; mark it in the selections below it, whose fields are not called then.

    Nothing is, unless the call answers one field, and the objects that it is about stand at one place below that.
    """
    field = call.fields[0]
    rows = field.declared.rows if isinstance(field.declared, BatchField) else None
    if rows is None or len(call.fields) > 1:
        return None
    total = any(_is_total(below) for selection in field.selections.values() for below in selection.deferred())
    more = any(_wants_more(selection) for selection in field.selections.values())
    found = list(_reached(field, rows.type))
    if len(found) != 1:
        return Plan(WrittenSelection(total=total, more=more)) if total else None
    (selection,) = found
    try:
        walk = _Walk()
        whole = WrittenObject(((None, walk.entries(selection, rows)),))
    except _UnwritableError:
        return _in_part(selection, total=total, more=more)
    selection.written = True
    return Plan(WrittenSelection(whole, total=total, more=more), walk.relations, walk.policies)


def _is_total(field: FieldPlan) -> bool:
    return isinstance(field.declared, BatchField) and isinstance(field.declared.relation, Total)


def _wants_more(page: Selection) -> bool:
    """Say whether it is asked if rows come before or after a page."""
    infos = [each for each in page.fields if get_named_type(each.type).name == _PAGE_INFO]
    return any(
        told.name in _MORE for info in infos for selection in info.selections.values() for told in selection.fields
    )


def _in_part(selection: Selection, *, total: bool, more: bool) -> Plan | None:
    """Plan what is written of objects of which some fields are not."""
    found = Plan(WrittenSelection())
    fields = []
    for field in selection.fields:
        walk = _Walk()
        try:
            written = walk.field(field)
        except _UnwritableError:
            continue
        name = f"written_{field.number}"
        field.written = name
        fields.append((name, written))
        found.relations += walk.relations
        found.policies |= walk.policies
    found.selection = WrittenSelection(fields=tuple(fields), total=total, more=more)
    return found if fields or total else None


def _reached(field: FieldPlan, type_name: str) -> Iterator[Selection]:
    """Yield the selections of a kind of object that are reached from a field through columns."""
    if field.abstract:
        return
    for selection in field.selections.values():
        if selection.type.name == type_name:
            yield selection
        else:
            for below in selection.fields:
                if not below.deferred and below.name != TYPENAME:
                    yield from _reached(below, type_name)


class _Walk:
    """Translates selections, or finds that it cannot.

    Attributes:
        relations: that were met.
        policies: that guard what was met.
    """

    def __init__(self) -> None:
        self.relations: list[tuple[FieldPlan, str]] = []
        self.policies: set[Policy] = set()
        self._left = _MOST_FIELDS

    def entries(self, selection: Selection, rows: Rows) -> tuple[WrittenValue | WrittenField, ...]:
        """Return what is written of an object."""
        if selection.error is not None:
            raise _UnwritableError
        return tuple([self._entry(selection, field, rows) for field in selection.fields])

    def _entry(self, selection: Selection, field: FieldPlan, rows: Rows) -> WrittenValue | WrittenField:
        self._count()
        if field.name == TYPENAME:
            return WrittenValue(field.key, selection.type.name, CONSTANT)
        if isinstance(field.declared, ColumnField):
            return self._value(field, field.declared, rows)
        return self.field(field)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _UnwritableError

    def _value(self, field: FieldPlan, column: ColumnField, rows: Rows) -> WrittenValue:
        nullable, kind = _unwrapped(field.type)
        opaque = getattr(column.read, "opaque", None)
        if opaque is not None:
            found = WrittenValue(field.key, "id", OPAQUE, nullable, of=opaque)
        elif column.read is not None or column.default_resolver is not getattr:
            raise _UnwritableError
        elif isinstance(kind, GraphQLEnumType):
            names = frozenset(name for name, each in kind.values.items() if _is_name(each.value, name))
            found = WrittenValue(field.key, column.python_name, ENUM, nullable, values=names)
        elif isinstance(kind, GraphQLScalarType):
            found = WrittenValue(field.key, column.python_name, kind.name, nullable)
        else:
            raise _UnwritableError
        self._guard(column.policy)
        if not rows.can_write(found):
            raise _UnwritableError
        return found

    def field(self, field: FieldPlan) -> WrittenField:
        """Return what is written of a batch field."""
        declared = field.declared
        relation = declared.relation if isinstance(declared, BatchField) else None
        if relation is None or declared is None or isinstance(relation, Total):
            raise _UnwritableError
        self._guard(declared.policy)
        prefix = f"written_{field.number}_"
        self.relations.append((field, prefix))
        nullable, kind = _unwrapped(field.type)
        if not nullable and not relation.certain and not relation.many:
            raise _UnwritableError
        if relation.rows is None:
            if not is_leaf_type(kind):
                raise _UnwritableError
            return WrittenField(field.key, relation, prefix)
        if relation.paged:
            return self._page(field, relation, prefix)
        if is_list_type(kind) != relation.many or get_named_type(kind).name != relation.rows.type:
            raise _UnwritableError
        return WrittenField(field.key, relation, prefix, self._object(field, relation.rows))

    def _page(self, field: FieldPlan, relation: Relation, prefix: str) -> WrittenField:
        """Return what is written of a connection, which may be asked for its nodes and for nothing else."""
        if field.abstract or len(field.selections) != 1 or relation.rows is None:
            raise _UnwritableError
        (page,) = field.selections.values()
        nodes: list[FieldPlan] = []
        wrapped: list[tuple[str, str | None]] = []
        for each in page.fields:
            self._count()
            if each.name == TYPENAME:
                wrapped.append((each.key, page.type.name))
            elif isinstance(each.declared, ColumnField) and _is_nodes(each, each.declared, relation.rows.type):
                self._guard(each.declared.policy)
                nodes.append(each)
                wrapped.append((each.key, None))
            else:
                raise _UnwritableError
        # One selection, under one name: whoever wants two lists of the same is answered the ordinary way.
        if len(nodes) != 1 or page.error is not None:
            raise _UnwritableError
        return WrittenField(field.key, relation, prefix, self._object(nodes[0], relation.rows), tuple(wrapped))

    def _object(self, field: FieldPlan, rows: Rows) -> WrittenObject:
        """Return what is written of each row of a field, by its kind."""
        if not field.abstract:
            (selection,) = field.selections.values()
            return WrittenObject(((None, self.entries(selection, rows)),))
        kinds: list[tuple[str | None, tuple[WrittenValue | WrittenField, ...]]] = []
        told_by = set()
        for selection in field.selections.values():
            told = selection.type.is_type_of
            if not isinstance(told, InstanceOf) or told.kind is None:
                raise _UnwritableError
            name, value = told.kind
            told_by.add(name)
            kinds.append((str(value), self.entries(selection, rows)))
        if len(told_by) != 1:
            raise _UnwritableError
        return _narrowed(WrittenObject(tuple(kinds), told_by.pop()), rows)

    def _guard(self, policy: Policy) -> None:
        if policy.check_parents is not None:
            raise _UnwritableError
        if policy.check is not None:
            self.policies.add(policy)


def _narrowed(written: WrittenObject, rows: Rows) -> WrittenObject:
    """Return an object whose kind is not asked for where all kinds have the same plain values."""
    kinds = frozenset(str(kind) for kind, _ in written.kinds)
    if not rows.can_write(WrittenValue("", str(written.told_by), ENUM, values=kinds)):
        raise _UnwritableError
    first = written.kinds[0][1]
    alike = all(
        len(entries) == len(first) and all(_is_alike(one, other) for one, other in zip(entries, first, strict=True))
        for _, entries in written.kinds
    )
    return WrittenObject(((None, first),)) if alike else written


def _is_alike(one: WrittenValue | WrittenField, other: WrittenValue | WrittenField) -> bool:
    if isinstance(one, WrittenField) or isinstance(other, WrittenField):
        return False
    return _told(one) == _told(other)


def _told(value: WrittenValue) -> tuple[Any, ...]:
    return (value.key, value.name, value.form, value.nullable, value.of, value.values)


def _is_nodes(field: FieldPlan, column: ColumnField, type_name: str) -> bool:
    plain = column.read is None and column.default_resolver is getattr and column.python_name == "nodes"
    return plain and get_named_type(field.type).name == type_name


def _is_name(value: Any, name: str) -> bool:
    return bool(getattr(value, "value", value) == name)


def _unwrapped(kind: GraphQLOutputType) -> tuple[bool, Any]:
    return (False, kind.of_type) if is_non_null_type(kind) else (True, kind)


@dataclass(frozen=True, eq=False, slots=True)
class Writing:
    """What is written for one call, as requests ask for it.

    Attributes:
        selection: for the resolver.
        relations: what makes the arguments of each relation, with what the names of its parameters begin with.
        policies: that guard it.
        constant: what the resolver is given, where that is the same for all requests.
    """

    selection: WrittenSelection
    relations: Sequence[tuple[Relation, str, Arguments]]
    policies: Sequence[Policy]
    constant: Written | None = None

    def prepare(self, context: Any, variables: VariableValues) -> Written | None:
        """Return what the resolver is given; None where something is refused, which the ordinary way has words for."""
        if any(policy.check is not None and policy.check(context) is not None for policy in self.policies):
            return None
        if self.constant is not None:
            return self.constant
        parameters: dict[str, Any] = {}
        for relation, prefix, arguments in self.relations:
            try:
                found: Mapping[str, Any] | None = relation.parameters(arguments.bind(variables, context))
            except Exception:  # noqa: BLE001 - The ordinary way will meet it again, and tell it of each field.
                return None
            if found is None:
                return None
            for name, value in found.items():
                parameters[prefix + name] = value
        return Written(self.selection, parameters)
