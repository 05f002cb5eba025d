"""GraphQL over WebSocket: the protocol `graphql-transport-ws`, bounded and authenticated by its first message.

Strawberry's handler keeps the protocol's states; what is ours is what it is given to run, and what it refuses:
closing codes are those of the protocol, and docs/operations-registry.md lists them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.http.websocket_origin import is_same_origin
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.unset import UNSET
from typing_extensions import override

from core.errors import ClientError, UnauthenticatedError
from core.ids import time_ordered_uuid
from core.settings import GatewaySettings
from gateway.authentication import bearer_token
from gateway.executors import Answer
from gateway.parameters import Parameters, decoded, of_object
from gateway.refusals import InvalidDocumentError, MalformedRequestError, TooManyOperationsError, TooManyStreamsError
from gateway.responses import payload
from gateway.running import Caller, Gateway, Prepared
from gateway.streaming import Streams, answers
from gateway.usage import client_of

_MOST_CHARACTERS = 100_000
_INIT_TIMEOUT = timedelta(seconds=10)
# Closing codes of the protocol, and of RFC 6455 where it has none.
_UNAUTHORIZED, _NOT_ACCEPTABLE, _EXISTS = 4401, 4406, 4409
_TRY_AGAIN, _GOING_AWAY = 1013, 1001
# RFC 6455 leaves a reason 123 bytes.
_LONGEST_REASON = 100
_IDENTIFIED = ("subscribe", "complete")


class GraphQLSocket:
    """The WebSocket side of `/graphql`.

    Args:
        gateway: finds and runs operations.
        settings: how many there may be, and for how long.
        streams: bounds the connections of the process.
        origins: others than our own whose pages may connect; `*` is any.
    """

    def __init__(
        self, gateway: Gateway, settings: GatewaySettings, streams: Streams, origins: Sequence[str] = ()
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._streams = streams
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        socket = WebSocket(scope, receive, send)
        origin = socket.headers.get("origin")
        if origin is not None and not self._may_connect(origin, socket.headers.get("host")):
            await socket.close()
            return
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in scope.get("subprotocols", ()):
            await socket.accept()
            await socket.close(_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        try:
            with self._streams.one():
                await self._serve(socket)
        except TooManyStreamsError as refused:
            self._gateway.metrics.refused(refused.code)
            await socket.close(_TRY_AGAIN, str(refused))

    def _may_connect(self, origin: str, host: str | None) -> bool:
        return is_same_origin(origin, host) or origin in self._origins or "*" in self._origins

    async def _serve(self, socket: WebSocket) -> None:
        connection = Connection(self._gateway, socket, self._settings)
        try:
            async with asyncio.timeout(self._settings.stream_lifetime):
                await connection.handle()
        except TimeoutError:
            await _close(socket, _GOING_AWAY, "Reconnect")


class _Adapter(AsyncWebSocketAdapter):
    """Lets only messages of the protocol's form through, so that the handler meets no surprise."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    @override
    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Yield messages until the client goes away."""
        while self._socket.application_state is not WebSocketState.DISCONNECTED:
            try:
                received = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if received["type"] == "websocket.disconnect":
                return
            yield _message(received.get("text"))

    @override
    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message as text."""
        try:
            await self._socket.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises a RuntimeError for what is sent after the end.
            raise WebSocketDisconnected from error

    @override
    async def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        await _close(self._socket, code, reason)


