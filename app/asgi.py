"""The ASGI application: routes and what surrounds them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import instrument
from app.wiring import Platform
from gateway import graphiql, health
from gateway.health import RankingStatus
from gateway.http import GraphQLEndpoint
from gateway.limits import BodyLimit, document_caches
from resolvers.context import Services
from schema.contract import build_schema


class SecurityHeaders:
    """Tells browsers to take every response for what it says it is, and to keep it out of frames."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
            await send(message)

        await self._app(scope, receive, guarded)


def build_app(parts: Platform, services: Services, ranking: RankingStatus) -> Starlette:
    """Return the application.

    Args:
        parts: the opened platform.
        services: what resolvers use.
        ranking: what the readiness probe tells of recommendations.
    """
    endpoint = GraphQLEndpoint(
        build_schema(document_caches()),
        database=parts.database,
        services=services,
        clock=parts.clock,
        serve_graphiql=parts.settings.graphiql,
    )
    app = Starlette(
        routes=[
            Route("/", _to_graphql, methods=["GET"]),
            Route("/graphql", endpoint),
            Route("/graphql/assets/{name}", graphiql.asset, methods=["GET"]),
            Route("/health/live", health.live, methods=["GET"]),
            Route("/health/ready", health.ready(parts.database, ranking), methods=["GET"]),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(BodyLimit)],
    )
    instrument(app, parts.settings.telemetry)
    return app


async def _to_graphql(_request: Request) -> Response:
    return RedirectResponse("/graphql")
