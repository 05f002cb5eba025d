"""Waymark's compiled executor on nothing but ASGI: registered operations, policies on, a fixed caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from graphql import parse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.process import settle
from core.settings import DatabaseSettings
from database.session import open_database
from execution.compile import compile_operation
from resolvers.context import Context
from schema.contract import build_schema
from security.policies import Identity
from tests.load.operations import OPERATIONS
from tests.load.seeding import fixed_clock, platform_services
from tests.load.wire import body_of, respond


@asynccontextmanager
async def application(url: str, identity: Identity, folder: Path) -> AsyncIterator[ASGIApp]:
    """Yield the application."""
    schema = build_schema()
    operations = {each.sha256: compile_operation(schema, parse(each.text)) for each in OPERATIONS}
    clock, request_id = fixed_clock(), UUID(int=0)
    services = platform_services(folder)
    async with open_database(url, DatabaseSettings()) as database:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            asked: dict[str, Any] = orjson.loads(await body_of(receive))
            async with database.reader() as reader:
                context = Context(reader, database, clock, identity, request_id, services)
                answer = await operations[asked["documentId"]].execute(context, asked["variables"])
            if answer.errors:
                raise RuntimeError(str(answer.errors))
            await respond(send, orjson.dumps({"data": answer.data}))

        settle()
        yield app
