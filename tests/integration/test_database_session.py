"""Connections: the URLs that managed servers give, and what happens when none is free."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from core.errors import InputError, UnavailableError
from core.settings import DatabaseSettings
from database.queries.platform import ALIVE
from database.session import open_database


async def test_url_with_the_parameters_of_managed_servers_reads_and_writes(database_url: str) -> None:
    """`sslmode` and the like are understood by both pools."""
    async with open_database(f"{database_url}&sslmode=disable") as database:
        async with database.reader() as reader:
            assert 1 == len(await reader.fetch(ALIVE))
        async with database.transaction() as connection:
            assert 1 == (await connection.execute(text("SELECT 1"))).scalar_one()


@pytest.mark.parametrize(
    ("suffix", "said"), [("&sslmode=bogus", "cannot be used"), ("&sslrootcert=/nowhere&sslmode=verify-full", "cannot")]
)
async def test_url_with_wrong_parameters_is_the_operators_mistake(database_url: str, suffix: str, said: str) -> None:
    """One line, and no traceback."""
    with pytest.raises((InputError, UnavailableError), match=said):
        async with open_database(database_url + suffix):
            pass


async def test_exhausted_pools_are_an_outage(database_url: str) -> None:
    """Whoever waits too long for a connection is told that the service is unavailable."""
    settings = DatabaseSettings(read_connections=2, write_connections=1, connect_timeout=0.2)
    async with open_database(database_url, settings) as database:
        async with database.transaction():
            with pytest.raises(UnavailableError):
                async with database.transaction():
                    pass
        async with database.raw(), database.raw():
            with pytest.raises(UnavailableError):
                async with database.raw():
                    pass
            async with database.reader() as reader:
                with pytest.raises(UnavailableError):
                    await reader.fetch(ALIVE)


async def test_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    """The address helps, the password does not."""
    url = f"postgresql://somebody:hush@/none?host={tmp_path}"
    with pytest.raises(UnavailableError) as refused:
        async with open_database(url):
            pass
    assert "hush" not in str(refused.value)
