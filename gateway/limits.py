"""Limits that hold before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache

from core.errors import ClientError, InvalidArgumentError

MOST_BODY_BYTES = 1_000_000
MOST_CHARACTERS = 20_000
MOST_TOKENS = 2_000
MOST_FRAGMENTS = 50
MOST_ALIASES = 50
DEEPEST_QUERY = 15
_CACHED_DOCUMENTS = 256


class DocumentLimitError(ClientError):
    """A document is larger than anything a client needs; it was not executed."""

    code = "DOCUMENT_TOO_LARGE"


def document_caches() -> list[Callable[[], SchemaExtension]]:
    """Return what remembers documents that were parsed and validated; the limits bound how much that is."""
    return [
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        # Their caches belong to the process and outlive these objects.
        lambda: ParserCache(maxsize=_CACHED_DOCUMENTS),
        lambda: ValidationCache(maxsize=_CACHED_DOCUMENTS),
    ]


def check_document(text: str, operation_name: str | None) -> None:
    """Check a document before it is validated and executed; one that cannot be parsed passes, to be refused there.

    Raises:
        DocumentLimitError: it is too long, too deep, or has too many tokens, fragments or aliases.
        InvalidArgumentError: it has several operations, and none is named.
    """
    if len(text) > MOST_CHARACTERS:
        raise DocumentLimitError(f"A document may be at most {MOST_CHARACTERS} characters long.")
    operations, refusal = _measured(text)
    if refusal is not None:
        raise DocumentLimitError(refusal)
    if operations > 1 and operation_name is None:
        raise InvalidArgumentError("A document with several operations needs an `operationName`.")


@lru_cache(maxsize=_CACHED_DOCUMENTS)
def _measured(text: str) -> tuple[int, str | None]:
    """Return the number of operations, and why the document is too large, if it is."""
    try:
        return _judged(parse(text, max_tokens=MOST_TOKENS, no_location=True))
    except RecursionError:
        return 0, f"A document may be at most {DEEPEST_QUERY} fields deep."
    except GraphQLError as error:
        return 0, str(error.message) if "tokens" in str(error.message) else None


def _judged(document: DocumentNode) -> tuple[int, str | None]:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(fragments) > MOST_FRAGMENTS:
        return len(operations), f"A document may have at most {MOST_FRAGMENTS} fragments."
    measure = _Measure(fragments)
    for operation in operations:
        depth, aliases = measure.of(operation.selection_set, 0)
        if depth > DEEPEST_QUERY:
            return len(operations), f"A document may be at most {DEEPEST_QUERY} fields deep."
        if aliases > MOST_ALIASES:
            refusal = f"A document may have at most {MOST_ALIASES} aliases, counted wherever fragments bring them."
            return len(operations), refusal
    return len(operations), None


class _Measure:
    """Depth and number of aliases of selections; each fragment is measured once, however often it is spread."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, tuple[int, int]] = {}

    def of(self, selections: SelectionSetNode | None, above: int) -> tuple[int, int]:
        """Return how deep fields reach below, and how many aliases there are.

        Args:
            selections: of a field, a fragment or an operation.
            above: how many levels the walk has come down; it goes no further than the limit.
        """
        if selections is None or above > DEEPEST_QUERY:
            return (0, 0) if selections is None else (1, 0)
        depth = aliases = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                below, found = self.of(selection.selection_set, above + 1)
                below, found = below + 1, found + (selection.alias is not None)
                # Introspection is deep by nature, and bounded by the schema.
                below = 1 if selection.name.value.startswith("__") else below
            elif isinstance(selection, FragmentSpreadNode):
                below, found = self._of_fragment(selection.name.value)
            else:
                below, found = self.of(getattr(selection, "selection_set", None), above)
            depth, aliases = max(depth, below), aliases + found
        return depth, aliases

    def _of_fragment(self, name: str) -> tuple[int, int]:
        if name not in self._known:
            # A fragment that spreads itself is refused by validation; here it only must end.
            self._known[name] = (0, 0)
            fragment = self._fragments.get(name)
            if fragment is not None:
                self._known[name] = self.of(fragment.selection_set, 0)
        return self._known[name]


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
