"""Subscriptions over WebSocket and as event streams, on a small schema of this test's own and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import strawberry
from starlette.types import ASGIApp, Message
from strawberry.types import Info

from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.settings import GatewaySettings, OperationsMode
from database.queries.platform import ALIVE
from database.session import Database, Reader
from gateway.budgets import Budgets
from gateway.executors import CoreExecutor
from gateway.http import GraphQLEndpoint
from gateway.metrics import GatewayMetrics
from gateway.operations import Operations
from gateway.running import Gateway
from gateway.spending import Spending
from gateway.streaming import Streams
from gateway.usage import Usage
from gateway.websocket import GraphQLSocket
from resolvers.context import Context
from security.policies import Identity
from serving.recommender import Recommender
from tests.contract.gateways import sha256

COUNT = "subscription Count($to: Int!) { count(to: $to) { number held account } }"
PATIENCE = 10.0


@strawberry.type
class Step:
    """What a subscription yields."""

    number: int

    @strawberry.field
    async def held(self, info: Info[Context, None]) -> int:
        """How many connections are leased while an event is answered."""
        await info.context.reader.fetch(ALIVE)
        return len(LEASES)

    @strawberry.field
    def account(self, info: Info[Context, None]) -> int | None:
        """Who is asking."""
        return info.context.identity.account_id if info.context.identity else None


LEASES: set[int] = set()
GATES: list[asyncio.Event] = []


@strawberry.type
class Query:
    """Queries."""

    @strawberry.field
    async def hello(self) -> str:
        """A greeting."""
        return "hello"

    @strawberry.field
    def broken(self) -> str:
        """A bug."""
        raise ZeroDivisionError("a secret")


@strawberry.type
class Subscription:
    """Subscriptions."""

    @strawberry.subscription
    async def count(self, info: Info[Context, None], to: int) -> AsyncIterator[Step]:
        """Counts, reading from PostgreSQL before each number."""
        for number in range(to):
            await info.context.reader.fetch(ALIVE)
            yield Step(number=number)

    @strawberry.subscription
    async def failing(self) -> AsyncIterator[int]:
        """Yields once, and breaks."""
        yield 1
        raise ZeroDivisionError("a secret")

    @strawberry.subscription
    async def forever(self) -> AsyncIterator[int]:
        """Yields once, and then waits to be told to go on."""
        gate = asyncio.Event()
        GATES.append(gate)
        try:
            yield 1
            await gate.wait()
            yield 2
        finally:
            GATES.remove(gate)


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription)


class WatchedDatabase(Database):
    """A database that knows which readers hold a connection."""

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Lease a reader."""
        async with super().reader() as reader:
            LEASES.add(id(reader))
            try:
                yield reader
            finally:
                LEASES.discard(id(reader))


@dataclass
class Served:
    """The gateway, and what its tests look into."""

    gateway: Gateway
    streams: Streams
    http: ASGIApp
    socket: ASGIApp

    def token(self) -> str:
        """Return the access token of an account."""
        return self.gateway.services.tokens.issue(Identity(7, 7, frozenset({"LEARNER"}), uuid4())).text


async def serve(parts: Platform, mode: OperationsMode = OperationsMode.OPEN, **chosen: Any) -> Served:
    """Build a gateway on the small schema."""
    settings = GatewaySettings(operations=mode, **chosen)
    watched = WatchedDatabase(parts.database._leases, parts.database._engine, parts.database._patience)
    gateway = Gateway(
        database=watched,
        services=await services(parts, Recommender(None, 1.0)),
        clock=parts.clock,
        operations=Operations(SCHEMA, mode, parts.clock),
        executor=CoreExecutor(SCHEMA),
        usage=Usage(parts.clock),
        metrics=GatewayMetrics(mode),
        spending=Spending(shown=False),
    )
    streams = Streams(settings.streams)
    http = GraphQLEndpoint(gateway, settings, streams, serve_graphiql=False)
    return Served(gateway, streams, http, GraphQLSocket(gateway, settings, streams))


@pytest_asyncio.fixture
async def app(platform_parts: Platform) -> Served:
    """A gateway that is open to any document."""
    return await serve(platform_parts)


