"""Subscriptions of the permission matrix, tried over a real WebSocket and as a real event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.contract.permission_matrix import YES, refusal

_PATIENCE = 30.0


async def stream_outcome(url: str, document: str, token: str | None) -> str:
    """Return what somebody is answered first to a subscription, which must be the same over both transports."""
    async with asyncio.timeout(_PATIENCE):
        answers = [await over_websocket(url, document, token), await over_events(url, document, token)]
    outcomes = [_outcome(answer) for answer in answers]
    assert outcomes[0] == outcomes[1], (document, answers)
    return outcomes[0]


async def over_websocket(url: str, document: str, token: str | None) -> Mapping[str, Any]:
    """Subscribe by graphql-transport-ws, and return the first answer."""
    payload = {} if token is None else {"Authorization": f"Bearer {token}"}
    address = url.replace("http://", "ws://", 1)
    async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert "connection_ack" == json.loads(await socket.recv())["type"]
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": document}}))
        said = json.loads(await socket.recv())
        answer: Mapping[str, Any] = {"errors": said["payload"]} if said["type"] == "error" else said["payload"]
        return answer


async def over_events(url: str, document: str, token: str | None) -> Mapping[str, Any]:
    """Subscribe by GraphQL over SSE, and return the first answer."""
    headers = {"Accept": "text/event-stream"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    async with httpx.AsyncClient() as http, http.stream("POST", url, json={"query": document}, headers=headers) as told:
        assert 200 == told.status_code
        assert told.headers["content-type"].startswith("text/event-stream")
        async for line in told.aiter_lines():
            if line.startswith("data:") and line != "data:":
                answer: Mapping[str, Any] = json.loads(line.removeprefix("data:"))
                return answer
    raise AssertionError("The stream ended without an answer.")


def _outcome(answer: Mapping[str, Any]) -> str:
    found = refusal(answer.get("errors") or ())
    if found is not None:
        return found
    assert all(value is not None for value in answer["data"].values()), answer
    return YES
