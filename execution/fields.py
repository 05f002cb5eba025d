"""The four kinds of fields that a schema is made of, each with a policy and a description.

- `column`: a plain value of the parent, read from its row.
- `batch`: answered by a batch resolver for all parents of one level at once.
- `command`: a mutation; its expected refusals become `userErrors`.
- `subscription`: a stream of values, each of them allowed anew.

A declaration is a stub: its signature gives the GraphQL arguments and type, its docstring the description,
and its body is never run.

    @strawberry.type(description="A course.")
    class Course(Node):
        title: str = column(ANYONE, "What the course is called.")

        @batch(courses.topics, policy=ANYONE)
        def topics(self) -> list[Topic]:
            '''What the course is about, most important first.'''
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Self

import strawberry
from strawberry.types.base import StrawberryContainer, StrawberryList, has_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.info import Info
from strawberry.types.lazy_type import LazyType
from strawberry.types.union import StrawberryUnion
from typing_extensions import override

from core.errors import CommandError
from core.selections import Relation, Rows, Total
from execution.dataloading import BatchResolver, load
from execution.directives import COMMAND_COST, CacheHint, Cost, ListSize, list_size, page_size
from execution.policies import Policy

Command = Callable[..., Awaitable[Any]]
Refusal = Callable[[CommandError], Any]
Stream = Callable[..., AsyncGenerator[Any, None]]
_DECLARED = ("policy", "cost", "size", "cached")
_SOURCE_NAMES = ("self", "root", "parent")


class DeclaredField(StrawberryField):
    """A field of ours: nothing without a policy and a description can be one."""

    policy: Policy
    cost: int | None = None
    size: ListSize | None = None
    cached: CacheHint | None = None

    @property
    def directives(self) -> list[object]:
        """Return what the contract says of the field besides its type; what goes without saying is not said."""
        weight = self.default_cost() if self.cost is None else self.cost
        said: list[object] = [] if weight is None else [Cost(weight=str(weight))]
        if self.size is not None:
            said.append(self.size)
        if self.cached is not None:
            said.append(self.cached.directive())
        return said

    @directives.setter
    def directives(self, _given: object) -> None:
        """Take none: Strawberry's own way to give a field directives is closed."""

    @property
    def is_object(self) -> bool:
        """Say whether its values, or those of its list, are objects."""
        return _is_object(self.type)

    def default_cost(self) -> int | None:
        """Return what each value costs where the declaration does not say; None for what the specification says."""
        return None

    def __copy__(self) -> Self:
        """Copy with the policy; Strawberry copies fields when a generic type is made concrete."""
        duplicate: Self = super().__copy__()
        duplicate.__dict__.update({name: self.__dict__[name] for name in self._OWN if name in self.__dict__})
        return duplicate

    _OWN: tuple[str, ...] = _DECLARED


class ColumnField(DeclaredField):
    """A plain value of the parent."""

    read: Callable[[Any], Any] | None = None
    _OWN = (*_DECLARED, "read")

    @override
    def default_cost(self) -> int | None:
        """Return nothing for an object that comes with its parent; each of a list of them costs something."""
        return 0 if self.is_object and not _is_list(self.type) else None

    @property
    @override
    def is_basic_field(self) -> bool:
        """Say whether the value needs no request context, and so no policy check."""
        return bool(self.policy.check is None and super().is_basic_field)

    @override
    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return the value of one parent, if the policy allows."""
        if info is not None:
            self.policy.enforce(info.context)
        if self.read is not None:
            return self.read(source)
        return self.default_resolver(source, self.python_name)


class BatchField(DeclaredField):
    """A field answered by a batch resolver."""

    resolver: BatchResolver
    rows: Rows | None = None
    relation: Relation | Total | None = None
    _OWN = (*_DECLARED, "resolver", "rows", "relation")

    @override
    def default_cost(self) -> int | None:
        """Return a price for values that are computed, whatever their type."""
        return None if self.is_object else 1

    @override
    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return an awaitable of one parent's result, if the policy allows."""
        assert info is not None  # noqa: S101 - Strawberry passes it to every field with a resolver.
        self.policy.enforce(info.context)
        return load(info.context, self.resolver, self.policy, source, resolver_arguments(kwargs))


