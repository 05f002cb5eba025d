"""The application over HTTP, in process: the same ASGI app that is served, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.settings import GatewaySettings, OperationsMode, Recommendations, SecuritySettings, Settings
from database.session import Database
from serving.recommender import Recommender


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a platform without recommendations, with passwords that hash fast."""
    return Settings(
        data_dir=tmp_path,
        recommendations=Recommendations.OFF,
        gateway=GatewaySettings(operations=OperationsMode.OPEN),
        security=SecuritySettings(password_memory_kib=8, password_iterations=1),
    )


@pytest.fixture
def platform_parts(database: Database, database_url: str, settings: Settings, clock: ManualClock) -> Platform:
    """The parts that an application is built from."""
    return Platform(settings, clock, settings.data_dir, database_url, database, None)


@dataclass(frozen=True)
class GraphQLClient:
    """A client as an app would have one."""

    http: httpx.AsyncClient

    async def send(self, query: str, variables: dict[str, Any] | None = None, token: str | None = None) -> Any:
        """Send an operation and return the whole response object."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        return response.json()

    async def data(self, query: str, variables: dict[str, Any] | None = None, token: str | None = None) -> Any:
        """Send an operation that must succeed and return its data."""
        response = await self.send(query, variables, token)
        assert "errors" not in response, response["errors"]
        return response["data"]


@pytest_asyncio.fixture
async def client(platform_parts: Platform) -> AsyncIterator[GraphQLClient]:
    """A client of an application on an empty platform without recommendations."""
    recommender = Recommender(None, platform_parts.settings.ranking.deadline)
    app = build_app(platform_parts, await services(platform_parts, recommender), lambda: {"status": "off"})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://waymark.test") as http:
        yield GraphQLClient(http)