@dataclass
class Client:
    """The other end of a WebSocket."""

    sent: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    received: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    accepted: str | None = None

    async def send(self, message: object) -> None:
        """Send a message as JSON, or text or bytes as they are."""
        if isinstance(message, bytes):
            await self.sent.put({"type": "websocket.receive", "bytes": message})
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            await self.sent.put({"type": "websocket.receive", "text": text})

    async def next(self) -> Any:
        """Return the next message, or the closing code."""
        async with asyncio.timeout(PATIENCE):
            message = await self.received.get()
        return message["code"] if message["type"] == "websocket.close" else json.loads(message["text"])

    async def begin(self, payload: object = None) -> Any:
        """Send the first message and return what it is answered with."""
        await self.send({"type": "connection_init", **({"payload": payload} if payload is not None else {})})
        return await self.next()

    async def subscribe(self, id_: str, **payload: Any) -> None:
        """Ask for an operation."""
        await self.send({"id": id_, "type": "subscribe", "payload": payload})


@asynccontextmanager
async def connected(
    app: ASGIApp, subprotocols: tuple[str, ...] = ("graphql-transport-ws",), **headers: str
) -> AsyncIterator[Client]:
    """Open a WebSocket to an application, and close it at the end."""
    client = Client()

    async def receive() -> Message:
        return await client.sent.get()

    async def send(message: Message) -> None:
        if message["type"] == "websocket.accept":
            client.accepted = message["subprotocol"]
            return
        await client.received.put(message)
        if message["type"] == "websocket.close":
            await client.sent.put({"type": "websocket.disconnect", "code": message.get("code", 1000)})

    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "scheme": "ws",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(b"host", b"waymark.test"), *((k.encode(), v.encode()) for k, v in headers.items())],
        "subprotocols": list(subprotocols),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def serving() -> None:
        await app(scope, receive, send)

    await client.sent.put({"type": "websocket.connect"})
    task = asyncio.create_task(serving())
    try:
        yield client
    finally:
        await client.sent.put({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(PATIENCE):
            await task


async def test_subscription_is_answered_event_by_event(app: Served) -> None:
    """Each event in a context of its own, with who signed in; nothing is leased between events."""
    async with connected(app.socket) as client:
        assert {"type": "connection_ack"} == await client.begin({"Authorization": f"Bearer {app.token()}"})
        assert "graphql-transport-ws" == client.accepted
        await client.subscribe("a", query=COUNT, variables={"to": 2})
        for number in range(2):
            step = {"number": number, "held": 1, "account": 7}
            assert {"id": "a", "type": "next", "payload": {"data": {"count": step}}} == await client.next()
        assert {"id": "a", "type": "complete"} == await client.next()
        await client.send({"type": "ping"})
        assert {"type": "pong"} == await client.next()
    assert (0, set()) == (app.streams.open, LEASES)


async def test_every_event_is_paid_for(platform_parts: Platform) -> None:
    """The first by what was taken when it was asked for, each later one when it has been answered."""
    made = await serve(platform_parts)
    gateway = replace(made.gateway, spending=Spending(Budgets(None, 100, 1.0, platform_parts.clock)))
    settings = GatewaySettings(operations=OperationsMode.OPEN)
    async with connected(GraphQLSocket(gateway, settings, made.streams)) as client:
        await client.begin({"Authorization": f"Bearer {made.token()}"})
        await client.subscribe("a", query=COUNT, variables={"to": 3})
        told = [(await client.next())["payload"]["extensions"]["cost"] for _ in range(3)]
    assert [1, 0, 0] == [each["requested"] for each in told]
    assert [1, 1, 1] == [each["actual"] for each in told]
    assert [99, 98, 97] == [each["remaining"] for each in told]


async def test_waiting_subscription_holds_no_connection_and_ends_when_it_is_completed(app: Served) -> None:
    """Its source is closed, and so it is when the client goes away."""
    async with connected(app.socket) as client:
        await client.begin()
        await client.subscribe("a", query="subscription { forever }")
        assert {"data": {"forever": 1}} == (await client.next())["payload"]
        await client.subscribe("b", query="subscription { forever }")
        assert "b" == (await client.next())["id"]
        assert (set(), 2) == (LEASES, len(GATES))
        await client.send({"id": "a", "type": "complete"})
        GATES[1].set()
        assert {"id": "b", "type": "next", "payload": {"data": {"forever": 2}}} == await client.next()
        assert {"id": "b", "type": "complete"} == await client.next()
        await client.subscribe("c", query="subscription { forever }")
        assert "c" == (await client.next())["id"]
    assert [] == GATES


async def test_queries_run_over_websocket_too(app: Served) -> None:
    """By text or by hash; what is wrong with them is said in an `error`, and the connection stays."""
    async with connected(app.socket) as client:
        await client.begin()
        hello = "{ hello }"
        await client.subscribe("1", query=hello)
        assert {"data": {"hello": "hello"}} == (await client.next())["payload"]
        assert "complete" == (await client.next())["type"]
        persisted = {"persistedQuery": {"version": 1, "sha256Hash": sha256(hello)}}
        for sent, answered in (({}, "error"), ({"query": hello}, "next"), ({}, "next")):
            await client.subscribe("2", extensions=persisted, **sent)
            assert answered == (said := await client.next())["type"]
            if answered == "error":
                assert "PERSISTED_QUERY_NOT_FOUND" == said["payload"][0]["extensions"]["code"]
            else:
                assert "complete" == (await client.next())["type"]
        for wrong in ("{", "{ nothing }", "subscription { count(to: $x) { number } }"):
            await client.subscribe("3", query=wrong)
            assert ["BAD_REQUEST"] == [error["extensions"]["code"] for error in (await client.next())["payload"]]
        await client.subscribe("4", query="subscription ($to: Int!) { count(to: $to) { number } }")
        assert "error" == (await client.next())["type"]
        await client.subscribe("5", query="{ broken }")
        broken = await client.next()
        assert "INTERNAL" == broken["payload"]["errors"][0]["extensions"]["code"]
        assert "secret" not in json.dumps(broken)


async def test_only_trusted_operations_run_over_websocket_where_only_those_run(platform_parts: Platform) -> None:
    """The door is the same."""
    app = await serve(platform_parts, OperationsMode.TRUSTED_ONLY)
    async with connected(app.socket) as client:
        await client.begin()
        await client.subscribe("1", query="{ hello }")
        assert "OPERATION_NOT_TRUSTED" == (await client.next())["payload"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}], 4401),
        (["{"], 4400),
        (["[]"], 4400),
        (["5"], 4400),
        ([b"\x00"], 4400),
        ([{"type": 5}], 4400),
        ([{"type": "nonsense"}], 4400),
        ([{"type": "connection_init", "payload": 5}], 4400),
        ([{"type": "connection_init", "payload": {"Authorization": "Bearer x.y.z"}}], 4403),
        ([{"type": "connection_init", "payload": {"Authorization": 5}}], 4403),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, {"id": [], "type": "subscribe", "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "connection_init"}, {"id": "1", "type": "subscribe", "payload": 5}], 4400),
        ([{"type": "connection_init"}, {"id": "1", "type": "subscribe"}], 4400),
        ([{"type": "connection_init"}, {"id": "1", "type": "subscribe", "payload": {"query": 5}}], 4400),
        (
            [
                {"type": "connection_init"},
                *[{"id": "1", "type": "subscribe", "payload": {"query": "subscription { forever }"}}] * 2,
            ],
            4409,
        ),
        (["{" + " " * 100_001 + "}"], 4400),
    ],
)
async def test_connection_that_breaks_the_protocol_is_closed(app: Served, messages: list[Any], code: int) -> None:
    """With the protocol's own code, and without a trace in the log."""
    async with connected(app.socket) as client:
        for message in messages:
            await client.send(message)
        said = await client.next()
        while isinstance(said, dict):
            said = await client.next()
        assert code == said


