"""Applications with gateway settings of a test's choice, and operations that are registered with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.settings import GatewaySettings, OperationsMode
from database.session import Database
from gateway.manifests import read_manifest
from gateway.registration import Build, Registration, register
from gateway.shared import SharedStore
from gateway.usage import Usage
from schema.contract import build_schema
from serving.recommender import Recommender
from tests.conftest import NOW

TITLES = "query Titles($first: Int) { courses(first: $first) { nodes { title } } }"
HELLO = "query Hello { __typename }"
GRAPHQL = "application/graphql-response+json"
SCHEMA = build_schema()


@dataclass(frozen=True)
class Served:
    """An application, and a client of it."""

    app: ASGIApp
    http: httpx.AsyncClient
    usage: Usage

    async def post(self, body: Mapping[str, Any], **headers: str) -> Any:
        """Send a request and return the whole response object."""
        return (await self.http.post("/graphql", json=body, headers=headers)).json()

    async def code(self, body: Mapping[str, Any]) -> str:
        """Send a request that is refused, and return the code."""
        answer = await self.post(body)
        assert "data" not in answer, answer
        code: str = answer["errors"][0]["extensions"]["code"]
        return code


@asynccontextmanager
async def served(
    parts: Platform, mode: OperationsMode, store: SharedStore | None = None, **gateway: Any
) -> AsyncIterator[Served]:
    """Serve `parts` in process, with these settings of the gateway; costs are not told unless they are to be."""
    gateway = {"show_cost": False} | gateway
    chosen = parts.settings.model_copy(update={"gateway": GatewaySettings(operations=mode, **gateway)})
    usage = Usage(parts.clock)
    recommender = Recommender(None, parts.settings.ranking.deadline)
    app = build_app(replace(parts, settings=chosen), await services(parts, recommender), dict, usage, store)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://waymark.test") as http:
        yield Served(app, http, usage)


def sha256(text: str) -> str:
    """Return what a client calls an operation by."""
    return hashlib.sha256(text.encode()).hexdigest()


def apollo(text: str | None, digest: str) -> dict[str, Any]:
    """Return a request as Apollo's persisted query link sends it."""
    sent: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
    return sent if text is None else {"query": text, **sent}


async def registered(
    database: Database, folder: Path, content: Any, build: Build | None = None, name: str = "manifest.json"
) -> Registration:
    """Register a manifest of this content."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return await register(database, SCHEMA, read_manifest(path), build or Build("ios", "1.0", "tester"), NOW)
