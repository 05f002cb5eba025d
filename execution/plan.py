"""What an operation does, known before it runs: selections, and the levels of batch calls below one another.

A *selection* is what is answered of one object type at one place of the response. Columns, and whatever is reached
through columns, belong to the selection's own level; the fields of batch resolvers and commands begin the next one.
Fields are collected and merged by graphql-core's own functions, so that fragments, aliases and conditions mean
exactly what they mean there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field as attribute
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    print_ast,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from execution.fields import BatchField, ColumnField, CommandField, DeclaredField
from execution.support import UnsupportedOperationError, check_type, declared_field

MOST_FIELDS = 5_000
TYPENAME = "__typename"


@dataclass(eq=False, slots=True)
class FieldPlan:
    """One field of a selection.

    Attributes:
        number: tells it from the other fields of the plan.
        key: its name in the response.
        parent: the object type that it is a field of.
        definition: of the schema.
        details: its nodes in the document, all that were merged.
        path: keys from the root of the response to it, without places in lists.
        declared: how it is answered; None for `__typename`.
        selections: what is answered below it, by the name of the object type; empty for scalars and enums.
        written: the column of the parent's row that has the field as JSON; None for what is answered here.
    """

    number: int
    key: str
    parent: GraphQLObjectType
    definition: GraphQLField
    details: list[FieldDetails]
    path: tuple[str, ...]
    declared: DeclaredField | None
    selections: dict[str, Selection] = attribute(default_factory=dict)
    written: str | None = None

    @property
    def type(self) -> GraphQLOutputType:
        """The type that its value is completed as."""
        return self.definition.type

    @property
    def nodes(self) -> list[FieldNode]:
        """Its nodes in the document."""
        return [each.node for each in self.details]

    @property
    def name(self) -> str:
        """Its name in the schema."""
        return self.details[0].node.name.value

    @property
    def coordinate(self) -> str:
        """Its schema coordinate, `Type.field`."""
        return f"{self.parent.name}.{self.name}"

    @property
    def deferred(self) -> bool:
        """Whether it is answered by a call, and so on the next level."""
        return self.written is None and isinstance(self.declared, BatchField | CommandField)

    @property
    def abstract(self) -> bool:
        """Whether the value decides which object type it is of."""
        return is_abstract_type(get_named_type(self.type))


@dataclass(eq=False, slots=True)
class Selection:
    """What is answered of one object type at one place.

    Attributes:
        type: the object type.
        path: as in `FieldPlan`.
        fields: in the order of the response.
        error: why its fields cannot be told, such as a null in the place of a condition; its objects fail with it.
        written: whether its objects come with their JSON, and nothing of them is answered here.
    """

    type: GraphQLObjectType
    path: tuple[str, ...]
    fields: list[FieldPlan] = attribute(default_factory=list)
    error: GraphQLError | None = None
    written: bool = False

    def columns(self) -> Iterator[FieldPlan]:
        """Yield the plain values of the whole level: its own, and those of the objects reached through them."""
        for field in self.answered():
            if not field.deferred and field.written is None:
                yield field
                for selection in field.selections.values():
                    yield from selection.columns()

    def deferred(self) -> Iterator[FieldPlan]:
        """Yield the fields that the next level answers, in document order."""
        for field in self.answered():
            if field.deferred:
                yield field
            elif field.written is None:
                for selection in field.selections.values():
                    yield from selection.deferred()

    def answered(self) -> list[FieldPlan]:
        """Return the fields that are not written with the whole object."""
        return [] if self.written else self.fields


@dataclass(eq=False, slots=True)
class Call:
    """One call on a level: a batch resolver or a command, with the same arguments for all parents.

    Attributes:
        declared: what is called, and under which policy.
        fields: the places that it answers; several when the document asks for the same thing at several of them.
        written: what is asked for as JSON; None for plain rows.
    """

    declared: BatchField | CommandField
    fields: list[FieldPlan]
    written: Any = None


@dataclass(eq=False, slots=True)
class Segment:
    """A part of an operation that runs on its own: a whole query, or one root field of a mutation."""

    root: Selection
    levels: list[list[Call]]

    def all_fields(self) -> Iterator[FieldPlan]:
        """Yield every field of the segment, whoever answers it."""
        waiting = [self.root]
        while waiting:
            for field in waiting.pop().fields:
                yield field
                waiting += field.selections.values()


def build_segments(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    variables: VariableValues,
    write: Callable[[Call], Any] | None = None,
) -> list[Segment]:
    """Return the segments of an operation, in the order that they run in.

    Args:
        schema: that the document is valid against.
        operation: to be executed.
        fragments: of the document, by name.
        variables: coerced; only those in `@skip` and `@include` are looked at.
        write: plans what of a call's objects is written, and marks what is not answered any more; None for nothing.

    Raises:
        UnsupportedOperationError: a field cannot be compiled.
        GraphQLError: a condition at the root cannot be told.
    """
    root_type = schema.get_root_type(operation.operation)
    if root_type is None:
        raise UnsupportedOperationError(f"the schema has no {operation.operation.value} type")
    planner = _Planner(schema, operation, {name: FragmentDetails(each) for name, each in fragments.items()}, variables)
    root = planner.root(root_type)
    if operation.operation is OperationType.MUTATION:
        roots = [Selection(root_type, (), [field]) for field in root.fields]
    else:
        roots = [root]
    return [Segment(each, _levels(each, write)) for each in roots]


class _Planner:
    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = fragments
        self._variables = variables
        self._count = 0

    def root(self, root_type: GraphQLObjectType) -> Selection:
        collected = collect_fields(self._schema, self._fragments, self._variables, root_type, self._operation)
        selection = Selection(root_type, ())
        self._fill(selection, collected.grouped_field_set)
        return selection

    def _below(self, object_type: GraphQLObjectType, field: FieldPlan) -> Selection:
        selection = Selection(object_type, field.path)
        try:
            collected = collect_subfields(
                self._schema, self._fragments, self._variables, self._operation, object_type, field.details
            )
        except GraphQLError as error:
            selection.error = error
        else:
            self._fill(selection, collected.grouped_field_set)
        return selection

    def _fill(self, selection: Selection, grouped: dict[str, list[FieldDetails]]) -> None:
        for key, details in grouped.items():
            selection.fields.append(self._field(selection, key, details))

    def _field(self, selection: Selection, key: str, details: list[FieldDetails]) -> FieldPlan:
        parent = selection.type
        name = details[0].node.name.value
        definition = self._schema.get_field(parent, name)
        if definition is None:
            raise UnsupportedOperationError(f"{parent.name}.{name} does not exist")
        declared = None
        if name != TYPENAME:
            in_mutation = parent is self._schema.mutation_type and not selection.path
            declared = declared_field(f"{parent.name}.{name}", definition, in_mutation=in_mutation)
        self._count += 1
        if self._count > MOST_FIELDS:
            raise UnsupportedOperationError(f"it selects more than {MOST_FIELDS} fields, counted for every type")
        field = FieldPlan(self._count, key, parent, definition, details, (*selection.path, key), declared)
        named = get_named_type(definition.type)
        if is_composite_type(named):
            check_type(named)
            possible: Any = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]
            for each in possible:
                check_type(each)
            field.selections = {each.name: self._below(each, field) for each in possible}
        return field


def _levels(root: Selection, write: Callable[[Call], Any] | None) -> list[list[Call]]:
    levels: list[list[Call]] = []
    fields = list(root.deferred())
    while fields:
        calls = _calls(fields)
        if write is not None:
            for call in calls:
                call.written = write(call)
        levels.append(calls)
        fields = [
            deeper for field in fields for selection in field.selections.values() for deeper in selection.deferred()
        ]
    return levels


def _calls(fields: Sequence[FieldPlan]) -> list[Call]:
    """Return one call for all fields that ask the same resolver the same question."""
    calls: dict[Any, Call] = {}
    for field in fields:
        declared = field.declared
        assert isinstance(declared, BatchField | CommandField)  # noqa: S101 - Only these are deferred.
        call = calls.setdefault(_question(field, declared), Call(declared, []))
        call.fields.append(field)
    return list(calls.values())


def _question(field: FieldPlan, declared: BatchField | CommandField) -> Any:
    if isinstance(declared, CommandField):
        return field.number
    given = tuple(sorted((each.name.value, print_ast(each.value)) for each in field.nodes[0].arguments or ()))
    # Copies of a generic type's field share their stub, and with it the arguments that a client can give.
    stub = declared.base_resolver if field.definition.args else None
    return (declared.resolver, declared.policy, stub and id(stub), given)


def column_of(field: FieldPlan) -> ColumnField:
    """Return the declaration of a plain value."""
    declared = field.declared
    assert isinstance(declared, ColumnField)  # noqa: S101 - Callers have looked.
    return declared
