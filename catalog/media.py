"""Whether the addresses of media answer. Nothing calls this unless an operator wants it: it leaves the platform.

Addresses come from authors, so they may be meant to make this server talk to its own network (server-side request
forgery). A host is looked up once a hop, every address it has must be public, and the connection goes to the address
that was judged, so that a second look-up cannot change it. Redirects go through the same judgment. How many
addresses, how long and how many bytes are bounded, and no body is read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import h11

from catalog.metadata import MediaLink
from catalog.rules.content import wrong_address

_AGENT = "waymark-media-check"
_CHUNK = 4_096
_MOST_HEAD_BYTES = 32_768
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A server that knows no HEAD may know GET.
_UNKNOWN_METHOD = frozenset({405, 501})
# RFC 3986, section 3.3, and the percent sign of what is quoted already.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._"
_SUCCESS = range(200, 300)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host for a port; raises OSError when it has none."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host as the operating system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public network."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None) or parsed
    return parsed.is_global and inner.is_global and not parsed.is_multicast


@dataclass(frozen=True, slots=True)
class Attempts:
    """How addresses are tried, and how much of it.

    Attributes:
        links: at most so many addresses; the rest is not tried.
        at_once: so many at a time.
        seconds: for each address, with its redirects.
        redirects: hops after the first.
        resolve: looks a host up.
        permits: says whether an IP address may be connected to.
        tls: how certificates are verified.
    """

    links: int = 50
    at_once: int = 4
    seconds: float = 5.0
    redirects: int = 3
    resolve: Resolve = resolve
    permits: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


async def tried(links: Sequence[MediaLink], attempts: Attempts) -> tuple[MediaLink, ...]:
    """Return the links, each with why it could not be reached, if it could not.

    Links that are malformed are not tried: another rule speaks of them.
    """
    places = asyncio.Semaphore(attempts.at_once)

    async def one(link: MediaLink) -> MediaLink:
        if wrong_address(link.url):
            return link
        async with places:
            return replace(link, failure=await _failure(link.url, attempts))

    found = await asyncio.gather(*map(one, links[: attempts.links]))
    return (*found, *links[attempts.links :])


async def _failure(url: str, attempts: Attempts) -> str | None:
    """Return why an address cannot be reached, as the end of a sentence, or None."""
    try:
        async with asyncio.timeout(attempts.seconds):
            return await _follow(url, attempts)
    except TimeoutError:
        return f"it does not answer within {attempts.seconds:g} seconds"
    except ssl.SSLError:
        return "it offers no TLS connection that can be trusted"
    except socket.gaierror:
        return "its host does not exist"
    except (OSError, UnicodeError):
        return "its host does not accept a connection"
    except h11.RemoteProtocolError:
        return "its host does not speak HTTP"


async def _follow(url: str, attempts: Attempts) -> str | None:
    for _ in range(attempts.redirects + 1):
        reason = wrong_address(url)
        if reason:
            return f"it leads to an address that {reason}"
        status, location = await _ask(urlsplit(url), attempts)
        if status is None:
            return "it leads to an address that only its own network knows"
        if status in _SUCCESS:
            return None
        if status not in _REDIRECTS or not location:
            return f"it answers {status}"
        url = urljoin(url, location)
    return f"it redirects more than {attempts.redirects} times"


async def _ask(parts: SplitResult, attempts: Attempts) -> tuple[int | None, str]:
    """Return the status and the location that a server answers; no status when it must not be asked."""
    host = (parts.hostname or "").encode("idna").decode()
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    addresses = await attempts.resolve(host, port)
    if not addresses or not all(map(attempts.permits, addresses)):
        return None, ""
    connect = partial(
        asyncio.open_connection,
        addresses[0],
        port,
        ssl=attempts.tls if secure else None,
        server_hostname=host if secure else None,
    )
    status, location = await _exchange(connect, "HEAD", parts, host)
    if status in _UNKNOWN_METHOD:
        status, location = await _exchange(connect, "GET", parts, host)
    return status, location


async def _exchange(
    connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
    method: str,
    parts: SplitResult,
    host: str,
) -> tuple[int, str]:
    """Send one request and return what the head of the answer says; the body stays unread."""
    reader, writer = await connect()
    try:
        state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
        request = _request(method, parts, host)
        writer.write(state.send(request) + state.send(h11.EndOfMessage()))
        await writer.drain()
        while True:
            event = state.next_event()
            if isinstance(event, h11.Response):
                return event.status_code, dict(event.headers).get(b"location", b"").decode("latin-1")
            if event is h11.NEED_DATA:
                state.receive_data(await reader.read(_CHUNK))
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("The connection ended before an answer.")
    finally:
        writer.close()


def _request(method: str, parts: SplitResult, host: str) -> h11.Request:
    target = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    if parts.query:
        target += "?" + quote(parts.query, safe=_PATH_CHARACTERS + "?")
    named = f"[{host}]" if ":" in host else host
    headers = [
        ("Host", f"{named}:{parts.port}" if parts.port else named),
        ("User-Agent", _AGENT),
        ("Accept", "*/*"),
        ("Range", "bytes=0-0"),
        ("Connection", "close"),
    ]
    return h11.Request(method=method, target=target, headers=headers)