class CommandField(DeclaredField):
    """A mutation."""

    command: Command
    refusal: Refusal
    _OWN = (*_DECLARED, "command", "refusal")

    @override
    def default_cost(self) -> int | None:
        """Return the price of a change."""
        return COMMAND_COST

    @override
    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return an awaitable of the payload, if the policy allows."""
        assert info is not None  # noqa: S101 - as above.
        self.policy.enforce(info.context)
        return self.run(info.context, resolver_arguments(kwargs))

    async def run(self, context: Any, arguments: dict[str, Any]) -> Any:
        """Return the payload: of the command, or of its refusal."""
        # What was loaded before a mutation may not be what is true after it.
        context.loaders.clear()
        try:
            return await self.command(context, **arguments)
        except CommandError as refused:
            return self.refusal(refused)


class SubscriptionField(DeclaredField):
    """A stream of values."""

    stream: Stream
    _OWN = (*_DECLARED, "stream")

    @override
    def get_result(self, source: Any, info: Info | None, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return the stream, if the policy allows."""
        assert info is not None  # noqa: S101 - as above.
        self.policy.enforce(info.context)
        return self._values(info.context, resolver_arguments(kwargs))

    async def _values(self, context: Any, arguments: dict[str, Any]) -> AsyncGenerator[Any, None]:
        # Closed here and not by the garbage collector: what the stream holds is let go of when the client leaves.
        async with aclosing(self.stream(context, **arguments)) as values:
            async for value in values:
                # What was allowed and loaded for the value before this one may have changed since.
                self.policy.enforce(context)
                context.loaders.clear()
                yield value


def column(
    policy: Policy,
    description: str,
    *,
    read: Callable[[Any], Any] | None = None,
    cached: CacheHint | None = None,
    deprecation_reason: str | None = None,
) -> Any:
    """Declare a plain value.

    Args:
        policy: who may see it.
        description: what a frontend developer must know.
        read: how to get it from the parent; the attribute of the field's name when not given.
        cached: how long answers with it may be kept, for an object: without, not at all. Other values may be kept as
            long as their object.
        deprecation_reason: what to use instead, and since when.
    """
    _refuse_parents_check(policy, "a column")
    field = ColumnField(description=description, deprecation_reason=deprecation_reason)
    field.policy = policy
    field.read = read
    field.cached = _hint(cached, policy)
    return field


