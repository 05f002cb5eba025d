"""What operations cost, as clients are told it, and what they are refused for it, by every transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.wiring import Platform
from core.clock import ManualClock
from core.settings import OperationsMode
from database.session import Database
from tests.contract.conftest import GraphQLClient
from tests.contract.gateways import GRAPHQL, TITLES, Served, apollo, registered, served, sha256
from tests.contract.test_accounts import SIGN_UP, signed_up
from tests.contract.test_learning import ENROLL
from tests.contract.test_subscriptions import connected
from tests.small_learning import COURSE_ID, add_revision

HELLO = {"query": "{ __typename }"}
OPERATION = {"query": TITLES, "variables": {"first": 5}}
LIMITS = {"limit": 20, "refillPerSecond": 2.0}


@pytest_asyncio.fixture
async def app(platform_parts: Platform, catalog: Database) -> AsyncIterator[Served]:
    """A server on which a stranger's budget is twenty points, and grows by two a second."""
    async with served(
        platform_parts, OperationsMode.OPEN, budget=20, budget_refill=2.0, show_cost=True, batch_limit=5
    ) as app:
        yield app


async def test_every_answer_tells_its_cost(app: Served) -> None:
    """What was feared, what it was, and what is left; the first answer is graphql-core's, the second compiled."""
    for remaining in (14, 8):
        answer = await app.post(OPERATION)
        assert {"requested": 6, "actual": 6, "remaining": remaining, **LIMITS} == answer["extensions"]["cost"]
    nothing = await app.post({"query": '{ courses(filter: {query: "nothing"}, first: 7) { nodes { id } } }'})
    assert {"requested": 8, "actual": 2, "remaining": 6, **LIMITS} == nothing["extensions"]["cost"]


async def test_operation_that_is_not_executed_costs_nothing(app: Served) -> None:
    """Variables that do not fit are found before anything is done, and what was taken goes back."""
    wrong = await app.post({"query": "query ($by: CourseBy!) { course(by: $by) { id } }", "variables": {"by": 1}})
    assert {"requested": 1, "actual": 0, "remaining": 20, **LIMITS} == wrong["extensions"]["cost"]


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (GRAPHQL, 429)])
async def test_nothing_runs_over_budget(app: Served, clock: ManualClock, accept: str, status: int) -> None:
    """A mutation changes nothing; the client is told when to try again, and then it may."""
    for _ in range(3):
        await app.post(OPERATION)
    account = {"email": "bo@example.com", "password": "correct horse", "displayName": "Bo"}
    sent = {"query": SIGN_UP, "variables": {"input": account}}
    response = await app.http.post("/graphql", json=sent, headers={"Accept": accept})
    body = response.json()
    assert (status, str(body["errors"][0]["extensions"]["retryAfter"])) == (
        response.status_code,
        response.headers["Retry-After"],
    )
    assert "COST_BUDGET_EXCEEDED" == body["errors"][0]["extensions"]["code"]
    assert "data" not in body
    assert {"requested": body["errors"][0]["extensions"]["cost"], "actual": 0, "remaining": 2, **LIMITS} == body[
        "extensions"
    ]["cost"]
    clock.now += timedelta(seconds=int(response.headers["Retry-After"]))
    done = await app.post(sent)
    assert ([], "bo@example.com") == (done["data"]["signUp"]["userErrors"], done["data"]["signUp"]["viewer"]["email"])


