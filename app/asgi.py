"""The ASGI application: routes and what surrounds them."""

from __future__ import annotations

import strawberry
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import observed
from app.wiring import Platform
from core.clock import Clock
from core.settings import GatewaySettings, OperationsMode
from gateway import graphiql, health
from gateway.bodies import BodyLimit
from gateway.budgets import Budgets
from gateway.direct import DirectPosts
from gateway.executors import CompilingExecutor
from gateway.health import RankingStatus
from gateway.http import GraphQLEndpoint
from gateway.metrics import GatewayMetrics
from gateway.operations import Operations
from gateway.response_cache import ResponseCache
from gateway.running import Gateway
from gateway.shared import SharedStore
from gateway.spending import Spending
from gateway.streaming import Streams
from gateway.usage import Usage
from gateway.websocket import GraphQLSocket
from resolvers.context import Services
from schema.contract import build_schema, printed

# Smaller answers fit into a packet anyway; higher levels cost more time than they save bytes.
_COMPRESSED_FROM = 1_000
_COMPRESSION = 4
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
# What pages of other origins may send and read besides what browsers let everybody.
_REQUEST_HEADERS = [
    "Authorization",
    "Content-Type",
    "apollographql-client-name",
    "apollographql-client-version",
    "apollo-require-preflight",
    "graphql-client-name",
    "graphql-client-version",
]
_RESPONSE_HEADERS = ["Age", "ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id"]
_PREFLIGHT_SECONDS = 600


class SecurityHeaders:
    """Tells browsers to take every response for what it says it is, and to keep it out of frames."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)


def build_app(
    parts: Platform,
    services: Services,
    ranking: RankingStatus,
    usage: Usage | None = None,
    store: SharedStore | None = None,
) -> ASGIApp:
    """Return the application.

    Args:
        parts: the opened platform.
        services: what resolvers use.
        ranking: what the readiness probe tells of recommendations.
        usage: where uses of registered operations are counted, for whoever writes them down.
        store: shares budgets and answers with other processes; without, budgets are local and no answer is kept.
    """
    settings = parts.settings.gateway
    mode = settings.operations or OperationsMode.TRUSTED_ONLY
    schema = build_schema()
    gateway = Gateway(
        database=parts.database,
        services=services,
        clock=parts.clock,
        operations=Operations(schema, mode, parts.clock),
        executor=CompilingExecutor(schema),
        usage=usage or Usage(parts.clock),
        metrics=GatewayMetrics(mode),
        spending=_spending(settings, store, parts.clock),
        cache=_cache(settings, store, services, schema),
    )
    origins = [each.strip() for each in (settings.cors_origins or "").split(",") if each.strip()]
    streams = Streams(settings.streams)
    endpoint = GraphQLEndpoint(gateway, settings, streams, serve_graphiql=parts.settings.graphiql)

    def long_way() -> Starlette:
        return Starlette(
            routes=[
                Route("/", _to_graphql, methods=["GET"]),
                Route("/graphql", endpoint),
                WebSocketRoute("/graphql", GraphQLSocket(gateway, settings, streams, origins)),
                Route("/graphql/assets/{name}", graphiql.asset, methods=["GET"]),
                Route("/health/live", health.live, methods=["GET"]),
                Route("/health/ready", health.ready(parts.database, ranking), methods=["GET"]),
            ],
            middleware=[
                Middleware(SecurityHeaders),
                *_cross_origin(origins),
                Middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=_COMPRESSION),
                Middleware(BodyLimit, timeout=settings.body_timeout, count=gateway.metrics.refused),
            ],
        )

    direct = DirectPosts(
        endpoint,
        long_way(),
        timeout=settings.body_timeout,
        headers=[(name.lower().encode(), value.encode()) for name, value in _SECURITY.items()],
        compress_from=_COMPRESSED_FROM,
        compression=_COMPRESSION,
    )
    return observed(direct, long_way, parts.settings.telemetry)


def _spending(settings: GatewaySettings, store: SharedStore | None, clock: Clock) -> Spending:
    budgets = Budgets(store, settings.budget, settings.budget_refill, clock) if settings.budget else None
    limits = [each for each in (settings.operation_cost, settings.budget) if each]
    # What is more than a whole budget could never run.
    return Spending(budgets, min(limits, default=None), shown=settings.show_cost)


def _cache(
    settings: GatewaySettings, store: SharedStore | None, services: Services, schema: strawberry.Schema
) -> ResponseCache | None:
    if store is None or not settings.response_cache:
        return None
    cache = ResponseCache(store, printed(schema))
    services.notifications.follow(cache.changed)
    return cache


def _cross_origin(origins: list[str]) -> list[Middleware]:
    """Let pages of other origins call, if there are any that may; credentials are headers that they set themselves."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
            max_age=_PREFLIGHT_SECONDS,
        )
    ]


async def _to_graphql(_request: Request) -> Response:
    return RedirectResponse("/graphql")