def batch(
    resolver: BatchResolver,
    *,
    policy: Policy,
    cost: int | None = None,
    size: ListSize | None = None,
    cached: CacheHint | None = None,
    rows: Rows | None = None,
    relation: Relation | Total | None = None,
    deprecation_reason: str | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field that a batch resolver answers: `resolver(context, parents, **arguments)`.

    Args:
        resolver: answers all parents of a level.
        policy: who may ask.
        cost: of each value; 1 when not given.
        size: of the list before it is read; when not given, that of a page for what has the argument `first`, and an
            assumed one for other lists.
        cached: how long answers with the field may be kept; not at all when not given.
        rows: what the resolver returns, or the nodes of what it returns, if it can have them written: then it takes
            the argument `written`, a `core.selections.Written` or None.
        relation: how the database finds the same values from the row of a parent, if it can; for the same arguments
            they must be the resolver's. For the length of the list that the parent is a page of, `Total()`.
        deprecation_reason: what to use instead, and since when.
    """
    if isinstance(resolver, StrawberryField):
        # In a class body the name of a field already declared hides a resolver of the same name.
        raise TypeError(f"{resolver.python_name} is a field, not a batch resolver.")

    def declare(stub: Callable[..., Any]) -> Any:
        field = BatchField(description=_description(stub), deprecation_reason=deprecation_reason)
        field.policy = policy
        field.resolver = resolver
        field.cost = cost
        field.size = _size_of(stub) if size is None else size
        field.cached = _hint(cached, policy)
        field.rows = rows
        field.relation = relation
        return field(StrawberryResolver(stub))

    return declare


def command(
    resolver: Command, *, policy: Policy, refusal: Refusal, cost: int | None = None, size: ListSize | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a mutation: `resolver(context, **arguments)` returns its payload.

    Args:
        resolver: runs the mutation in one transaction.
        policy: who may call it.
        refusal: makes the payload of a mutation that was refused with a `CommandError`.
        cost: of running it; 10 when not given.
        size: of the lists in its payload, before they are known.
    """
    _refuse_parents_check(policy, "a command")

    def declare(stub: Callable[..., Any]) -> Any:
        field = CommandField(description=_description(stub))
        field.policy = policy
        field.command = resolver
        field.refusal = refusal
        field.cost = cost
        field.size = size
        return field(StrawberryResolver(stub))

    return declare


def subscription(resolver: Stream, *, policy: Policy) -> Callable[[Callable[..., Any]], Any]:
    """Declare a subscription: `resolver(context, **arguments)` returns an async generator of its values.

    Args:
        resolver: raises a `ClientError` at its first value when the caller may not have it, and later when they
            may not any more; that ends the subscription.
        policy: who may subscribe; asked again before every value.
    """
    _refuse_parents_check(policy, "a subscription")

    def declare(stub: Callable[..., Any]) -> Any:
        field = SubscriptionField(description=_description(stub), is_subscription=True)
        field.policy = policy
        field.stream = resolver
        return field(StrawberryResolver(stub))

    return declare


def _refuse_parents_check(policy: Policy, declared: str) -> None:
    if policy.check_parents is not None:
        raise TypeError(f"The policy {policy.name} looks at parents, which only a batch field can ask; not {declared}.")


def _hint(cached: CacheHint | None, policy: Policy) -> CacheHint | None:
    if cached is not None and (policy.check is not None or policy.check_parents is not None):
        raise TypeError(f"What the policy {policy.name} guards is not for everybody, and so not to be kept.")
    return cached


def _size_of(stub: Callable[..., Any]) -> ListSize | None:
    """Return the size of what a stub declares: by its arguments, and by how its type is written."""
    written = str(stub.__annotations__.get("return", ""))
    listed = written.startswith("list[")
    given = [name for name in ("first", "last") if name in inspect.signature(stub).parameters]
    if given:
        return list_size(by="first") if listed else page_size(given)
    # A list of texts is one value: it costs what computing it costs, whatever its length.
    return list_size() if listed and not written.startswith("list[str]") else None


def _is_list(kind: Any) -> bool:
    while isinstance(kind, StrawberryContainer):
        if isinstance(kind, StrawberryList):
            return True
        kind = kind.of_type
    return False


def _is_object(kind: Any) -> bool:
    while isinstance(kind, StrawberryContainer):
        kind = kind.of_type
    return isinstance(kind, LazyType | StrawberryUnion) or has_object_definition(kind)


class InstanceOf:
    """An `is_type_of` that only asks for the class of a value, and perhaps for one attribute that tells its kind.

    Executors may look it up instead of calling it: such a value says of itself in no other way what type it is of.

    Attributes:
        classes: whose instances, of subclasses too, are of the type.
        kind: name of the attribute and the value that it must have; None where the class says enough.
    """

    def __init__(self, *classes: type, **kind: str | int) -> None:
        if len(kind) > 1:
            raise TypeError("A type is told by one attribute at most.")
        self.classes = classes
        self.kind: tuple[str, str | int] | None = next(iter(kind.items()), None)

    def __call__(self, value: Any, _info: Any) -> bool:
        """Say whether a value is of the type."""
        if not isinstance(value, self.classes):
            return False
        return self.kind is None or bool(getattr(value, self.kind[0]) == self.kind[1])


def _description(stub: Callable[..., Any]) -> str:
    if not stub.__doc__:
        raise TypeError(f"The field {stub.__qualname__} has no docstring, and so no description.")
    return inspect.cleandoc(stub.__doc__)


def resolver_arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return what the client gave, in the resolver's form: inputs of ours turn themselves into it."""
    return {
        name: value.to_criteria() if hasattr(value, "to_criteria") else value
        for name, value in kwargs.items()
        if name not in _SOURCE_NAMES and value is not strawberry.UNSET
    }
