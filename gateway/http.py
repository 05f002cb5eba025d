"""GraphQL over HTTP at `/graphql`: GET and POST, JSON in, JSON out, GraphiQL for browsers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import strawberry
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from opentelemetry import metrics, trace
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.types import ExecutionResult
from typing_extensions import override

from core.clock import Clock
from core.errors import AccessError, ClientError, UnavailableError
from core.ids import time_ordered_uuid
from database.session import Database
from gateway import graphiql
from gateway.authentication import identify
from gateway.errors import UNAVAILABLE, present
from gateway.limits import check_document
from resolvers.context import Context, Services

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
_BAD_REQUEST = 400
_UNAUTHORIZED = 401


class GraphQLEndpoint(GraphQL[Context, None]):
    """The one endpoint: makes a request's context, runs its operation, writes the response.

    Args:
        schema: the executable schema.
        database: leases the reader and opens transactions.
        services: parts that live as long as the process.
        clock: the current moment.
        serve_graphiql: whether browsers get GraphiQL; they get 404 otherwise.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        database: Database,
        services: Services,
        clock: Clock,
        serve_graphiql: bool,
    ) -> None:
        super().__init__(
            schema, graphql_ide="graphiql" if serve_graphiql else None, subscription_protocols=(), keep_alive=False
        )
        self._database = database
        self._services = services
        self._clock = clock
        self._tracer = trace.get_tracer("waymark.gateway")
        self._operations = metrics.get_meter("waymark.gateway").create_counter(
            "waymark.operations", description="GraphQL operations answered, by outcome."
        )

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever is wrong with it is said in the shape of a GraphQL response."""
        request = Request(scope, receive)
        request_id = time_ordered_uuid(self._clock())
        request.state.request_id = request_id
        response = await self._answer(request, request_id)
        response.headers["X-Request-Id"] = str(request_id)
        response.headers["Vary"] = "Accept, Authorization"
        response.headers.setdefault("Cache-Control", "no-store")
        await response(scope, receive, send)

    async def _answer(self, request: Request, request_id: UUID) -> Response:
        try:
            identity = identify(request, self._services.tokens)
        except AccessError as refused:
            response = self._refuse(request, _UNAUTHORIZED, str(refused), refused.code)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        try:
            async with self._database.reader() as reader:
                context = Context(
                    reader=reader,
                    database=self._database,
                    clock=self._clock,
                    identity=identity,
                    request_id=request_id,
                    services=self._services,
                    client_address=request.client.host if request.client else None,
                )
                request.state.context = context
                answer: Response = await self.run(request, context=context, root_value=None)
        except HTTPException as error:
            return self._refuse(request, error.status_code, error.reason, "BAD_REQUEST")
        except UnavailableError:
            return self._refuse(request, 503, UNAVAILABLE, "UNAVAILABLE")
        return answer

    def _refuse(self, request: Request, status: int, message: str, code: str) -> Response:
        body = {"errors": [{"message": message, "extensions": {"code": code}}]}
        return Response(orjson.dumps(body), status_code=status, media_type=_media_type(request))

    @override
    def decode_json(self, data: str | bytes) -> object:
        """Return the JSON of a body or of a query parameter.

        Raises:
            HTTPException: it is JSON, but neither an object nor a list.
        """
        decoded: object = orjson.loads(data)
        if not isinstance(decoded, dict | list):
            raise HTTPException(_BAD_REQUEST, "Expected a JSON object.")
        return decoded

    @override
    def encode_json(self, data: object) -> bytes:
        """Return the bytes of a response."""
        return orjson.dumps(data)

    @override
    async def parse_http_body(self, request: Any) -> GraphQLRequestData | list[GraphQLRequestData]:
        """Return what the request asks for.

        Raises:
            HTTPException: it cannot be read.
        """
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData) and not isinstance(data.operation_name, str | None):
            raise HTTPException(_BAD_REQUEST, "`operationName` must be a string.")
        return data

    @override
    async def render_graphql_ide(self, request: Request) -> Response:
        """Return GraphiQL."""
        return await graphiql.page()

    @override
    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Context,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Run one operation, inside a span of its own."""
        try:
            check_document(request_data.query or "", request_data.operation_name)
        except ClientError as refused:
            return ExecutionResult(data=None, errors=[GraphQLError(str(refused), original_error=refused)])
        with self._tracer.start_as_current_span("graphql.operation") as span:
            span.set_attribute("graphql.operation.name", request_data.operation_name or "anonymous")
            result: ExecutionResult = await super().execute_single(
                request, request_adapter, sub_response, context, root_value, request_data
            )
            errors = len(result.errors or ())
            span.set_attribute("waymark.errors", errors)
            self._operations.add(1, {"outcome": "errors" if errors else "ok"})
            return result

    @override
    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Return the response's object; `data` is absent when the operation was not executed."""
        response: dict[str, Any] = {}
        if result.errors:
            request_id: UUID = request.state.request_id
            response["errors"] = [present(error, request_id) for error in result.errors]
        if not _was_refused(result):
            response["data"] = result.data
        if result.extensions:
            response["extensions"] = result.extensions
        answer: Response = request.state.answer
        answer.headers["Content-Type"] = media_type = _media_type(request)
        if _was_refused(result) and media_type.startswith(GRAPHQL_RESPONSE):
            answer.status_code = _BAD_REQUEST
        return response  # type: ignore[return-value]

    @override
    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Return the response whose status and headers the result decides."""
        request.state.answer = Response()
        answer: Response = request.state.answer
        return answer

    @override
    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """Write the response in the media type that was asked for, with its status code."""
        return Response(
            self.encode_json(response_data),
            status_code=sub_response.status_code,
            headers={"Content-Type": sub_response.headers["Content-Type"]},
        )


def _was_refused(result: ExecutionResult) -> bool:
    """Say whether the operation failed before it ran: then no error has a path."""
    errors: list[GraphQLError] = result.errors or []
    return result.data is None and bool(errors) and all(error.path is None for error in errors)


def _media_type(request: Request) -> str:
    """Return the media type of the response: the newer one only where the client names it."""
    accepted = request.headers.get("accept", "")
    newer, older = accepted.find(GRAPHQL_RESPONSE), accepted.find(JSON)
    chosen = GRAPHQL_RESPONSE if newer >= 0 and (older < 0 or newer < older) else JSON
    return f"{chosen}; charset=utf-8"
