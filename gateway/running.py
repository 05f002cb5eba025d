"""One operation of a request, from its parameters to its answer; the same for every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from opentelemetry import trace

from core.clock import Clock
from core.errors import ClientError, UnauthenticatedError
from core.settings import OperationsMode
from database.session import Database, Reader
from database.tables.operations import OperationKind
from gateway.documents import Operation
from gateway.executors import Answer, Executor, Plan
from gateway.metrics import GatewayMetrics
from gateway.operations import Operations
from gateway.parameters import Parameters
from gateway.refusals import InvalidDocumentError
from gateway.responses import refusal
from gateway.usage import Client, Usage
from resolvers.context import Context, Services
from security.policies import Identity

_INVALID = "BAD_REQUEST"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from.

    Attributes:
        request_id: correlates its answer with logs, traces and the audit trail.
        token: the access token, which is checked again while a stream goes on.
        identity: who signed in; None for nobody.
        client: what the client calls itself.
        address: network address, for throttling.
    """

    request_id: UUID
    token: str | None = field(repr=False)
    identity: Identity | None
    client: Client
    address: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that may be run for a request.

    Attributes:
        operation: the one of its document that was asked for.
        plan: how it is run.
        persisted_id: the id it is registered under, if it is.
        label: what metrics call it.
    """

    operation: Operation
    plan: Plan
    persisted_id: str | None
    label: str

    @property
    def kind(self) -> OperationKind:
        """Say what the operation does."""
        return self.operation.kind


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every transport answers with.

    Attributes:
        database: leases the reader and opens transactions.
        services: parts that live as long as the process.
        clock: the current moment.
        operations: finds the documents that clients ask for.
        executor: plans how they are run.
        usage: counts who uses what.
        metrics: counts what is answered and refused.
    """

    database: Database
    services: Services
    clock: Clock
    operations: Operations
    executor: Executor
    usage: Usage
    metrics: GatewayMetrics

    @property
    def mode(self) -> OperationsMode:
        """Say which documents may be run."""
        return self.operations.mode

    def context(self, reader: Reader, caller: Caller) -> Context:
        """Return the context that resolvers get."""
        return Context(
            reader=reader,
            database=self.database,
            clock=self.clock,
            identity=caller.identity,
            request_id=caller.request_id,
            services=self.services,
            client_address=caller.address,
        )

    async def prepare(self, reader: Reader, asked: Parameters) -> Prepared:
        """Find the operation that is asked for.

        Raises:
            ClientError: there is none, or it may not be run.
            InvalidDocumentError: it is not valid for the schema.
            UnavailableError: PostgreSQL is needed to know, and cannot be reached.
        """
        chosen = await self.operations.choose(reader, asked)
        operation = chosen.document.operation(asked.operation_name)
        label = self.metrics.label(chosen.persisted_id, operation.name)
        return Prepared(operation, operation.plan(self.executor), chosen.persisted_id, label)

    def refused(self, error: ClientError | InvalidDocumentError) -> Answer:
        """Return the answer of an operation that may not be run, and count it."""
        if isinstance(error, InvalidDocumentError):
            self.metrics.refused(_INVALID)
            return Answer(None, error.errors)
        self.metrics.refused(error.code)
        return refusal(error)

    async def run(self, context: Context, prepared: Prepared, asked: Parameters, caller: Caller) -> Answer:
        """Run a query or a mutation, inside a span of its own, and count it."""
        if prepared.persisted_id is not None:
            self.usage.count(prepared.persisted_id, caller.client)
        return await self._execute(context, prepared, asked, None)

    async def subscribe(self, prepared: Prepared, asked: Parameters, caller: Caller) -> AsyncGenerator[Answer, None]:
        """Run a subscription: yield an answer for each event, each in a context of its own.

        No connection is held between events: the source reads through a reader that gives its connection back
        after each statement, and every event leases one for its own answer. It ends when the access token does.
        """
        if prepared.persisted_id is not None:
            self.usage.count(prepared.persisted_id, caller.client)
        source = await prepared.plan.events(self.context(self.database.passing_reader(), caller), asked.variables)
        if isinstance(source, Answer):
            yield source
            return
        events = aiter(source)
        try:
            async for event in events:
                try:
                    if caller.token is not None:
                        self.services.tokens.verify(caller.token)
                except UnauthenticatedError as expired:
                    yield self.refused(expired)
                    return
                async with self.database.reader() as reader:
                    answer = await self._execute(self.context(reader, caller), prepared, asked, event)
                yield answer
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    async def _execute(self, context: Context, prepared: Prepared, asked: Parameters, event: Any) -> Answer:
        # A span of a request that is not sampled would cost as much as a statement, and nobody would see it.
        if not trace.get_current_span().is_recording():
            answer = await prepared.plan.execute(context, asked.variables, event)
        else:
            with trace.get_tracer("waymark.gateway").start_as_current_span("graphql.operation") as span:
                span.set_attribute("graphql.operation.name", prepared.operation.name or "anonymous")
                span.set_attribute("graphql.operation.type", prepared.kind.value)
                answer = await prepared.plan.execute(context, asked.variables, event)
                span.set_attribute("waymark.errors", len(answer.errors))
        self.metrics.answered(prepared.label, prepared.plan.executor, errors=bool(answer.errors))
        return answer
