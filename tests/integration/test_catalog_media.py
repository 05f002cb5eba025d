"""Trying the addresses of media: against a real server, and never against one's own network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from catalog.media import Attempts, is_public, resolve, tried
from catalog.metadata import MediaLink

ANSWERS = {
    "/good.mp4": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    "/gone.mp4": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "/moved.mp4": b"HTTP/1.1 302 Found\r\nLocation: /good.mp4\r\nContent-Length: 0\r\n\r\n",
    "/loop.mp4": b"HTTP/1.1 302 Found\r\nLocation: /loop.mp4\r\nContent-Length: 0\r\n\r\n",
    "/inside.mp4": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n",
    "/rebound.mp4": b"HTTP/1.1 307 Other\r\nLocation: http://private.example.org/\r\nContent-Length: 0\r\n\r\n",
    "/file.mp4": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "/noise.mp4": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "/endless.mp4": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "/silent.mp4": b"",
    "/a%20b/%C3%A9.mp4?x=1": b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n",
}

_TLS_HANDSHAKE = b"\x16"


class Server:
    """A server on the loopback that remembers what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[str] = []
        self.released = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer by the table; `/slow.mp4` waits until the test ends, and `/get.mp4` knows no HEAD."""
        first = await reader.read(1)
        if first == _TLS_HANDSHAKE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()
            return
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.partition("\r\n")[0].split(" ")
        self.requests.append(f"{method} {target}")
        if target == "/slow.mp4":
            await self.released.wait()
        elif target == "/get.mp4":
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"405 No" if method == "HEAD" else b"200 OK"))
        else:
            writer.write(ANSWERS[target])
        writer.close()

    def attempts(self, seconds: float = 20.0) -> Attempts:
        """Return attempts for which every host but a private one is this server."""

        async def found(host: str, port: int) -> Sequence[str]:
            if host == "absent.example.org":
                raise socket.gaierror
            return ["10.0.0.1", "127.0.0.1"] if host == "private.example.org" else ["127.0.0.1"]

        return Attempts(seconds=seconds, resolve=found, permits=lambda address: address == "127.0.0.1")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A running server."""
    server = Server()
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.released.set()
        listening.close()


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/good.mp4", None),
        ("/moved.mp4", None),
        ("/get.mp4", None),
        ("/a%20b/é.mp4?x=1", None),
        ("/gone.mp4", "it answers 404"),
        ("/loop.mp4", "it redirects more than 3 times"),
        ("/inside.mp4", "it leads to an address that names an address that only its own network knows"),
        ("/rebound.mp4", "it leads to an address that only its own network knows"),
        ("/file.mp4", "it leads to an address that does not begin with https://"),
        ("/noise.mp4", "its host does not speak HTTP"),
        ("/endless.mp4", "its host does not speak HTTP"),
        ("/silent.mp4", "its host does not speak HTTP"),
    ],
)
async def test_address_is_tried_to_its_end(server: Server, path: str, failure: str | None) -> None:
    """What answers is reached, and whatever else happens is one clear reason."""
    link = MediaLink(f"http://media.example.org:{server.port}{path}")
    (found,) = await tried([link], server.attempts())
    assert failure == found.failure


async def test_private_and_absent_hosts_are_never_connected_to(server: Server) -> None:
    """One private address among several is enough to refuse."""
    hosts = ("private.example.org", "absent.example.org")
    links = [MediaLink(f"http://{host}:{server.port}/good.mp4") for host in hosts]
    found = await tried(links, server.attempts())
    assert ["it leads to an address that only its own network knows", "its host does not exist"] == [
        link.failure for link in found
    ]
    assert [] == server.requests


async def test_slow_server_costs_no_more_than_its_time(server: Server) -> None:
    """The limit is for the whole way."""
    (found,) = await tried([MediaLink(f"http://media.example.org:{server.port}/slow.mp4")], server.attempts(0.05))
    assert "it does not answer within 0.05 seconds" == found.failure


async def test_https_without_a_certificate_is_told(server: Server) -> None:
    """A server that speaks no TLS is not reached by https."""
    (found,) = await tried([MediaLink(f"https://media.example.org:{server.port}/good.mp4")], server.attempts())
    assert "it offers no TLS connection that can be trusted" == found.failure
    assert [] == server.requests


async def test_refused_connection_is_told() -> None:
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        attempts = Server().attempts()
        (found,) = await tried([MediaLink(f"http://media.example.org:{taken.getsockname()[1]}/")], attempts)
    assert "its host does not accept a connection" == found.failure


async def test_more_links_than_the_limit_and_malformed_ones_are_not_tried(server: Server) -> None:
    """The work is bounded, and another rule speaks of what is malformed."""
    good = MediaLink(f"http://media.example.org:{server.port}/good.mp4")
    links = [MediaLink("nowhere"), *[good] * 60]
    assert tuple(links) == await tried(links, server.attempts())
    assert 49 == len(server.requests)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse.
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_public_addresses_may_be_connected_to(address: str, *, public: bool) -> None:
    """Private, local, shared, mapped and tunneled ones are refused."""
    assert public is is_public(address)


async def test_operating_system_looks_hosts_up() -> None:
    """The default resolver returns addresses as text."""
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)
