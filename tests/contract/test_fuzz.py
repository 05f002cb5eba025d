"""Bytes of any kind, thrown at the application: it answers all of them, and never with a mistake of its own.

In the checks: so many cases of a fixed seed. For longer: `pytest tests/contract/test_fuzz.py --fuzz-cases 100000
--fuzz-seed 7`; a failure prints the case, which the seed reproduces.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Message

from app.wiring import Platform
from core.settings import OperationsMode
from database.session import Database
from tests.contract.gateways import HELLO, TITLES, registered, served, sha256
from tests.contract.test_subscriptions import connected

TEXTS = [
    HELLO,
    TITLES,
    '{ node(id: "x") { id ... on Course { title } } courses(filter: {search: "a"}, first: 2) { edges { cursor } } }',
    'mutation { signIn(input: {email: "a@b.c", password: "x"}) { userErrors { code } } }',
    "query A($a: [ID!]!) { nodes(ids: $a) { __typename ...f } } fragment f on Course { title topics { name } }",
    "subscription { x }",
]
BODIES = [
    *({"query": text, "variables": {"first": 1, "a": ["x"]}, "operationName": None} for text in TEXTS),
    {"documentId": sha256(HELLO)},
    {"query": TITLES, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(TITLES)}}},
    [{"query": HELLO}],
]
WORDS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b"(", b")", b"$", b"!", b"@", b"#", b"...", b"\\", b"\\u0000", b"\\ud800"),
    *(
        b"null",
        b"true",
        b"1e999",
        b"-1",
        b"0x",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x00",
        b"\xef\xbb\xbf",
        b'"',
        b'"""',
        b"\r\n",
    ),
    *(b"query", b"mutation", b"subscription", b"fragment", b"on", b"__schema", b"__typename", b"@skip(if: $x)", b"id"),
    *(b"first", b"documentId", b"extensions", b"persistedQuery", b"sha256Hash", b"[" * 300, b"{a" * 50, b"9" * 400),
]
HEADERS = {
    b"content-type": [b"application/json", b"application/json; charset=utf-8", b"text/plain", b"", b"\xff", b";;=,"],
    b"accept": [b"*/*", b"application/graphql-response+json", b"text/event-stream", b"text/html", b"\xff;q=x,,;", b""],
    b"authorization": [b"Bearer x.y.z", b"Bearer ", b"\xff", b"Basic YTpi"],
    b"content-encoding": [b"gzip", b"identity", b"\xff"],
    b"content-length": [b"0", b"-1", b"9" * 30, b"\xb2", b"1e3"],
    b"if-none-match": [b"*", b'W/"x"', b"\xff"],
    b"accept-encoding": [b"gzip", b"gzip;q=0", b"\xff"],
    b"graphql-client-name": [b"ios", b"\xff\x00", b"x" * 5000],
    b"transfer-encoding": [b"chunked"],
}
METHODS = ["POST"] * 12 + ["GET"] * 6 + ["HEAD", "PUT", "OPTIONS", "\xff"]


@dataclass
class Case:
    """One request."""

    method: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes]


@dataclass
class Said:
    """What was answered."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Return bytes that were changed in a few places, or not at all."""
    changed = bytearray(content)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4, 12])):
        at = rng.randrange(len(changed) + 1)
        until = min(len(changed), at + rng.choice([0, 0, 1, 3, 20]))
        how = rng.randrange(4)
        if how == 0:
            changed[at:until] = rng.choice(WORDS)
        elif how == 1:
            changed[at:until] = rng.randbytes(rng.choice([1, 2, 8]))
        elif how == 2:
            changed[at:at] = bytes(changed[at:until]) * rng.choice([2, 30])
        else:
            del changed[at:until]
    return bytes(changed)


def document(rng: random.Random) -> bytes:
    """Return a document made of fragments of others."""
    return b" ".join(
        mutated(rng, rng.choice(TEXTS).encode()) if rng.random() < 0.3 else rng.choice(WORDS)
        for _ in range(rng.randrange(1, 12))
    )


def body(rng: random.Random) -> bytes:
    """Return a body: that of a client that is nearly right, or of one that is not."""
    kind = rng.random()
    if kind < 0.6:
        return mutated(rng, json.dumps(rng.choice(BODIES)).encode())
    if kind < 0.9:
        text = document(rng).decode(errors="ignore")
        return json.dumps({"query": text, "variables": {"x": rng.choice([1, None, "\ud800", {}, [[]]])}}).encode()
    return rng.randbytes(rng.randrange(200))


