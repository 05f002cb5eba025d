"""Event streams: operations answered as `text/event-stream`, in the distinct connections mode of GraphQL over SSE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat
from typing_extensions import override

from database.tables.operations import OperationKind
from gateway.executors import Answer
from gateway.parameters import Parameters
from gateway.refusals import TooManyStreamsError
from gateway.responses import JSON, payload, refused_request
from gateway.running import Caller, Gateway, Prepared


class Streams:
    """How many WebSocket connections and event streams are open in this process.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one for the length of the block.

        Raises:
            TooManyStreamsError: there are as many as there may be.
        """
        if self.open >= self._most:
            raise TooManyStreamsError
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


async def answers(
    gateway: Gateway, prepared: Prepared | Answer, asked: Parameters, caller: Caller
) -> AsyncGenerator[Answer, None]:
    """Yield every answer of an operation: those of a subscription, and the one of anything else."""
    if isinstance(prepared, Answer):
        yield prepared
        return
    try:
        if prepared.kind is OperationKind.SUBSCRIPTION:
            async with aclosing(gateway.subscribe(prepared, asked, caller)) as source:
                async for answer in source:
                    yield answer
        else:
            async with gateway.database.reader() as reader:
                answer = await gateway.run(gateway.context(reader, caller), prepared, asked, caller)
            yield answer
    except Exception as error:  # noqa: BLE001 - an outage or a bug ends the stream with a masked error, not with a cut.
        yield Answer(None, [GraphQLError(str(error), original_error=error)])


async def until(source: AsyncGenerator[Answer, None], lifetime: float) -> AsyncIterator[Answer | None]:
    """Yield what `source` yields, and None at the end if it ended by itself within `lifetime` seconds."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + lifetime
    try:
        while True:
            try:
                yield await asyncio.wait_for(anext(source), max(ends - loop.time(), 0))
            except StopAsyncIteration:
                yield None
                return
            except TimeoutError:
                return
    finally:
        await source.aclose()


class EventStream(StreamingResponse):
    """A response that is counted while it lasts, and refused when there are too many."""

    def __init__(self, content: AsyncIterator[str], streams: Streams) -> None:
        super().__init__(content, headers=SSETransport.headers)
        self._streams = streams

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            with self._streams.one():
                await super().__call__(scope, receive, send)
        except TooManyStreamsError as refused:
            await refused_request(refused, JSON)(scope, receive, send)


def event_stream(
    gateway: Gateway,
    streams: Streams,
    prepared: Prepared | Answer,
    asked: Parameters,
    caller: Caller,
    *,
    lifetime: float,
) -> EventStream:
    """Return the response that sends each answer as a `next` event, then `complete`.

    A stream that reaches its lifetime ends without `complete`: clients take that for a lost connection and connect
    again, with credentials that are valid then.
    """
    transport = SSETransport()

    async def stream() -> AsyncGenerator[str, None]:
        async for answer in until(answers(gateway, prepared, asked, caller), lifetime):
            if answer is None:
                yield transport.encode_complete()
            else:
                body: Any = payload(answer, caller.request_id)
                yield transport.encode_next(body, _encoded)

    beating = merge_stream_with_heartbeat(
        stream,
        lambda: transport.heartbeat_message(_encoded),
        interval=transport.heartbeat_interval,
        send_initial_heartbeat=False,
    )
    return EventStream(beating(), streams)


def _encoded(value: object) -> str:
    return orjson.dumps(value).decode()
