"""What a load balancer asks: is the process alive, and can it serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.errors import UnavailableError
from database.queries.platform import ALIVE
from database.session import Database

_OK, _UNAVAILABLE = 200, 503
RankingStatus = Callable[[], dict[str, str | None]]
Handler = Callable[[Request], Awaitable[Response]]


async def live(_request: Request) -> Response:
    """Say that the event loop turns."""
    return JSONResponse({"status": "alive"})


def ready(database: Database, ranking: RankingStatus) -> Handler:
    """Return the handler that says whether requests can be served.

    PostgreSQL decides. What ranks recommendations is told, and never makes a replica unready: without it
    they are answered by preference or popularity.
    """

    async def handle(_request: Request) -> Response:
        try:
            async with database.reader() as reader:
                await reader.fetch(ALIVE)
        except UnavailableError:
            return JSONResponse({"status": "unavailable", "postgresql": "unreachable"}, _UNAVAILABLE)
        return JSONResponse({"status": "ready", "postgresql": "ok", "recommendations": ranking()}, _OK)

    return handle