def case(rng: random.Random) -> Case:
    """Return the next request."""
    content = body(rng)
    query = b""
    if rng.random() < 0.4:
        names = [b"query", b"variables", b"extensions", b"operationName", b"documentId", b"id", b"a"]
        parts = [
            (rng.choice(names), mutated(rng, rng.choice([document(rng), b'{"first": 1}', b"", content])))
            for _ in range(3)
        ]
        escaped = [
            (name, value if rng.random() < 0.3 else b"".join(b"%%%02x" % each for each in value))
            for name, value in parts
        ]
        query = b"&".join(name + b"=" + value for name, value in escaped)
    headers = [(b"content-type", b"application/json")] if rng.random() < 0.8 else []
    headers += [(name, rng.choice(values)) for name, values in HEADERS.items() if rng.random() < 0.15]
    cut = rng.randrange(len(content) + 1)
    return Case(rng.choice(METHODS), query, headers, [content[:cut], content[cut:]])


async def answered(app: ASGIApp, asked: Case) -> Said:
    """Send a request to the application, as a server would, and return all of its answer."""
    waiting: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number + 1 < len(asked.chunks)}
        for number, chunk in enumerate(asked.chunks)
    ]
    said = Said()

    async def receive() -> Message:
        if not waiting:
            # The client waits for its answer.
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            said.status, said.headers = message["status"], dict(message["headers"])
        else:
            said.body += message.get("body", b"")

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": asked.query,
        "headers": asked.headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return said


def check(asked: Case, said: Said, log: str) -> None:
    """Demand an answer that is nobody's mistake but the client's."""
    assert 200 <= said.status < 500, (asked, said)
    assert b"Traceback" not in said.body, asked
    assert b'"INTERNAL"' not in said.body, (asked, said)
    assert "Traceback" not in log, (asked, log)
    plain = b"content-encoding" not in said.headers
    if plain and said.headers.get(b"content-type", b"").startswith((b"application/json", b"application/graphql")):
        answers = json.loads(said.body)
        for answer in answers if isinstance(answers, list) else [answers]:
            assert {"data", "errors"} & answer.keys(), (asked, said)


@dataclass(frozen=True)
class Fuzz:
    """How long to try, and what from."""

    cases: int
    rng: random.Random


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """The cases that the options ask for."""
    seed: int = request.config.getoption("--fuzz-seed")
    return Fuzz(request.config.getoption("--fuzz-cases"), random.Random(seed))  # noqa: S311 - nothing is secret.


@pytest_asyncio.fixture
async def parts(platform_parts: Platform, database: Database, tmp_path: Path) -> Platform:
    """A platform with two registered operations."""
    await registered(database, tmp_path, {sha256(HELLO): HELLO, "titles": TITLES})
    return platform_parts


@pytest.mark.timeout(0)
@pytest.mark.parametrize("mode", [OperationsMode.OPEN, OperationsMode.TRUSTED_ONLY])
async def test_http_answers_whatever_it_is_sent(
    parts: Platform, fuzz: Fuzz, caplog: pytest.LogCaptureFixture, mode: OperationsMode
) -> None:
    """No 5xx, no masked bug, nothing of ours in the answer, nothing in the log."""
    statuses: set[int] = set()
    async with served(parts, mode, batch_limit=2) as app:
        for _ in range(fuzz.cases):
            asked = case(fuzz.rng)
            said = await answered(app.app, asked)
            check(asked, said, caplog.text)
            statuses.add(said.status)
    # A fuzzer that is refused at the door finds nothing.
    assert {200, 400, 401, 405, 413, 415} <= statuses


FRAMES: list[Any] = [
    {"type": "connection_init", "payload": {"Authorization": "Bearer x"}},
    {"type": "ping"},
    {"id": "1", "type": "subscribe", "payload": {"query": HELLO}},
    {"id": "2", "type": "subscribe", "payload": {"documentId": sha256(HELLO)}},
    {"id": "1", "type": "complete"},
]


@pytest.mark.timeout(0)
async def test_websocket_answers_whatever_it_is_sent(
    parts: Platform, fuzz: Fuzz, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages of the protocol or a closing code, and nothing in the log."""
    rng = fuzz.rng
    seen: set[str] = set()
    async with served(parts, OperationsMode.OPEN) as app:
        for _ in range(fuzz.cases // 2):
            sent = [mutated(rng, json.dumps(rng.choice(FRAMES)).encode()) for _ in range(rng.randrange(1, 5))]
            async with connected(app.app) as client:
                if rng.random() < 0.7:
                    await client.begin()
                for frame in sent:
                    await client.send(frame if rng.random() < 0.05 else frame.decode(errors="replace"))
                # What was asked before is answered, or the connection closed, when this is.
                await client.subscribe("last", query=HELLO)
                said: Any = {}
                while not isinstance(said, int) and (said.get("id"), said.get("type")) != ("last", "complete"):
                    said = await client.next()
                    seen.add(f"close {said}" if isinstance(said, int) else said["type"])
                    assert "INTERNAL" not in json.dumps(said), (sent, said)
            assert "Traceback" not in caplog.text, (sent, caplog.text)
    assert {"next", "complete", "pong", "close 4400", "close 4401", "close 4429"} <= seen