class Connection(BaseGraphQLTransportWSHandler[Any, None]):
    """One connection: who it is, and the operations that run on it.

    Args:
        gateway: finds and runs operations.
        socket: accepted.
        settings: how many operations may run at once.
    """

    def __init__(self, gateway: Gateway, socket: WebSocket, settings: GatewaySettings) -> None:
        self._gateway = gateway
        self._socket = socket
        self._first_message: dict[str, Any] = {}
        self._caller: Caller | None = None
        super().__init__(
            view=cast("Any", self),
            websocket=_Adapter(socket),
            context=None,
            root_value=None,
            schema=cast("Any", None),
            connection_init_wait_timeout=_INIT_TIMEOUT,
            max_subscriptions_per_connection=settings.subscriptions,
        )

    async def on_ws_connect(self, _context: object) -> object:
        """Say who the connection is, by the access token in its first message.

        Raises:
            ConnectionRejectionError: there are credentials, and they are not valid.
        """
        said = {str(name).lower(): value for name, value in self._first_message.items()}
        try:
            token = bearer_token(said.get("authorization"))
            identity = None if token is None else self._gateway.services.tokens.verify(token)
        except UnauthenticatedError as refused:
            self._gateway.metrics.refused(refused.code)
            raise ConnectionRejectionError from refused
        self._caller = Caller(
            request_id=time_ordered_uuid(self._gateway.clock()),
            token=token,
            identity=identity,
            client=client_of({**said, **self._socket.headers}),
            address=self._socket.client.host if self._socket.client else None,
        )
        return UNSET

    @override
    async def handle_connection_init(self, message: Any) -> None:
        """Acknowledge the connection, or close it."""
        first = message.get("payload")
        if first is None:
            # The protocol lets a client send null for no payload.
            message = {"type": "connection_init"}
        self._first_message = first if isinstance(first, dict) else {}
        await super().handle_connection_init(message)

    @override
    async def handle_subscribe(self, message: Any) -> None:
        """Start an operation, named in any of the ways that it may be named over HTTP."""
        operation_id = message["id"]
        if self._caller is None or not self.connection_acknowledged:
            await self.websocket.close(_UNAUTHORIZED, "Unauthorized")
            return
        if operation_id in self.operations:
            await self.websocket.close(_EXISTS, f"Subscriber for {operation_id} already exists")
            return
        try:
            asked = of_object(message["payload"])
        except MalformedRequestError as refused:
            self._gateway.metrics.refused(refused.code)
            await self.handle_invalid_message(str(refused))
            return
        operation: Operation[Any, None] = Operation(self, operation_id, asked.query or "", None, None)
        caller = replace(self._caller, request_id=time_ordered_uuid(self._gateway.clock()))
        if len(self.operations) >= (self.max_subscriptions_per_connection or 0):
            body = payload(self._gateway.refused(TooManyOperationsError()), caller.request_id)
            await self.send_message({"id": operation_id, "type": "error", "payload": body["errors"]})
            return
        operation.task = asyncio.create_task(self._run(operation, asked, caller))
        operation.task.add_done_callback(self._task_done)
        self.operations[operation_id] = operation

    async def _run(self, operation: Operation[Any, None], asked: Parameters, caller: Caller) -> None:
        try:
            async with contextlib.aclosing(self._answers(asked, caller)) as source:
                async for answer in source:
                    await _send(operation, answer, caller)
                    if answer.refused:
                        return
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the client learns that the operation is over.
            broken = GraphQLError(str(error), original_error=error)
            with contextlib.suppress(WebSocketDisconnected):
                await _send(operation, Answer(None, [broken]), caller)

    async def _answers(self, asked: Parameters, caller: Caller) -> AsyncGenerator[Answer, None]:
        try:
            async with self._gateway.database.reader() as reader:
                prepared: Prepared | Answer = await self._gateway.prepare(reader, asked)
        except (ClientError, InvalidDocumentError) as refused:
            prepared = self._gateway.refused(refused)
        async with contextlib.aclosing(answers(self._gateway, prepared, asked, caller)) as source:
            async for answer in source:
                yield answer


async def _send(operation: Operation[Any, None], answer: Answer, caller: Caller) -> None:
    """Send an answer: `next`, or `error` for an operation that was not executed, which ends it."""
    body = payload(answer, caller.request_id)
    if answer.refused:
        await operation.send_operation_message({"id": operation.id, "type": "error", "payload": body["errors"]})
    else:
        await operation.send_operation_message({"id": operation.id, "type": "next", "payload": cast("Any", body)})


def _message(text: str | None) -> object:
    """Return a message that has the form of one.

    Raises:
        NonTextMessageReceived: it is binary.
        NonJsonMessageReceived: it is not JSON, or not of the protocol's form.
    """
    if text is None:
        raise NonTextMessageReceived
    try:
        message = decoded(text) if len(text) <= _MOST_CHARACTERS else None
    except MalformedRequestError as error:
        raise NonJsonMessageReceived from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise NonJsonMessageReceived
    if message["type"] in _IDENTIFIED and not (isinstance(message.get("id"), str) and message["id"]):
        raise NonJsonMessageReceived
    return message


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    # Starlette raises a RuntimeError where the connection is closed already.
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code, reason[:_LONGEST_REASON])