async def test_every_way_to_ask_draws_on_one_budget(app: Served, database: Database, tmp_path: Path) -> None:
    """POST, GET, automatic and registered operations, batches, event streams and WebSockets."""
    await registered(database, tmp_path, {sha256(TITLES): TITLES})
    three = {"first": 2}
    by_get = {"documentId": sha256(TITLES), "variables": json.dumps(three)}
    assert 3 == (await app.http.get("/graphql", params=by_get)).json()["extensions"]["cost"]["actual"]
    told = (await app.post({**apollo(HELLO["query"], sha256(HELLO["query"]))}))["extensions"]["cost"]
    assert (1, 16) == (told["actual"], told["remaining"])
    batch = await app.post([{"query": TITLES, "variables": three}, HELLO])  # type: ignore[arg-type]
    assert [13, 12] == [each["extensions"]["cost"]["remaining"] for each in batch]
    stream = await app.http.post(
        "/graphql", json={"query": TITLES, "variables": three}, headers={"Accept": "text/event-stream"}
    )
    assert '"remaining":9' in stream.text
    async with connected(app.app) as client:
        await client.begin()
        await client.subscribe("a", query=TITLES, variables={"first": 3})
        assert 5 == (await client.next())["payload"]["extensions"]["cost"]["remaining"]


async def test_every_way_to_ask_is_refused_over_budget(app: Served) -> None:
    """With the same code, and the wait where there are headers."""
    await app.post({"query": TITLES, "variables": {"first": 19}})
    refused = [
        await app.http.get("/graphql", params=HELLO),
        await app.http.post("/graphql", json=HELLO),
        await app.http.post("/graphql", json=[HELLO, HELLO]),
        await app.http.post("/graphql", json=HELLO, headers={"Accept": "text/event-stream"}),
    ]
    for response in refused:
        assert "COST_BUDGET_EXCEEDED" in response.text
        assert "__typename" not in response.text
    assert ["1", "1", "1"] == [response.headers["Retry-After"] for response in refused[:3]]
    async with connected(app.app) as client:
        await client.begin()
        await client.subscribe("a", **HELLO)
        said = await client.next()
        assert ("error", "COST_BUDGET_EXCEEDED") == (said["type"], said["payload"][0]["extensions"]["code"])


async def test_subscription_is_admitted_and_its_events_are_paid(
    app: Served, client: GraphQLClient, catalog: Database, clock: ManualClock
) -> None:
    """An event tells what it cost and is taken off; a stream that is not affordable does not begin."""
    await add_revision(catalog, 1, at=clock())
    token = (await signed_up(client))["session"]["accessToken"]
    enrolled = (await client.data(ENROLL, {"id": COURSE_ID}, token))["enroll"]["enrollment"]["id"]
    document = "subscription ($id: ID!) { enrollmentProgress(enrollmentId: $id) { id course { title } } }"
    async with connected(app.app) as socket:
        await socket.begin({"Authorization": f"Bearer {token}"})
        await socket.subscribe("a", query=document, variables={"id": enrolled})
        event = (await socket.next())["payload"]
        assert enrolled == event["data"]["enrollmentProgress"]["id"]
        assert {"requested": 2, "actual": 2, "remaining": 18, **LIMITS} == event["extensions"]["cost"]
        spent = await app.post({"query": TITLES, "variables": {"first": 16}}, Authorization=f"Bearer {token}")
        assert 1 == spent["extensions"]["cost"]["remaining"]
        await socket.subscribe("b", query=document, variables={"id": enrolled})
        said = await socket.next()
        assert ("b", "error", "COST_BUDGET_EXCEEDED") == (
            said["id"],
            said["type"],
            said["payload"][0]["extensions"]["code"],
        )


async def test_accounts_have_budgets_of_their_own(app: Served, client: GraphQLClient) -> None:
    """Who is signed in does not suffer from neighbors behind the same address."""
    token = (await signed_up(client))["session"]["accessToken"]
    await app.post({"query": TITLES, "variables": {"first": 19}})
    mine = await app.post(OPERATION, Authorization=f"Bearer {token}")
    assert 14 == mine["extensions"]["cost"]["remaining"]
    assert "COST_BUDGET_EXCEEDED" == await app.code(HELLO)


