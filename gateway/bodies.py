"""Bodies of requests: bounded in size and in the time they may take, and never packed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.limits import MOST_BODY_BYTES


class DisconnectedError(Exception):
    """The client went away in the middle of a body."""


class TooLargeError(Exception):
    """A body grew past the limit."""


class BodyLimit:
    """Refuses bodies that are too large, too slow or packed, before anything else looks at them.

    By their declared length, or as soon as they grow past the limit. A packed body is refused unread: what a few
    bytes unfold to cannot be known before the work is done.

    Args:
        app: what is served behind it.
        most: bytes of a body.
        timeout: seconds until a body must have arrived.
        count: told the code of each refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: int = MOST_BODY_BYTES,
        timeout: float = 10.0,
        count: Callable[[str], None] = lambda _code: None,
    ) -> None:
        self._app = app
        self._count = count
        self._most = most
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._judged(headers)
        if refused is None:
            try:
                async with asyncio.timeout(self._timeout):
                    body = await self._read(receive)
            except TimeoutError:
                refused = self._refusal(408, "REQUEST_TIMEOUT", "The body of the request took too long to arrive.")
            except TooLargeError:
                refused = self._too_large()
            except DisconnectedError:
                return
        if refused is not None:
            await refused(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _judged(self, headers: Headers) -> JSONResponse | None:
        declared = headers.get("content-length", "0")
        # isdigit() alone holds for digits of other scripts, which HTTP does not know.
        if not (declared.isascii() and declared.isdigit()) or len(declared) > 20 or int(declared) > self._most:  # noqa: PLR2004
            return self._too_large()
        packed = headers.get("content-encoding", "identity").strip().lower()
        if packed not in {"", "identity"}:
            refused = self._refusal(
                415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as it is, without a Content-Encoding."
            )
            refused.headers["Accept-Encoding"] = "identity"
            return refused
        return None

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            body += message.get("body", b"")
            if len(body) > self._most:
                raise TooLargeError
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> JSONResponse:
        return self._refusal(413, "PAYLOAD_TOO_LARGE", f"A request may be at most {self._most} bytes long.")

    def _refusal(self, status: int, code: str, message: str) -> JSONResponse:
        self._count(code)
        error = {"message": message, "extensions": {"code": code}}
        return JSONResponse({"errors": [error]}, status_code=status, headers={"Connection": "close"})
