"""What a real server takes for a request, and whom it believes about who calls."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.heads import MOST_BYTES, BoundedHeads
from app.server import uvicorn_config
from core.settings import GatewaySettings

ONE = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    await PlainTextResponse(body)(scope, receive, send)


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the address of the caller."""
    await PlainTextResponse(scope["client"][0])(scope, receive, send)


class Hasty(BoundedHeads):
    """Waits for nothing that is not there yet."""

    longest_seconds = 0.05


@asynccontextmanager
async def served(
    protocol: type[BoundedHeads] = BoundedHeads, proxies: str | None = None, app: ASGIApp = echo
) -> AsyncIterator[tuple[str, int]]:
    """Serve; yield the address."""
    config = uvicorn_config(app, proxies=proxies)
    assert config.http is BoundedHeads
    config.http = protocol
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await server.startup(sockets=[listener])
        try:
            yield listener.getsockname()
        finally:
            await server.shutdown(sockets=[listener])


async def answered(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send pieces, one after the other, and return all that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection(*address)
    received = asyncio.create_task(reader.read())
    try:
        for piece in pieces:
            if received.done():
                break
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    try:
        return await received
    except ConnectionResetError:
        # Who goes on sending to a connection that is closed may lose the answer.
        return b"HTTP/1.1 431 (lost)"
    finally:
        writer.close()


def last(request: bytes) -> bytes:
    """Return a request after which the connection ends."""
    return request.replace(b"Host", b"Connection: close\r\nHost")


async def test_usual_requests_are_answered_in_one_piece_or_many() -> None:
    """Also several in one piece, and behind a body that is longer than a head may be."""
    long = b"a" * (3 * MOST_BYTES)
    large = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(long) + long
    near = b"POST / HTTP/1.1\r\nHost: here\r\nX: " + b"a" * (MOST_BYTES - 500) + b"\r\nContent-Length: 2\r\n\r\nhi"
    async with served() as address:
        assert 3 == (await answered(address, ONE * 2 + last(ONE))).count(b"\r\n\r\nhi")
        assert 1 == (await answered(address, *(bytes([each]) for each in last(ONE)))).count(b"\r\n\r\nhi")
        assert 3 == (await answered(address, large + ONE, large + ONE + last(ONE))).count(b"\r\n\r\nhi")
        assert (await answered(address, last(near))).endswith(b"hi")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /?" + b"a" * MOST_BYTES + b" HTTP/1.1\r\nHost: here\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"a" * MOST_BYTES + b"\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nHost: here\r\n" + b"X: y\r\n" * MOST_BYTES + b"\r\n"],
        [b"GET / HTTP/1.1\r\nHost: here\r\nX: ", *[b"a" * 20_000] * 100],
        [ONE, b"GET /?", *[b"a" * 20_000] * 100],
    ],
)
async def test_long_heads_are_refused(pieces: list[bytes]) -> None:
    """An address, a header or many, whole or without end, first or later on a connection."""
    async with served() as address:
        assert b"HTTP/1.1 431" in await answered(address, *pieces)


@pytest.mark.parametrize(
    ("pieces", "status"), [([b"GET / HTTP/1.1\r\nHost: he"], b"408"), ([ONE, b"GET / HT"], b"408"), ([], b"")]
)
async def test_heads_that_do_not_come_are_not_awaited(pieces: list[bytes], status: bytes) -> None:
    """The connection is closed, with a status where something has come."""
    async with served(Hasty) as address:
        found = await answered(address, *pieces)
        assert found.count(b"HTTP/1.1 408") == bool(status)


@pytest.mark.parametrize(
    ("proxies", "told", "caller"),
    [
        ("127.0.0.0/8, 10.0.0.0/8", b"192.0.2.7, 10.1.2.3", b"192.0.2.7"),
        ("127.0.0.0/8, 10.0.0.0/8", b"10.9.9.9, 192.0.2.7", b"192.0.2.7"),
        ("10.0.0.0/8", b"192.0.2.7", b"127.0.0.1"),
        ("127.0.0.1", b"", b"127.0.0.1"),
    ],
)
async def test_trusted_proxies_tell_who_calls(proxies: str, told: bytes, caller: bytes) -> None:
    """The last that no proxy of ours is; of others nothing is believed."""
    settings = GatewaySettings(trusted_proxies=proxies)
    request = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nX-Forwarded-For: " + told + b"\r\n\r\n"
    async with served(proxies=settings.trusted_proxies, app=who) as address:
        assert (await answered(address, request)).endswith(b"\r\n\r\n" + caller)


@pytest.mark.parametrize("given", ["*", "", "proxy.example", "10.0.0.1/8", "10.0.0.0/8,"])
def test_whom_nobody_can_trust_is_no_setting(given: str) -> None:
    """Everybody, a name, and a network that is none."""
    with pytest.raises(ValidationError):
        GatewaySettings(trusted_proxies=given)


async def test_what_is_no_http_is_refused_as_ever() -> None:
    """With uvicorn's own answer."""
    async with served() as address:
        assert (await answered(address, b"NONSENSE\r\n\r\n")).startswith(b"HTTP/1.1 400")
