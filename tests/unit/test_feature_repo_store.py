"""Addresses of Redis in the form that Feast parses."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

import feature_repo  # noqa: F401 - before Feast, whose import changes the warning filters.
from core.errors import InputError
from feature_repo.store import connection_string


def parsed(text: str) -> tuple[list[dict[str, str]], dict[str, object]]:
    """Return what Feast makes of a connection string."""
    from feast.infra.online_stores.redis import RedisOnlineStore  # noqa: PLC0415 - after our import of Feast.

    nodes, options = RedisOnlineStore._parse_connection_string(text)
    return nodes, options


def test_a_plain_url_is_translated() -> None:
    """Host, port, database, timeouts and no retries."""
    nodes, options = parsed(connection_string("redis://cache.example/3", 0.2))
    assert [{"host": "cache.example", "port": "6379"}] == nodes
    assert {"db": 3, "socket_timeout": 0.2, "socket_connect_timeout": 0.2, "retry": None} == options


def test_tls_and_user_are_kept() -> None:
    """`rediss://` encrypts, and a user name goes along."""
    nodes, options = parsed(connection_string("rediss://reader:secret@cache.example:7000", 1))
    assert [{"host": "cache.example", "port": "7000"}] == nodes
    assert (True, "reader", "secret", 0) == (options["ssl"], options["username"], options["password"], options["db"])


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
def test_every_password_survives(password: str) -> None:
    """Commas, equal signs, digits and quotes in a password reach the client as they are."""
    _, options = parsed(connection_string(f"redis://:{quote(password, safe='')}@127.0.0.1:6379/0", 1))
    assert password == options["password"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://x",
        "redis://",
        "redis://host:port/0",
        "redis://host/first",
        "redis://[::1]:6379/0",
        "unix:///run/redis",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    """Each is one clear error, and none shows a password."""
    with pytest.raises(InputError, match="Redis URL"):
        connection_string(url, 1)