async def test_connections_and_operations_are_bounded(platform_parts: Platform) -> None:
    """One connection too many is told to come back; one operation too many is refused and disturbs no other."""
    app = await serve(platform_parts, streams=1, subscriptions=1)
    async with connected(app.socket) as client:
        await client.begin()
        await client.subscribe("a", query="subscription { forever }")
        await client.next()
        await client.subscribe("b", query="{ hello }")
        refused = await client.next()
        assert ("b", "error", "TOO_MANY_OPERATIONS") == (
            refused["id"],
            refused["type"],
            refused["payload"][0]["extensions"]["code"],
        )
        async with connected(app.socket) as other:
            assert 1013 == await other.next()
        answer = await event_stream(app, "{ hello }")
        assert "TOO_MANY_STREAMS" in answer


async def test_other_sites_and_other_protocols_are_refused(app: Served) -> None:
    """A page of another origin opens nothing; our own does, and clients that are no browsers do."""
    async with connected(app.socket, origin="http://evil.test") as client:
        assert 1000 == await client.next()
        assert client.accepted is None
    async with connected(app.socket, ("graphql-ws",)) as client:
        assert 4406 == await client.next()
    async with connected(app.socket, origin="http://waymark.test") as client:
        assert {"type": "connection_ack"} == await client.begin()


