"""Limits that hold before any work is done."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import (
    AddValidationRules,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    ParserCache,
    QueryDepthLimiter,
    SchemaExtension,
    ValidationCache,
)

MOST_BODY_BYTES = 1_000_000
MOST_TOKENS = 4_000
MOST_ALIASES = 50
DEEPEST_QUERY = 15
_CACHED_DOCUMENTS = 1_000


def document_limits() -> list[Callable[[], SchemaExtension]]:
    """Return what bounds a document, and remembers the ones that were parsed and validated.

    The rules are made once: validation is remembered by document and rules, and a rule made anew for each
    request would never be met again.
    """
    rules = [
        *QueryDepthLimiter(max_depth=DEEPEST_QUERY).validation_rules,
        *MaxAliasesLimiter(max_alias_count=MOST_ALIASES).validation_rules,
    ]
    return [
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        lambda: AddValidationRules(rules),
        # Their caches belong to the process and outlive these objects.
        lambda: ParserCache(maxsize=_CACHED_DOCUMENTS),
        lambda: ValidationCache(maxsize=_CACHED_DOCUMENTS),
    ]


class BodyLimit:
    """Refuses request bodies above a size: by their declared length, or as soon as they grow past it."""

    def __init__(self, app: ASGIApp, most: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._most:
            await self._refuse(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._most:
                await self._refuse(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = {
            "message": f"A request may be at most {self._most} bytes long.",
            "extensions": {"code": "PAYLOAD_TOO_LARGE"},
        }
        response = JSONResponse({"errors": [error]}, status_code=413, headers={"Connection": "close"})
        await response(scope, receive, send)
