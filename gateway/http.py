"""GraphQL over HTTP at `/graphql`: GET and POST, JSON in, JSON or an event stream out, GraphiQL for browsers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import AccessError, ClientError, UnavailableError
from core.ids import time_ordered_uuid
from core.settings import GatewaySettings, OperationsMode
from database.session import Reader
from database.tables.operations import OperationKind
from gateway import caching, graphiql
from gateway.authentication import identify
from gateway.errors import MASKED, UNAVAILABLE
from gateway.executors import Answer
from gateway.parameters import Parameters, decoded, names_no_id, of_object, of_query_string
from gateway.refusals import (
    BatchLimitError,
    InvalidDocumentError,
    MalformedRequestError,
    MediaTypeError,
    MethodError,
    QueryByGetError,
    RefusedError,
    TransportError,
)
from gateway.responses import (
    EVENT_STREAM,
    HTML,
    JSON,
    accepts,
    failure,
    media_type,
    only_streams,
    payload,
    prefers_html,
    refused_request,
    status_of,
    written,
)
from gateway.running import Caller, Gateway, Prepared
from gateway.streaming import Streams, event_stream
from gateway.usage import client_of
from resolvers.context import Context

_LOG = logging.getLogger(__name__)
_GET, _POST = "GET", "POST"
_UNAUTHORIZED, _UNAVAILABLE, _INTERNAL = 401, 503, 500


class GraphQLEndpoint:
    """The one endpoint: reads a request, runs its operations, writes the response.

    A request that a browser would send for another site by itself cannot do anything: bodies must say that they
    are JSON, GET runs queries only, and credentials are never read from cookies.

    Args:
        gateway: finds and runs operations.
        settings: what clients may send.
        streams: bounds the event streams of the process.
        serve_graphiql: whether browsers get GraphiQL; they get 404 otherwise.

    Attributes:
        clock: the current moment.
    """

    def __init__(self, gateway: Gateway, settings: GatewaySettings, streams: Streams, *, serve_graphiql: bool) -> None:
        self._gateway = gateway
        self.clock = gateway.clock
        self._settings = settings
        self._streams = streams
        # GraphiQL asks for the schema and sends documents that are not registered.
        self._serve_graphiql = serve_graphiql and gateway.mode is OperationsMode.OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever is wrong with it is said in the shape of a GraphQL response."""
        request_id = time_ordered_uuid(self.clock())
        try:
            response = await self.answer(Request(scope, receive), request_id)
        except ClientDisconnect:
            return
        response.headers["X-Request-Id"] = str(request_id)
        response.headers.add_vary_header(caching.VARY)
        response.headers.setdefault("Cache-Control", "no-store")
        await response(scope, receive, send)

    async def answer(self, request: Request, request_id: UUID) -> Response:
        """Return the response to a request, with the headers that are its own.

        Raises:
            ClientDisconnect: nobody waits for it any more.
        """
        said = _headers(request.scope)
        chosen = media_type(said.get("accept", JSON))
        try:
            if request.method not in {_GET, _POST}:
                raise MethodError("GraphQL is served by GET and POST.")
            token, identity = identify(said, self._gateway.services.tokens)
            asked = await self._read(request, said)
            if asked is None:
                return await graphiql.page() if self._serve_graphiql else Response(status_code=404)
            address = request.client.host if request.client else None
            caller = Caller(request_id, token, identity, client_of(said), address)
            return await self._run(request, said.get("accept", ""), asked, caller, chosen)
        except AccessError as refused:
            self._gateway.metrics.refused(refused.code)
            response = failure(chosen, _UNAUTHORIZED, str(refused), refused.code)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        except RefusedError as refused:
            self._gateway.metrics.refused(refused.code)
            return refused_request(refused, chosen)
        except UnavailableError:
            return failure(chosen, _UNAVAILABLE, UNAVAILABLE, "UNAVAILABLE")
        except ClientDisconnect:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the client reads nothing of it and the log everything.
            _LOG.exception("request %s failed", request_id)
            return failure(chosen, _INTERNAL, MASKED, "INTERNAL")

    async def _read(self, request: Request, said: Mapping[str, str]) -> Parameters | list[Parameters] | None:
        """Return what is asked for; None for a browser that looks at the address, whatever document it names."""
        if request.method == _GET:
            raw, accept = request.scope.get("query_string", b""), said.get("accept", "")
            if self._serve_graphiql and prefers_html(accept) and names_no_id(raw):
                # The page reads the address by itself, and shows what is wrong with it.
                return None
            found = of_query_string(raw)
            if found is None and accepts(accept, HTML):
                return None
            return found or of_object({})
        _check_content_type(said.get("content-type", ""))
        given = decoded(await request.body())
        if not isinstance(given, list):
            return of_object(given)
        most = self._settings.batch_limit
        if not most:
            raise MalformedRequestError("Send one operation in a request; lists of them are not accepted here.")
        if not given:
            raise MalformedRequestError("The list has no operation.")
        if len(given) > most:
            raise BatchLimitError(f"A request may have at most {most} operations.")
        return [of_object(each) for each in given]

    async def _run(
        self, request: Request, accept: str, asked: Parameters | Sequence[Parameters], caller: Caller, chosen: str
    ) -> Response:
        if only_streams(accept):
            return await self._streamed(request, asked, caller)
        async with self._gateway.database.reader() as reader:
            context = self._gateway.context(reader, caller)
            if isinstance(asked, Parameters):
                found = await self._prepare(request, reader, asked)
                if accepts(accept, EVENT_STREAM) and _is_subscription(found):
                    return self._stream(found, asked, caller)
                return self._written(request, await self._execute(context, found, asked, caller), caller, chosen)
            bodies, waits = [], []
            for each in asked:
                try:
                    found = await self._prepare(request, reader, each)
                except RefusedError as refused:
                    # One of many has no status of its own.
                    found = self._gateway.refused(refused)
                answer = await self._execute(context, found, each, caller)
                bodies.append(payload(answer, caller.request_id))
                waits.append(answer.retry_after or 0)
        return _with_retry(written(bodies, 200, chosen), max(waits))

    async def _prepare(self, request: Request, reader: Reader, asked: Parameters) -> Prepared | Answer:
        """Return the operation, or why there is none.

        Raises:
            RefusedError: the request deserves a status of its own.
        """
        try:
            prepared = await self._gateway.prepare(reader, asked)
            if request.method == _GET and prepared.kind is OperationKind.MUTATION:
                raise QueryByGetError("GET runs queries only; send mutations with POST.")
        except (ClientError, InvalidDocumentError) as refused:
            if isinstance(refused, RefusedError) and refused.status is not None:
                raise
            return self._gateway.refused(refused)
        return prepared

    async def _execute(self, context: Context, found: Prepared | Answer, asked: Parameters, caller: Caller) -> Answer:
        if isinstance(found, Answer):
            return found
        if found.kind is OperationKind.SUBSCRIPTION:
            return self._gateway.refused(TransportError())
        return await self._gateway.run(context, found, asked, caller)

    async def _streamed(self, request: Request, asked: Parameters | Sequence[Parameters], caller: Caller) -> Response:
        if not isinstance(asked, Parameters):
            raise MalformedRequestError("A list of operations cannot be answered as an event stream.")
        async with self._gateway.database.reader() as reader:
            found = await self._prepare(request, reader, asked)
        return self._stream(found, asked, caller)

    def _stream(self, found: Prepared | Answer, asked: Parameters, caller: Caller) -> Response:
        return event_stream(self._gateway, self._streams, found, asked, caller, lifetime=self._settings.stream_lifetime)

    def _written(self, request: Request, answer: Answer, caller: Caller, chosen: str) -> Response:
        status = status_of(answer, chosen)
        if request.method != _GET or caller.identity is not None or answer.errors:
            return _with_retry(written(payload(answer, caller.request_id), status, chosen), answer.retry_after or 0)
        data = orjson.dumps(answer.data)
        told = answer.cost
        if answer.hint is not None and told is not None:
            # What is left of a budget is not for those who are given a copy.
            told = {name: told[name] for name in ("requested", "actual")}
        body = payload(replace(answer, data=orjson.Fragment(data), cost=told), caller.request_id)
        kept = caching.headers(data, answer, self._settings.public_max_age)
        return caching.conditional(written(body, status, chosen), kept, request.headers.get("if-none-match"))


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by name, of several the first: read once, and not for each that is looked for."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _is_subscription(found: Prepared | Answer) -> bool:
    return isinstance(found, Prepared) and found.kind is OperationKind.SUBSCRIPTION


def _with_retry(response: Response, seconds: int) -> Response:
    """Say when an operation that was refused for its cost may be tried again."""
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


@lru_cache(maxsize=64)
def _check_content_type(given: str) -> None:
    """Refuse bodies that do not say that they are JSON in UTF-8: those are all that another site's form can send.

    Raises:
        MediaTypeError: it is of another type or character set, or says nothing.
    """
    name, *parameters = (piece.strip().lower() for piece in given.split(";"))
    charsets = [each.partition("=")[2].strip('"') for each in parameters if each.startswith("charset=")]
    if name != JSON or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise MediaTypeError("Send the request as `Content-Type: application/json`, in UTF-8.")
