"""Several processes on one port: uvicorn's supervisor starts them again when they fall and passes signals on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

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
        listener: from `claim_port`; it is closed.
        started: called when all of them answer requests.

    Raises:
        InputError: the database is not at this version's revision, or a process did not start.
        UnavailableError: PostgreSQL cannot be reached.
    """
    run_on_fast_loop(_prepare(settings))
    config = uvicorn_config(Worker(settings), workers=workers, lifespan="on", proxies=settings.gateway.trusted_proxies)
    held, handed = _sockets(listener)
    with held:
        supervisor = _Supervisor(config, handed, started)
        supervisor.run()
    if not supervisor.ready:
        raise InputError("Not every process started; what they said is above.")


async def _prepare(settings: Settings) -> None:
    """Do once what is better not done by several at once, and refuse what none of them could serve."""
    async with platform(settings) as parts:
        await refuse_pending(parts.database)
        load_or_create_key_ring(parts.key_file)


def _sockets(listener: socket.socket) -> tuple[socket.socket, list[Any]]:
    """Return what the supervisor holds the port with, and what it hands to each process."""
    if sys.platform != "linux":
        return listener, [listener]
    place = listener.family, listener.getsockname()
    listener.close()
    # Bound and not listening: the port stays ours while nobody serves.
    return _bound(*place), [_OwnSocket(*place)]


class _OwnSocket:
    """What arrives in a process that it is handed to as a socket of its own, bound to one port with all the others.

    Whoever is awake first takes all connections that wait at a socket which several processes share, and keeps them: of
    64 clients that came together two processes had had 62 and 2. Between sockets of their own Linux deals them out.
    """

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self._place = family, address

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[socket.AddressFamily, Any]]:
        """Tell how it is made in another process."""
        return _bound, self._place


def _bound(family: socket.AddressFamily, address: Any) -> socket.socket:
    """Return a socket that is bound beside others of the same port; it gets connections when it listens."""
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


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
