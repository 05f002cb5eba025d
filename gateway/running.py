"""One operation of a request, from its parameters to its answer; the same for every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from opentelemetry import trace

from core.clock import Clock
from core.errors import ClientError, UnauthenticatedError
from core.settings import OperationsMode
from database.session import Database, Reader
from database.tables.operations import OperationKind
from execution.directives import CacheHint
from gateway.documents import Operation
from gateway.executors import Answer, Executor, Plan
from gateway.metrics import GatewayMetrics
from gateway.operations import Operations
from gateway.parameters import Parameters
from gateway.refusals import InvalidDocumentError, OverBudgetError, RefusedError
from gateway.response_cache import ResponseCache
from gateway.responses import refusal
from gateway.spending import Spending, network
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
        digest: of the document, as clients call it.
    """

    operation: Operation
    plan: Plan
    persisted_id: str | None
    label: str
    digest: str

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
        spending: what operations may cost.
        cache: keeps what is the same for everybody; None keeps nothing.
    """

    database: Database
    services: Services
    clock: Clock
    operations: Operations
    executor: Executor
    usage: Usage
    metrics: GatewayMetrics
    spending: Spending = field(default_factory=Spending)
    cache: ResponseCache | None = None

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
        return Prepared(operation, operation.plan(self.executor), chosen.persisted_id, label, chosen.document.sha256)

    def refused(self, error: ClientError | InvalidDocumentError) -> Answer:
        """Return the answer of an operation that may not be run, and count it."""
        if isinstance(error, InvalidDocumentError):
            self.metrics.refused(_INVALID)
            return Answer(None, error.errors)
        self.metrics.refused(error.code)
        return refusal(error)

    async def run(self, context: Context, prepared: Prepared, asked: Parameters, caller: Caller) -> Answer:
        """Run a query or a mutation within the client's budget, inside a span of its own, and count it."""
        client = self._client(caller)
        requested = prepared.operation.cost.requested(asked.variables)
        refused = await self._refused_for_cost(client, requested)
        if refused is not None:
            return refused
        if prepared.persisted_id is not None:
            self.usage.count(prepared.persisted_id, caller.client)
        hint = prepared.operation.hint
        if hint is not None and hint.personal and caller.identity is not None:
            hint = None
        if hint is None or self.cache is None:
            answer = await self._execute(context, prepared, asked, None)
        else:
            answer = await self._kept(self.cache, hint, context, prepared, asked)
        return self._settled(client, requested, prepared, answer, hint)

    async def _refused_for_cost(self, client: str, requested: int) -> Answer | None:
        """Take what an operation may cost; return the answer of one that must not run."""
        try:
            await self.spending.admit(client, requested)
        except RefusedError as refused:
            seconds = refused.seconds if isinstance(refused, OverBudgetError) else None
            told = self.spending.told(client, requested, 0)
            return replace(self.refused(refused), cost=told, retry_after=seconds)
        return None

    def _settled(
        self, client: str, taken: int, prepared: Prepared, answer: Answer, hint: CacheHint | None = None
    ) -> Answer:
        """Return an answer that tells its cost and how long it may be kept, once the budget is what it should be."""
        if answer.kept is not None:
            actual = answer.kept.cost
        else:
            actual = 0 if answer.refused else prepared.operation.cost.actual(answer.data)
        self.spending.settle(client, taken - actual)
        self.metrics.spent(prepared.label, actual)
        return replace(answer, cost=self.spending.told(client, max(taken, 0), actual), hint=hint)

    async def _kept(
        self, cache: ResponseCache, hint: CacheHint, context: Context, prepared: Prepared, asked: Parameters
    ) -> Answer:
        """Return an answer that may be kept: one that is, or one that is made now."""
        operation = prepared.operation
        given = {name: value for name, value in asked.variables.items() if name in operation.variables}
        audience = "nobody" if hint.personal else "everybody"
        key = cache.key(prepared.digest, operation.name, audience, given)
        made = False

        async def make(observe: Callable[[Sequence[Any]], None]) -> Answer:
            nonlocal made
            made = True
            context.observe = observe
            try:
                return await self._execute(context, prepared, asked, None)
            finally:
                context.observe = None

        # Who waits for another request's answer must not hold a connection that the other one may need.
        if cache.is_making(key):
            await context.reader.release()
        answer = await cache.answer(key, hint, make, lambda found: operation.cost.actual(found.data))
        if not made:
            self.metrics.answered(prepared.label, "cache", errors=bool(answer.errors))
        return answer

    def _client(self, caller: Caller) -> str:
        """Return whose budget pays: the account's, or that of the network that a stranger comes from."""
        if caller.identity is not None:
            return f"account:{caller.identity.account_id}"
        if self.spending.budgets is None:
            return ""
        # Addresses are personal, and are nowhere stored in plain.
        return f"network:{self.services.cipher.blind_index(network(caller.address), 'budget.network').hex()}"

    async def subscribe(self, prepared: Prepared, asked: Parameters, caller: Caller) -> AsyncGenerator[Answer, None]:
        """Run a subscription: yield an answer for each event, each in a context of its own.

        No connection is held between events: the source reads through a reader that gives its connection back
        after each statement, and every event leases one for its own answer. It ends when the access token does.
        """
        client = self._client(caller)
        requested = prepared.operation.cost.requested(asked.variables)
        refused = await self._refused_for_cost(client, requested)
        if refused is not None:
            yield refused
            return
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
                # The first event is paid for by what was taken; later ones pay for themselves, and are not refused.
                yield self._settled(client, requested, prepared, answer)
                requested = 0
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
