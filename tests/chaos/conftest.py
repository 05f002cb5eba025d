"""A platform with a trained model, made once; tests then take its parts away, one by one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.asgi import build_app
from app.embedded import embedded_valkey
from app.feature_pipeline import FeaturePlaces, materialize, quiet
from app.model_training import train_model, training_data
from app.ranking import ranked_lists, ranking_engine
from app.server import Ranking, services
from app.wiring import Platform, platform
from catalog.simulation.demonstration import fill_demonstration
from core.clock import ManualClock
from core.settings import GatewaySettings, OperationsMode, RankingSettings, SecuritySettings, Settings
from database.migrate import migrate
from serving.engine import RankingEngine
from tests.conftest import administer, database_named
from training.release import TrainingOptions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEARNERS = 500
DATABASE = "chaos_template"


@dataclass
class Trained:
    """A platform's folders and servers, ready to be copied."""

    postgres_url: str
    data_dir: Path


@pytest.fixture(scope="session")
def trained(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A simulated platform with features and a live release, in a database of its own and a data folder."""
    data_dir = tmp_path_factory.mktemp("trained")

    async def make() -> None:
        await administer(postgres_url, f"CREATE DATABASE {DATABASE}")
        with embedded_valkey(data_dir / "valkey") as valkey_url:
            settings = settings_for(data_dir, database_named(postgres_url, DATABASE), valkey_url)
            async with platform(settings, ManualClock(NOW)) as parts:
                await migrate(parts.database)
                await fill_demonstration(parts.database, parts.clock, learners=LEARNERS)
                await materialize(parts.database, FeaturePlaces(parts.data_dir, valkey_url), parts.clock)
                async with training_data(parts, "ranking_v1") as data:
                    await train_model(
                        parts.database,
                        parts.models_dir,
                        data,
                        clock=parts.clock,
                        options=TrainingOptions(rounds=30),
                        report=quiet,
                    )

    asyncio.run(make())
    return Trained(postgres_url, data_dir)


def settings_for(data_dir: Path, database_url: str, redis_url: str) -> Settings:
    """Return settings that name the servers, refresh often, and hash passwords fast."""
    return Settings(
        data_dir=data_dir,
        database_url=database_url,  # type: ignore[arg-type]
        redis_url=redis_url,  # type: ignore[arg-type]
        gateway=GatewaySettings(operations=OperationsMode.OPEN),
        ranking=RankingSettings(deadline=2.0, refresh_interval=0.05),
        security=SecuritySettings(password_memory_kib=8, password_iterations=1),
    )


@dataclass
class Victim:
    """A running application, and handles to take its parts away.

    Attributes:
        http: a client.
        parts: the platform.
        engine: what ranks.
        clock: the moment, movable.
        valkey_dir: folder of its Valkey.
        database_name: its database.
    """

    http: httpx.AsyncClient
    parts: Platform
    engine: RankingEngine
    clock: ManualClock
    valkey_dir: Path
    database_name: str
    token: str | None = None
    answers: list[Any] = field(default_factory=list)

    @property
    def valkey_pid(self) -> int:
        """Process id of Valkey."""
        return int((self.valkey_dir / "valkey.pid").read_text())

    def signal_valkey(self, how: signal.Signals) -> None:
        """Send Valkey a signal: SIGSTOP makes it hang, SIGKILL takes it away."""
        os.kill(self.valkey_pid, how)

    async def ask(self, document: str, token: str | None = None) -> Any:
        """Send an operation, which must not fail, and return its data."""
        headers = {"Authorization": f"Bearer {token or self.token}"} if token or self.token else {}
        response = await self.http.post("/graphql", json={"query": document}, headers=headers)
        body = response.json()
        assert "errors" not in body, body
        return body["data"]

    async def recommended(self, first: int = 5) -> Any:
        """Return the caller's recommendations."""
        fields = "strategy modelVersion edges { rank score node { id title } reasons { kind text } }"
        return (await self.ask(f"{{ recommendedCourses(first: {first}) {{ {fields} }} }}"))["recommendedCourses"]


@pytest.fixture
def start(trained: Trained, tmp_path: Path) -> Iterator[Any]:
    """How a test starts its own copy of the trained platform."""
    names: list[str] = []

    @asynccontextmanager
    async def started(**changed: Any) -> AsyncIterator[Victim]:
        name = f"chaos_{tmp_path.name.lower().replace('-', '_').replace('[', '_').replace(']', '_')[:50]}"
        names.append(name)
        await administer(trained.postgres_url, f'CREATE DATABASE "{name}" TEMPLATE {DATABASE}')
        data_dir = tmp_path / "data"
        shutil.copytree(trained.data_dir, data_dir, ignore=shutil.ignore_patterns("url", "*.pid", "*.conf", "*.log"))
        async with AsyncExitStack() as stack:
            valkey_url = stack.enter_context(embedded_valkey(data_dir / "valkey"))
            settings = settings_for(data_dir, database_named(trained.postgres_url, name), valkey_url)
            settings = settings.model_copy(update=changed)
            clock = ManualClock(NOW)
            parts = await stack.enter_async_context(platform(settings, clock))
            engine = await stack.enter_async_context(ranking_engine(parts))
            lists = await stack.enter_async_context(ranked_lists(parts))
            recommender = Ranking(engine, lambda: engine.version, lists, trial=lambda: engine.trial).recommender(parts)
            app = build_app(parts, await services(parts, recommender), lambda: {"modelVersion": engine.version})
            transport = httpx.ASGITransport(app)
            http = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://waymark.test")
            )
            yield Victim(http, parts, engine, clock, data_dir / "valkey", name)

    yield started
    for name in names:
        asyncio.run(administer(trained.postgres_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
