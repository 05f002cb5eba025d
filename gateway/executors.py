"""The seam between the gateway and what runs operations.

The gateway prepares an operation once (parsed, measured, valid) and asks an `Executor` for a plan of it; every
request for the operation then runs that plan. graphql-core runs any operation. An executor that cannot run
everything, such as one that compiles, keeps a `CoreExecutor` to hand the rest to.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Protocol

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, create_source_event_stream, execute
from opentelemetry import metrics
from strawberry.execution import optimized_is_awaitable

from execution.compile import Answer as CompiledAnswer, CompiledOperation, UnsupportedOperationError, compile_operation
from execution.directives import CacheHint
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an answer that is kept.

    Attributes:
        age: seconds since its making began.
        cost: what it cost when it was made.
    """

    age: int
    cost: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation came to.

    Attributes:
        data: an object, or an `orjson.Fragment` of one that is written already; None when there is none.
        errors: for `gateway.errors.present`.
        cost: what clients are told of it.
        retry_after: seconds after which an operation that was refused may be tried again.
        hint: how long it may be kept; None where it may not.
        kept: what is known of an answer that was not made for this request alone.
    """

    data: Any
    errors: list[GraphQLError] = field(default_factory=list)
    cost: Mapping[str, Any] | None = None
    retry_after: int | None = None
    hint: CacheHint | None = None
    kept: Kept | None = None

    @property
    def refused(self) -> bool:
        """Say whether the operation failed before it ran: then no error has a path."""
        return self.data is None and bool(self.errors) and all(error.path is None for error in self.errors)


class Plan(Protocol):
    """An operation, ready to run any number of times.

    Attributes:
        executor: name of what runs it, for metrics.
    """

    @property
    def executor(self) -> str:
        """Return the name."""
        ...

    async def execute(self, context: Context, variables: Mapping[str, Any], event: Any = None) -> Answer:
        """Run it; `event` is what a subscription's source yielded."""
        ...

    async def events(self, context: Context, variables: Mapping[str, Any]) -> AsyncIterable[Any] | Answer:
        """Return the events that a subscription is run for, or why there are none."""
        ...


class Executor(Protocol):
    """What makes plans."""

    def plan(self, document: DocumentNode, operation_name: str | None) -> Plan:
        """Return the plan of one operation of a valid document."""
        ...


class CoreExecutor:
    """graphql-core, which runs everything."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema

    def plan(self, document: DocumentNode, operation_name: str | None) -> CorePlan:
        """Return the plan of one operation."""
        return CorePlan(self._schema, document, operation_name)


@dataclass(frozen=True, slots=True)
class CorePlan:
    """An operation that graphql-core interprets each time it runs."""

    schema: strawberry.Schema
    document: DocumentNode
    operation_name: str | None
    executor: str = "graphql-core"

    async def execute(self, context: Context, variables: Mapping[str, Any], event: Any = None) -> Answer:
        """Run it."""
        result = execute(
            self.schema._schema,  # noqa: SLF001 - Strawberry has no other name for graphql-core's schema.
            self.document,
            root_value=event,
            context_value=context,
            variable_values=dict(variables),
            operation_name=self.operation_name,
            executor_class=self.schema.execution_context_class,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # it guards, and is typed as a bool.
        )
        found = await result if isawaitable(result) else result
        return _answer(found)

    async def events(self, context: Context, variables: Mapping[str, Any]) -> AsyncIterable[Any] | Answer:
        """Return a subscription's source of events."""
        built = self.schema.execution_context_class.build(
            self.schema._schema,  # noqa: SLF001 - as above.
            self.document,
            context_value=context,
            raw_variable_values=dict(variables),
            operation_name=self.operation_name,
        )
        if isinstance(built, list):
            return Answer(None, built)
        stream = create_source_event_stream(built)
        source = await stream if isawaitable(stream) else stream
        return _answer(source) if isinstance(source, ExecutionResult) else source


def _answer(result: ExecutionResult) -> Answer:
    return Answer(result.data, list(result.errors or ()))


class CompilingExecutor:
    """Compiles operations that come again, and leaves to graphql-core what is new or cannot be compiled.

    Args:
        schema: what operations are of.
        warm_up: how many runs an operation has before it is compiled: a document that is sent once is not worth it.
    """

    def __init__(self, schema: strawberry.Schema, warm_up: int = 1) -> None:
        self._schema = schema
        self._core = CoreExecutor(schema)
        self._warm_up = warm_up
        meter = metrics.get_meter("waymark.gateway")
        self._exceptions = Exceptions(
            meter.create_counter(
                "waymark.detours",
                description="Values of compiled operations that were not normal, and took the slow way.",
            ),
            meter.create_counter(
                "waymark.rewritten", description="Operations done again without JSON that PostgreSQL failed to write."
            ),
        )

    def plan(self, document: DocumentNode, operation_name: str | None) -> CompilingPlan:
        """Return the plan of one operation."""
        return CompilingPlan(self._schema, self._core.plan(document, operation_name), self._warm_up, self._exceptions)


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Counters of what should be rare; a healthy server has few of the first, and none of the second.

    Attributes:
        detours: completions that took the slow way.
        rewritten: operations that were answered twice.
    """

    detours: metrics.Counter
    rewritten: metrics.Counter

    def count(self, answer: CompiledAnswer) -> None:
        """Count those of an answer."""
        if answer.detours:
            self.detours.add(answer.detours)
        if answer.rewritten:
            self.rewritten.add(1)


class CompilingPlan:
    """An operation that is compiled when it has run often enough; the answers are the same before and after.

    Args:
        schema: what it is of.
        core: how graphql-core runs it.
        warm_up: how many times that does.
        exceptions: counts what was not normal.
    """

    def __init__(self, schema: strawberry.Schema, core: CorePlan, warm_up: int, exceptions: Exceptions) -> None:
        self._schema = schema
        self._core = core
        self._left = warm_up
        self._exceptions = exceptions
        self._compiled: CompiledOperation | None = None

    @property
    def executor(self) -> str:
        """Return what runs it now."""
        return self._core.executor if self._compiled is None else "compiled"

    async def execute(self, context: Context, variables: Mapping[str, Any], event: Any = None) -> Answer:
        """Run it."""
        if self._left >= 0:
            self._left -= 1
            if self._left < 0:
                # Whatever is not supported stays with graphql-core, which the name of the executor tells.
                with suppress(UnsupportedOperationError):
                    self._compiled = compile_operation(self._schema, self._core.document, self._core.operation_name)
        if self._compiled is None:
            return await self._core.execute(context, variables, event)
        answer = await self._compiled.execute(context, dict(variables), event)
        self._exceptions.count(answer)
        return Answer(answer.data, answer.errors)

    async def events(self, context: Context, variables: Mapping[str, Any]) -> AsyncIterable[Any] | Answer:
        """Return a subscription's source of events, which graphql-core runs."""
        return await self._core.events(context, variables)
