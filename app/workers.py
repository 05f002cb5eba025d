"""Several processes on one socket: uvicorn's supervisor starts them again when they fall and passes signals on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override
from uvicorn.supervisors import Multiprocess

from app.process import run_on_fast_loop
from app.server import application, uvicorn_config
from app.telemetry import telemetry
from app.wiring import platform
from core.errors import InputError, WaymarkError
from core.settings import Settings
from database.migrate import refuse_pending
from security.keys import load_or_create_key_ring

_PATIENCE = 60.0


def serve_with_workers(settings: Settings, workers: int, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve with several processes until SIGINT or SIGTERM.

    Args:
        settings: of the platform; each process opens it for itself.
        workers: how many processes.
        listener: the socket that they share.
        started: called when all of them answer requests.

    Raises:
        InputError: the database is not at this version's revision, or a process did not start.
        UnavailableError: PostgreSQL cannot be reached.
    """
    run_on_fast_loop(_prepare(settings))
    config = uvicorn_config(Worker(settings), workers=workers, lifespan="on", proxies=settings.gateway.trusted_proxies)
    supervisor = _Supervisor(config, [listener], started)
    supervisor.run()
    if not supervisor.ready:
        raise InputError("Not every process started; what they said is above.")


async def _prepare(settings: Settings) -> None:
    """Do once what is better not done by several at once, and refuse what none of them could serve."""
    async with platform(settings) as parts:
        await refuse_pending(parts.database)
        load_or_create_key_ring(parts.key_file)


class Worker:
    """The application of one process, which opens the platform when the server starts and closes it at its end.

    Args:
        settings: of the platform. They are all that is handed from process to process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the length of the process's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            assert self._app is not None  # noqa: S101 - uvicorn asks for nothing before it has started.
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                stack.enter_context(telemetry(self._settings.telemetry))
                parts = await stack.enter_async_context(platform(self._settings))
                self._app = await stack.enter_async_context(application(parts))
            except WaymarkError as error:
                await send({"type": "lifespan.startup.failed", "message": f"Error: {error}"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class _Supervisor(Multiprocess):
    """Says when all processes answer."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], started: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._started = started
        self.ready = False

    @override
    def init_processes(self) -> None:
        super().init_processes()
        # A process that cannot start is told and ends all of them; until then signals wait in line.
        self.ready = all(each.wait_until_ready(_PATIENCE) for each in self.processes)
        if self.ready:
            self._started()
