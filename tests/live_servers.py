"""A server on a socket of this machine, for clients that speak HTTP: the same application that is served."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from uuid import uuid4

import uvicorn

from app.asgi import build_app
from app.server import claim_port, services
from app.wiring import Platform
from core.clock import Clock, ManualClock
from core.settings import GatewaySettings, OperationsMode, Recommendations, SecuritySettings, Settings
from database.session import Database, open_database
from serving.recommender import Recommender
from tests.conftest import NOW, TEMPLATE, administer, database_named
from tests.small_catalog import write_catalog
from tests.small_content import write_content

Wrap = Callable[[Database], Database]
Fill = Callable[[Platform], Awaitable[None]]


def open_settings(data_dir: Path) -> Settings:
    """Return settings of a server that takes any document, without recommendations, with passwords that hash fast."""
    return Settings(
        data_dir=data_dir,
        recommendations=Recommendations.OFF,
        security=SecuritySettings(password_memory_kib=8, password_iterations=1),
        gateway=GatewaySettings(operations=OperationsMode.OPEN),
    )


@contextmanager
def live_server(
    settings: Settings, database_url: str, clock: Clock, wrap: Wrap = lambda database: database
) -> Iterator[str]:
    """Serve a migrated database without recommendations, in a thread with a loop of its own; yield the URL.

    Args:
        settings: of the platform.
        database_url: of the database, which the server opens for itself.
        clock: the moment that the server believes in.
        wrap: what to put around the database, such as a counter.
    """
    listener = claim_port("127.0.0.1", 0)
    port = listener.getsockname()[1]
    started: Queue[uvicorn.Server | BaseException] = Queue()

    async def serve() -> None:
        async with open_database(database_url, settings.database) as database:
            parts = Platform(settings, clock, settings.data_dir, database_url, wrap(database), None)
            recommender = Recommender(None, settings.ranking.deadline)
            app = build_app(parts, await services(parts, recommender), lambda: {"status": "off"})
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
            server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
            started.put(server)
            await server.serve(sockets=[listener])

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - it is told to whoever waits for the server.
            started.put(error)

    thread = threading.Thread(target=run, name="live-server")
    thread.start()
    server = started.get(timeout=30)
    if isinstance(server, BaseException):
        thread.join()
        raise server
    try:
        # The socket listens already, so a client that comes early only waits.
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()


async def with_content(parts: Platform) -> None:
    """Fill a platform that has the small catalog with the content of its courses."""
    await write_content(parts.database, NOW)


@contextmanager
def live_catalog(postgres_url: str, data_dir: Path, fill: Fill = with_content) -> Iterator[str]:
    """Serve the small catalog, in a database of its own, at noon on 2026-03-01; yield the URL.

    Args:
        postgres_url: of the server that gets the database.
        data_dir: folder with the keys of the platform.
        fill: writes what there is besides courses.
    """
    name = f"test_{uuid4().hex}"
    url = database_named(postgres_url, name)
    settings, clock = open_settings(data_dir), ManualClock(NOW)

    async def prepare() -> None:
        await administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        async with open_database(url) as database:
            await write_catalog(database, NOW)
            await fill(Platform(settings, clock, data_dir, url, database, None))

    asyncio.run(prepare())
    with live_server(settings, url, clock) as served:
        yield served
    asyncio.run(administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))