@pytest.mark.usefixtures("catalog")
async def test_no_operation_may_cost_more_than_the_limit(platform_parts: Platform) -> None:
    """It names the limit, and what it would cost; one below runs."""
    nested = "query ($n: Int!) { courses(first: $n) { nodes { prerequisites { topics { slug } } } } }"
    async with served(platform_parts, OperationsMode.OPEN, operation_cost=1_000, show_cost=True) as app:
        refused = await app.post({"query": nested, "variables": {"n": 100}})
        (error,) = refused["errors"]
        assert {"code": "OPERATION_TOO_EXPENSIVE", "cost": 11_101, "limit": 1_000} == error["extensions"]
        assert "data" not in refused
        assert "errors" not in await app.post({"query": nested, "variables": {"n": 9}})


@pytest.mark.usefixtures("catalog")
async def test_limits_may_be_off(platform_parts: Platform) -> None:
    """Then answers tell what is known, or nothing."""
    off: dict[str, Any] = {"operation_cost": 0, "budget": 0}
    async with served(platform_parts, OperationsMode.OPEN, show_cost=True, **off) as app:
        assert {"cost": {"requested": 101, "actual": 26}} == (
            await app.post({"query": TITLES, "variables": {"first": 100}})
        )["extensions"]
    async with served(platform_parts, OperationsMode.OPEN, show_cost=False, **off) as app:
        assert {"data": {"__typename": "Query"}} == await app.post(HELLO)


PREFLIGHT = {
    "Origin": "https://app.example.org",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, authorization, apollo-require-preflight",
}


async def test_pages_of_other_origins_may_not_call(platform_parts: Platform) -> None:
    """Unless the operator names them: browsers are told nothing that would let them read an answer."""
    async with served(platform_parts, OperationsMode.OPEN) as app:
        preflight = await app.http.options("/graphql", headers=PREFLIGHT)
        posted = await app.http.post("/graphql", json=HELLO, headers={"Origin": "https://app.example.org"})
    assert 405 == preflight.status_code
    for response in (preflight, posted):
        assert [] == _cors(response)


async def test_named_origins_may_call(platform_parts: Platform) -> None:
    """They and no others: the preflight allows what makes a request no simple one, and answers can be read."""
    origins = "https://app.example.org, https://admin.example.org"
    async with served(platform_parts, OperationsMode.OPEN, cors_origins=origins) as app:
        preflight = await app.http.options("/graphql", headers=PREFLIGHT)
        assert (200, "https://app.example.org") == (
            preflight.status_code,
            preflight.headers["Access-Control-Allow-Origin"],
        )
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in ("content-type", "authorization", "apollo-require-preflight"))
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        stranger = await app.http.options("/graphql", headers={**PREFLIGHT, "Origin": "https://evil.example.org"})
        assert (400, None) == (stranger.status_code, stranger.headers.get("Access-Control-Allow-Origin"))
        other = {**PREFLIGHT, "Access-Control-Request-Headers": "x-evil"}
        assert 400 == (await app.http.options("/graphql", headers=other)).status_code
        posted = await app.http.post("/graphql", json=HELLO, headers={"Origin": "https://admin.example.org"})
        assert "https://admin.example.org" == posted.headers["Access-Control-Allow-Origin"]
        assert "Origin" in posted.headers["Vary"]
        assert "Retry-After" in posted.headers["Access-Control-Expose-Headers"]
        # A simple request of a page is refused as ever, with headers that let the page read why.
        simple = await app.http.post(
            "/graphql", content=b"{}", headers={"Origin": "https://app.example.org", "Content-Type": "text/plain"}
        )
        assert (415, "https://app.example.org") == (
            simple.status_code,
            simple.headers["Access-Control-Allow-Origin"],
        )
        async with connected(app.app, origin="https://app.example.org") as client:
            assert {"type": "connection_ack"} == await client.begin()
        async with connected(app.app, origin="https://evil.example.org") as client:
            assert isinstance(await client.next(), int)


def _cors(response: httpx.Response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control-")]
