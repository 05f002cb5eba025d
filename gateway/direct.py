"""The short way of the usual request: a POST of a few kilobytes of JSON that wants JSON back.

It does what the application's middleware and routes would do, in one place and once, and then asks the same endpoint.
Whatever is unusual about a request (another path or method, a page of a browser that asks, a body that is packed, long
or comes in pieces, a stream as the answer) goes the long way, which knows all of it.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.ids import time_ordered_uuid
from gateway import caching
from gateway.http import GraphQLEndpoint
from gateway.limits import MOST_BODY_BYTES

Headers = Sequence[tuple[bytes, bytes]]

_PATH = "/graphql"
# With an origin come the rules between sites, which are the application's.
_UNUSUAL = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"upgrade", b"origin"})
_STREAMS = b"event-stream"
# What is longer is packed beside the event loop.
_LONG = 128 * 1024
# Names that a plain answer comes with.
_PLAIN = 2


class DirectPosts:
    """Answers usual requests, and hands all others on.

    Args:
        endpoint: answers.
        otherwise: the whole application.
        timeout: seconds until a body must have arrived.
        headers: what every response says to browsers.
        compress_from: bytes from which an answer is packed, for clients that take it so.
        compression: how hard.
    """

    def __init__(
        self,
        endpoint: GraphQLEndpoint,
        otherwise: ASGIApp,
        *,
        timeout: float,
        headers: Headers,
        compress_from: int,
        compression: int,
    ) -> None:
        self._endpoint = endpoint
        self._otherwise = otherwise
        self._timeout = timeout
        self._plain = [(b"vary", caching.VARY.encode()), (b"cache-control", b"no-store"), *headers]
        self._headers = headers
        self._compress_from = compress_from
        self._compression = compression

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST" or not _is_usual(scope):
            await self._otherwise(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout):
                first = await receive()
        except TimeoutError:
            await self._otherwise(scope, _late, send)
            return
        again = _from(first, receive)
        if first["type"] != "http.request" or first.get("more_body", False):
            await self._otherwise(scope, again, send)
            return
        request_id = time_ordered_uuid(self._endpoint.clock())
        try:
            response = await self._endpoint.answer(Request(scope, again), request_id)
        except ClientDisconnect:
            return
        response.raw_headers.append((b"x-request-id", str(request_id).encode()))
        await self._send(scope, response, send)

    async def _send(self, scope: Scope, response: Response, send: Send) -> None:
        headers = response.raw_headers
        if len(headers) == _PLAIN + 1:
            headers = [*headers, *self._plain]
        else:
            named = MutableHeaders(raw=headers)
            named.add_vary_header(caching.VARY)
            named.setdefault("Cache-Control", "no-store")
            headers = [*headers, *self._headers]
        body = bytes(response.body)
        if len(body) >= self._compress_from:
            body = await self._packed(scope, body, headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _packed(self, scope: Scope, body: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return a body as the client wants it, and say so."""
        named = MutableHeaders(raw=headers)
        named.add_vary_header("Accept-Encoding")
        if not any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
            return body
        if len(body) < _LONG:
            body = gzip.compress(body, self._compression, mtime=0)
        else:
            body = await asyncio.to_thread(gzip.compress, body, self._compression, mtime=0)
        named["Content-Encoding"] = "gzip"
        named["Content-Length"] = str(len(body))
        return body


def _is_usual(scope: Scope) -> bool:
    length = b""
    for name, value in scope["headers"]:
        if name in _UNUSUAL or (name == b"accept" and _STREAMS in value):
            return False
        if name == b"content-length":
            if length:
                return False
            length = value
    # Digits of ASCII only, as HTTP wants them.
    return length.isdigit() and len(length) < len(str(MOST_BODY_BYTES)) + 1 and int(length) <= MOST_BODY_BYTES


def _from(first: Message, receive: Receive) -> Receive:
    """Return a channel that has the first message once more, and then what comes."""
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _late() -> Message:
    raise TimeoutError
