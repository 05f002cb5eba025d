"""Fixtures that every kind of test may ask for: real servers, started once a run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from app.embedded import embedded_postgres, embedded_valkey
from core.clock import ManualClock
from database.migrate import migrate
from database.session import Database, open_database

pytest_plugins = ["tests.small_catalog", "tests.small_accounts", "tests.small_learning", "tests.small_authors"]

# Threads of numeric libraries wait by spinning: on cores that tests share they take more than they give.
# Read when such a library is first imported, here and in the processes that tests start.
os.environ.update(OMP_THREAD_LIMIT="1", OPENBLAS_NUM_THREADS="1")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEMPLATE = "waymark_template"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of this run, with a migrated template database."""
    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as url:
        asyncio.run(_create_template(url))
        yield url


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey server of this run."""
    with embedded_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon on 2026-03-01 until a test moves it."""
    return ManualClock(NOW)


@pytest_asyncio.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of this test's own."""
    name = f"test_{uuid4().hex}"
    await administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield database_named(postgres_url, name)
    await administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty, migrated database of this test's own, opened."""
    async with open_database(database_url) as opened:
        yield opened


def database_named(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return url.replace("/postgres?", f"/{name}?")


async def _create_template(url: str) -> None:
    # A test database need not survive a power cut.
    await administer(url, "ALTER SYSTEM SET fsync = off")
    await administer(url, "SELECT pg_reload_conf()")
    await administer(url, f"CREATE DATABASE {TEMPLATE}")
    async with open_database(database_named(url, TEMPLATE)) as database:
        await migrate(database)


async def administer(url: str, statement: str) -> None:
    """Execute a statement outside any transaction."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the fuzz tests run longer than they do in the checks."""
    parser.addoption("--fuzz-cases", type=int, default=600, help="Cases that each fuzz test tries.")
    parser.addoption("--fuzz-seed", type=int, default=20_260_301, help="Seed of the fuzz tests' cases.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the folder it lives in, so that `-m unit` and the like select; the longest files go first."""
    root = Path(__file__).parent
    for item in items:
        item.add_marker(item.path.relative_to(root).parts[0])
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    marker = item.get_closest_marker("long")
    return float(marker.args[0]) if marker is not None else 0.0