async def test_connection_ends_when_its_time_is_over(platform_parts: Platform) -> None:
    """Clients connect again, with credentials that are valid then."""
    app = await serve(platform_parts, stream_lifetime=0.05)
    async with connected(app.socket) as client:
        await client.begin()
        assert 1001 == await client.next()
    assert "complete" not in await event_stream(app, "subscription { forever }")


async def test_subscription_ends_with_its_access_token(app: Served, clock: ManualClock) -> None:
    """What happens after that is nobody's to see."""
    async with connected(app.socket) as client:
        await client.begin({"authorization": f"Bearer {app.token()}"})
        await client.subscribe("a", query="subscription { forever }")
        await client.next()
        clock.now += timedelta(hours=1)
        GATES[0].set()
        said = await client.next()
        assert ("error", "UNAUTHENTICATED") == (said["type"], said["payload"][0]["extensions"]["code"])


async def event_stream(
    app: Served, query: str, method: str = "POST", accept: str = "text/event-stream", **headers: str
) -> str:
    """Ask for an event stream and return all of it, after its status."""
    said: list[str] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": f"query={query}".encode() if method == "GET" else b"",
        "headers": [
            (b"accept", accept.encode()),
            (b"content-type", b"application/json"),
            *((k.encode(), v.encode()) for k, v in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    waiting: list[Message] = [{"type": "http.request", "body": json.dumps({"query": query}).encode()}]

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            said.append(f"{message['status']}\n")
        else:
            said.append(message.get("body", b"").decode())

    async with asyncio.timeout(PATIENCE):
        await app.http(scope, receive, send)
    return "".join(said)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_subscription_is_an_event_stream_for_whoever_asks_for_one(app: Served, method: str) -> None:
    """The distinct connections mode: `next` for each event, then `complete`."""
    said = await event_stream(app, "subscription{count(to:2){number}}", method)
    assert "200\n" == said[:4]
    events = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: {")]
    assert [{"data": {"count": {"number": number}}} for number in range(2)] == events
    assert said.endswith("event: complete\r\ndata: \r\n\r\n")
    assert (0, set()) == (app.streams.open, LEASES)


async def test_event_stream_says_what_is_wrong(app: Served) -> None:
    """In its one event; requests that are none have a status."""
    assert '"code":"BAD_REQUEST"' in await event_stream(app, "{ nothing }")
    assert '{"data":{"hello":"hello"}}' in await event_stream(app, "{ hello }")
    assert "401" in await event_stream(app, "{ hello }", authorization="Bearer x")


async def test_source_that_breaks_ends_the_stream_with_a_masked_error(app: Served) -> None:
    """Over both transports: what came before has arrived, and nothing of ours is told."""
    said = await event_stream(app, "subscription{failing}")
    assert said.index('{"failing":1}') < said.index('"code":"INTERNAL"') < said.index("event: complete")
    assert "secret" not in said
    async with connected(app.socket) as client:
        await client.begin()
        await client.subscribe("a", query="subscription { failing }")
        assert "next" == (await client.next())["type"]
        broken = await client.next()
        assert ("error", "INTERNAL") == (broken["type"], broken["payload"][0]["extensions"]["code"])
        assert "secret" not in json.dumps(broken)


async def test_subscription_by_plain_http_is_refused(app: Served) -> None:
    """One answer cannot be many."""
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        said = await event_stream(app, "subscription{forever}", accept=accept)
        assert str(status) == said[:3]
        assert "UNSUPPORTED_TRANSPORT" in said
