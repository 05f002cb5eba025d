"""Completing values exactly as graphql-core does, with paths and null bubbling: the way for whatever is abnormal.

It follows "Value Completion" and "Handling Execution Errors" of the GraphQL specification, section 6.4, and uses
graphql-core's own functions for messages. It runs over a plan, not over a document: fields of batch resolvers are left
open, for the next level.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

from graphql import (
    GraphQLError,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    Undefined,
    default_type_resolver,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.execution.executor import Executor, invalid_return_type_error
from graphql.pyutils import is_iterable
from orjson import Fragment
from strawberry.execution import optimized_is_awaitable as is_awaitable

from core.selections import WHOLE
from execution.plan import TYPENAME, FieldPlan, Selection, column_of

Path = tuple[str | int, ...]


class Run(Protocol):
    """What completing needs of a running operation."""

    schema: GraphQLSchema
    context: Any
    errors: list[GraphQLError]
    unwritten: bool

    def defer(self, field: FieldPlan, parent: Any, part: dict[str, Any]) -> None:
        """Remember an object whose field the next level answers."""

    def refusal(self, field: FieldPlan) -> Exception | None:
        """Return why a field of a batch resolver or a command cannot be asked for, whatever the parent."""

    def info(self, field: FieldPlan) -> GraphQLResolveInfo[Any]:
        """Return what type resolvers are told."""

    def remember_kind(self, part: dict[str, Any], selection: Selection) -> None:
        """Remember the selection of an object of an abstract type."""


class Completion:
    """Completes the values of one call, or of the root, object by object."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.failed = False

    async def field(self, field: FieldPlan, value: Any, path: Path) -> Any:
        """Return the completed value of a field, or None in its place after its error was recorded.

        Raises:
            GraphQLError: the field failed and may not be null.
        """
        try:
            return await self._value(field.type, field, value, path)
        except Exception as error:  # noqa: BLE001 - Whatever a resolver raises becomes an error of the response.
            self._record(error, field.type, field, path)
            return None

    async def selection(self, selection: Selection, parent: Any, path: Path) -> dict[str, Any]:
        """Return the object that answers a selection; what later levels answer in it is null until then.

        Raises:
            GraphQLError: a field failed that may not be null.
        """
        if selection.error is not None:
            raise selection.error
        part: dict[str, Any] = {}
        for field in selection.fields:
            if field.deferred and (refusal := self._run.refusal(field)) is not None:
                part[field.key] = await self.field(field, refusal, (*path, field.key))
            elif field.deferred:
                part[field.key] = None
                self._run.defer(field, parent, part)
            elif field.written is not None:
                part[field.key] = self._written(parent, field.written)
            elif field.name == TYPENAME:
                part[field.key] = selection.type.name
            else:
                part[field.key] = await self._column(field, parent, (*path, field.key))
        return part

    async def _column(self, field: FieldPlan, parent: Any, path: Path) -> Any:
        declared = column_of(field)
        try:
            declared.policy.enforce(self._run.context)
            if declared.read is not None:
                value = declared.read(parent)
            else:
                value = declared.default_resolver(parent, declared.python_name)
            if is_awaitable(value):
                value = await value
        except Exception as error:  # noqa: BLE001 - As above.
            value = error
        return await self.field(field, value, path)

    def _record(self, error: Exception, kind: GraphQLOutputType, field: FieldPlan, path: Path) -> None:
        self.failed = True
        located = located_error(error, field.nodes, list(path))
        if is_non_null_type(kind):
            raise located
        self._run.errors.append(located)

    async def _value(self, kind: GraphQLOutputType, field: FieldPlan, value: Any, path: Path) -> Any:
        if isinstance(value, BaseException):
            raise value
        if is_non_null_type(kind):
            completed = await self._value(kind.of_type, field, value, path)
            if completed is None:
                raise TypeError(f"Cannot return null for non-nullable field {field.coordinate}.")
            return completed
        if value is None or value is Undefined:
            return None
        if is_list_type(kind):
            return await self._list(kind.of_type, field, value, path)
        if is_leaf_type(kind):
            return Executor.complete_leaf_value(kind, value)
        if is_abstract_type(kind):
            return await self._abstract(kind, field, value, path)
        return await self._object(field.selections[get_named_type(kind).name], field, value, path)

    async def _list(self, item_type: GraphQLOutputType, field: FieldPlan, value: Any, path: Path) -> list[Any]:
        if hasattr(value, "__aiter__"):
            value = await _drained(value.__aiter__(), field, path)
        elif not is_iterable(value):
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{field.coordinate}'.")
        items: Iterable[Any] = value
        completed: list[Any] = []
        for number, item in enumerate(items):
            completed.append(await self._item(item_type, field, item, (*path, number)))
        return completed

    async def _item(self, kind: GraphQLOutputType, field: FieldPlan, item: Any, path: Path) -> Any:
        try:
            if is_awaitable(item):
                item = await item
            return await self._value(kind, field, item, path)
        except Exception as error:  # noqa: BLE001 - As above.
            self._record(error, kind, field, path)
            return None

    async def _abstract(self, kind: Any, field: FieldPlan, value: Any, path: Path) -> Any:
        info = self._run.info(field)
        name: Any = (kind.resolve_type or default_type_resolver)(value, info, kind)
        if is_awaitable(name):
            name = await name
        # The messages for types that do not fit are graphql-core's; its method needs nothing but the schema.
        found = Executor.ensure_valid_runtime_type(self._run, name, kind, field.details, info, value)  # type: ignore[arg-type]
        selection = field.selections[found.name]
        part = await self._object(selection, field, value, path)
        self._run.remember_kind(part, selection)
        return part

    async def _object(self, selection: Selection, field: FieldPlan, value: Any, path: Path) -> Any:
        is_type_of = selection.type.is_type_of
        if is_type_of is not None:
            fits: Any = is_type_of(value, self._run.info(field))
            if is_awaitable(fits):
                fits = await fits
            if not fits:
                raise invalid_return_type_error(selection.type, value, field.details)
        return self._written(value, WHOLE) if selection.written else await self.selection(selection, value, path)

    def _written(self, row: Any, name: str) -> Any:
        """Return what is written in a column of a row; None where that is null."""
        try:
            text = row[name]
        except (KeyError, TypeError):
            self._run.unwritten = True
            raise
        return None if text is None else Fragment(text)


async def _drained(iterator: AsyncIterator[Any], field: FieldPlan, path: Path) -> list[Any]:
    items: list[Any] = []
    try:
        async for item in iterator:
            items.append(item)  # noqa: PERF401 - What came before a failure is not needed; the loop says so plainly.
    except Exception as error:
        raise located_error(error, field.nodes, list(path)) from error
    return items
