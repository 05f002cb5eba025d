"""The short way of usual requests answers exactly as the long way does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from starlette.types import Message

from app.wiring import Platform
from core.settings import OperationsMode
from tests.contract.gateways import GRAPHQL, TITLES, Served, served

# A request with an origin goes the long way; nothing else of its answer depends on it here.
LONG = {"Origin": "https://web.example"}
SCHEMA_SIZED = "{ __schema { types { name description fields { name description } } } }"
REQUESTS: list[tuple[bytes, dict[str, str]]] = [
    (b'{"query": "{ __typename }"}', {}),
    (b'{"query": "{ __typename }"}', {"Accept": GRAPHQL}),
    (b'{"query": "{ __typename }"}', {"Accept": "text/plain"}),
    (b'{"query": "{ __typename }"}', {"Accept-Encoding": "gzip"}),
    (json.dumps({"query": SCHEMA_SIZED}).encode(), {"Accept-Encoding": "gzip"}),
    (json.dumps({"query": SCHEMA_SIZED}).encode(), {"Accept-Encoding": "identity"}),
    (b'{"query": "{ nothing }"}', {"Accept": GRAPHQL}),
    (b'{"query": "{ viewer { id } }"}', {"Authorization": "Bearer none"}),
    (b'{"query": "{ viewer { id } }"}', {"Authorization": "Basic x"}),
    (b'{"query": "{ __typename }"}', {"Content-Type": "text/plain"}),
    (b'{"query": "{ __typename }"}', {"Content-Type": "application/json; charset=latin-1"}),
    (b'{"documentId": "unknown"}', {}),
    (b"[]", {}),
    (b"[{}]", {}),
    (b"{", {}),
    (b"", {}),
    (b"\xff", {}),
    (b"x" * 1_000_001, {}),
    (b'{"query": "{ __typename }"}', {"Content-Encoding": "gzip"}),
]


@pytest.fixture
async def open_gateway(platform_parts: Platform) -> AsyncIterator[Served]:
    """A gateway that runs any document."""
    async with served(platform_parts, OperationsMode.OPEN) as gateway:
        yield gateway


async def answered(gateway: Served, body: bytes, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
    """Return status, body and headers of an answer, without what tells it from every other."""
    sent = {"Content-Type": "application/json", "Accept-Encoding": "identity", **headers}
    response = await gateway.http.post("/graphql", content=body, headers=sent)
    told = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    # A packed body says when it was packed, and so may differ in length by nothing that matters.
    told.pop("content-length")
    told["vary"] = ", ".join(sorted(told["vary"].split(", "))) if "vary" in told else ""
    return response.status_code, response.content, told


@pytest.mark.parametrize(("body", "headers"), REQUESTS, ids=range(len(REQUESTS)))
async def test_both_ways_answer_the_same(open_gateway: Served, body: bytes, headers: dict[str, str]) -> None:
    """Status, body and headers."""
    long = await answered(open_gateway, body, {**headers, **LONG})
    assert long == await answered(open_gateway, body, headers)


COSTS = [
    # What is asked for, its limit of cost, and what both ways say: in turn, until the budget of ten is used up.
    (5, 10, [None, "COST_BUDGET_EXCEEDED"]),
    (9, 5, ["OPERATION_TOO_EXPENSIVE", "OPERATION_TOO_EXPENSIVE"]),
]


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
@pytest.mark.parametrize(("first", "most", "codes"), COSTS)
async def test_both_ways_cost_the_same(
    platform_parts: Platform, first: int, most: int, codes: list[str | None], accept: str
) -> None:
    """What is told of costs, what is refused for them, and when to come back."""
    body = json.dumps({"query": TITLES, "variables": {"first": first}}).encode()
    told = []
    for way in ({}, LONG):
        limits: dict[str, Any] = {"budget": 10, "budget_refill": 1.0, "operation_cost": most, "show_cost": True}
        async with served(platform_parts, OperationsMode.OPEN, **limits) as gateway:
            told.append([await answered(gateway, body, {"Accept": accept, **way}) for _ in codes])
    assert told[0] == told[1]
    bodies = [json.loads(content) for _, content, _ in told[0]]
    assert codes == [each["errors"][0]["extensions"]["code"] if "errors" in each else None for each in bodies]
    assert all({"requested", "actual", "remaining"} <= each["extensions"]["cost"].keys() for each in bodies)
    waits = ["retry-after" in headers for _, _, headers in told[0]]
    assert [code == "COST_BUDGET_EXCEEDED" for code in codes] == waits


async def sent(gateway: Served, messages: Iterable[Message], *headers: tuple[bytes, bytes]) -> list[Message]:
    """Ask as a server of ASGI does, with a body in these pieces, and return what was answered."""
    waiting, answer = list(messages), []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "client": ("192.0.2.7", 1),
        "server": ("waymark.test", 80),
        "headers": [(b"content-type", b"application/json"), *headers],
    }
    await gateway.app(scope, receive, send)
    return answer


async def test_body_in_pieces_goes_the_long_way_and_loses_none(open_gateway: Served) -> None:
    """What was read already is read again."""
    body = b'{"query": "{ __typename }"}'
    pieces = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]
    start, answer = await sent(open_gateway, pieces, (b"content-length", str(len(body)).encode()))
    assert 200 == start["status"]
    assert {"data": {"__typename": "Query"}} == json.loads(answer["body"])


async def test_client_that_leaves_is_answered_nothing(open_gateway: Served) -> None:
    """Neither before its body nor in the middle of it."""
    assert [] == await sent(open_gateway, [{"type": "http.disconnect"}], (b"content-length", b"30"))
    begun = {"type": "http.request", "body": b"{", "more_body": True}
    assert [] == await sent(open_gateway, [begun, {"type": "http.disconnect"}], (b"content-length", b"30"))


async def test_length_that_is_none_goes_the_long_way(open_gateway: Served) -> None:
    """Digits of other scripts, two lengths, no length."""
    body = {"type": "http.request", "body": b'{"query": "{ __typename }"}', "more_body": False}
    for lengths, status in (([b"\xb2"], 413), ([b"27", b"27"], 200), ([], 200)):
        start, _ = await sent(open_gateway, [body], *((b"content-length", each) for each in lengths))
        assert status == start["status"], lengths


async def test_slow_body_is_given_up_on_the_short_way_too(platform_parts: Platform) -> None:
    """408, as on the long way."""

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with served(platform_parts, OperationsMode.OPEN, body_timeout=0.05) as gateway:
        request = httpx.Request(
            "POST",
            "http://waymark.test/graphql",
            headers={"Content-Type": "application/json", "Content-Length": "30"},
            content=never(),
        )
        response = await gateway.http.send(request)
    assert 408 == response.status_code
    assert "REQUEST_TIMEOUT" == response.json()["errors"][0]["extensions"]["code"]
