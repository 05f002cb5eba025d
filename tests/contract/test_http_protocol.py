"""What HTTP itself offers and asks for: caching, compression, batches, bodies that are packed, slow or endless."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from starlette.types import Message

from app.wiring import Platform
from core.settings import OperationsMode
from database.session import Database
from tests.contract.conftest import GraphQLClient
from tests.contract.gateways import GRAPHQL, served
from tests.contract.test_accounts import signed_up

HELLO = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}


async def test_public_answer_is_not_sent_twice(client: GraphQLClient) -> None:
    """A cache that has it is told so, by the tag of what it has; another document has another tag."""
    first = await client.http.get("/graphql", params=HELLO)
    tag = first.headers["ETag"]
    assert "private, no-cache" == first.headers["Cache-Control"]
    assert "Accept, Authorization" == first.headers["Vary"]
    for match in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = await client.http.get("/graphql", params=HELLO, headers={"If-None-Match": match})
        assert (304, b"", tag) == (again.status_code, again.content, again.headers["ETag"])
        assert "Authorization" in again.headers["Vary"]
    other = await client.http.get(
        "/graphql", params={"query": "{ a: __typename }"}, headers={"If-None-Match": f'{tag}, "x"'}
    )
    assert 200 == other.status_code
    assert tag != other.headers["ETag"]


async def test_what_is_somebodys_own_is_not_kept(client: GraphQLClient) -> None:
    """Answers to signed-in callers, to POST, and errors of any kind."""
    token = (await signed_up(client))["session"]["accessToken"]
    own = await client.http.get("/graphql", params=HELLO, headers={"Authorization": f"Bearer {token}"})
    posted = await client.http.post("/graphql", json=HELLO)
    wrong = await client.http.get("/graphql", params={"query": "{ courses(first: -1) { totalCount } }"})
    refused = await client.http.get("/graphql", params={"query": "{"})
    for response in (own, posted, wrong, refused):
        assert "no-store" == response.headers["Cache-Control"]
        assert "ETag" not in response.headers


async def test_public_answers_may_be_kept_for_a_while(platform_parts: Platform) -> None:
    """As long as their fields say, but no longer than the operator does."""
    everybodys = {"query": "{ courses(first: 1) { nodes { title topics { name } } } }"}
    strangers = {"query": '{ course(by: {slug: "none"}) { title } }'}
    async with served(platform_parts, OperationsMode.OPEN, public_max_age=30) as app:
        said = [
            (await app.http.get("/graphql", params=asked)).headers["Cache-Control"]
            for asked in (everybodys, strangers, HELLO)
        ]
    assert ["public, max-age=30", "private, max-age=30", "private, no-cache"] == said
    async with served(platform_parts, OperationsMode.OPEN) as app:
        assert "public, max-age=60" == (await app.http.get("/graphql", params=everybodys)).headers["Cache-Control"]


@pytest.mark.usefixtures("catalog")
async def test_large_answers_are_compressed_and_small_ones_are_not(client: GraphQLClient) -> None:
    """For clients that accept it; the tag stays the same, since it is of the answer."""
    large = {"query": "{ courses(first: 20) { nodes { id slug title level description skills } } }"}
    packed = await client.http.get("/graphql", params=large, headers={"Accept-Encoding": "gzip"})
    plain = await client.http.get("/graphql", params=large, headers={"Accept-Encoding": "identity"})
    assert ("gzip", None) == (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding"))
    assert packed.json() == plain.json()
    assert "Accept, Authorization, Accept-Encoding" == packed.headers["Vary"] == plain.headers["Vary"]
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    small = await client.http.post("/graphql", json=HELLO, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip"])
async def test_packed_body_is_refused_unread(client: GraphQLClient, coding: str) -> None:
    """A kilobyte could be a gigabyte of zeros."""
    bomb = gzip.compress(b" " * 10_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    response = await client.http.post("/graphql", content=bomb, headers=headers)
    assert (415, "identity") == (response.status_code, response.headers["Accept-Encoding"])
    assert "UNSUPPORTED_MEDIA_TYPE" == response.json()["errors"][0]["extensions"]["code"]


async def test_body_that_never_ends_is_given_up(platform_parts: Platform) -> None:
    """A client that sends a byte and waits holds nothing for long."""
    async with served(platform_parts, OperationsMode.OPEN, body_timeout=0.01) as app:
        sent: list[Message] = []
        first = True

        async def receive() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": b"{", "more_body": True}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await app.app(scope, receive, send)
    assert 408 == sent[0]["status"]
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"REQUEST_TIMEOUT" in sent[1]["body"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=latin-1", "application/jsonp", "application/graphql", "text/json", "application/"],
)
async def test_body_of_another_type_or_alphabet_is_refused(client: GraphQLClient, content_type: str) -> None:
    """Before it is read as what it is not."""
    response = await client.http.post("/graphql", json=HELLO, headers={"Content-Type": content_type})
    assert (415, "application/json") == (response.status_code, response.headers["Accept-Post"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_refused(client: GraphQLClient, method: str) -> None:
    """And those that are served are named."""
    response = await client.http.request(method, "/graphql")
    assert (405, "GET, POST") == (response.status_code, response.headers["Allow"])


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/json;q=0.5, application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json;q=0.5, application/json", "application/json"),
        ("application/json;q=0, application/graphql-response+json;q=0.1", GRAPHQL),
        ("application/graphql-response+json;q=x", "application/json"),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", GRAPHQL),
        ("application/*", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
        ("multipart/mixed; deferSpec=20220824, application/graphql-response+json, application/json", GRAPHQL),
    ],
)
async def test_media_types_are_weighed(client: GraphQLClient, accept: str, answered: str) -> None:
    """By quality, then by order; one that names neither is answered with JSON."""
    response = await client.http.post("/graphql", json=HELLO, headers={"Accept": accept})
    assert f"{answered}; charset=utf-8" == response.headers["Content-Type"]


async def test_batches_are_off_and_bounded_when_on(platform_parts: Platform) -> None:
    """Each operation has its answer in its place, and one that is wrong spoils no other."""
    mutation = {"query": "mutation { signOut { userErrors { code } } }"}
    mismatch = {**HELLO, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    async with served(platform_parts, OperationsMode.OPEN, batch_limit=4) as app:
        answers = await app.post([HELLO, {"query": "{ nothing }"}, mutation, mismatch])  # type: ignore[arg-type]
        assert ANSWER == answers[0]
        assert ["BAD_REQUEST", "UNAUTHENTICATED", "PERSISTED_QUERY_HASH_MISMATCH"] == [
            answer["errors"][0]["extensions"]["code"] for answer in answers[1:]
        ]
        many = await app.http.post("/graphql", json=[HELLO] * 5)
        assert (400, "BATCH_TOO_LARGE") == (many.status_code, many.json()["errors"][0]["extensions"]["code"])
        for wrong in ([], [HELLO, 5], [HELLO, {}]):
            assert 400 == (await app.http.post("/graphql", json=wrong)).status_code


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "document",
    [
        "{ " + "__typename @skip(if: false) " * 60 + "}",
        "query " + "@skip(if: true) " * 60 + "{ __typename }",
        "query (" + "$a: Int " + "@x " * 60 + ") { __typename }",
        "{ " + " ".join(f"f{n}" for n in range(201)) + " }",
        "{ ...a ...b } fragment a on Query { "
        + " ".join(f"f{n}" for n in range(101))
        + " } fragment b on Query { "
        + " ".join(f"g{n}" for n in range(100))
        + " }",
    ],
    ids=["directives", "operation-directives", "variable-directives", "breadth", "breadth-of-fragments"],
)
async def test_directives_and_breadth_are_bounded(client: GraphQLClient, document: str) -> None:
    """Before anything is validated: unknown names would be said otherwise."""
    body = await client.send(document)
    assert "DOCUMENT_TOO_LARGE" == body["errors"][0]["extensions"]["code"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "variables",
    [
        '{"first": "x"}',
        '{"first": 1e400}',
        '{"first": 99999999999999999999}',
        '{"first": {"a": 1}}',
        '{"first": ' + "[" * 900 + "]" * 900 + "}",
        '{"first": true}',
    ],
)
async def test_variables_of_the_wrong_type_are_the_clients_mistake(client: GraphQLClient, variables: str) -> None:
    """Whatever they are, nothing is executed."""
    query = "query ($first: Int) { courses(first: $first) { totalCount } }"
    content = f'{{"query": "{query}", "variables": {variables}}}'
    headers = {"Content-Type": "application/json", "Accept": GRAPHQL}
    response = await client.http.post("/graphql", content=content, headers=headers)
    assert 400 == response.status_code
    assert "BAD_REQUEST" == response.json()["errors"][0]["extensions"]["code"]
    assert len(response.content) < 10_000


async def test_query_string_that_is_none_is_the_clients_mistake(client: GraphQLClient) -> None:
    """Bytes that are no UTF-8, too many fields, variables that are no JSON."""
    for query in ("query=%ff", "&".join(f"a{n}=1" for n in range(60)) + "&query=x", "query=x&variables={", "", "id="):
        response = await client.http.get(f"/graphql?{query}")
        assert (400, "BAD_REQUEST") == (response.status_code, response.json()["errors"][0]["extensions"]["code"]), query


async def test_bug_outside_of_execution_is_masked(
    client: GraphQLClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway's own mistakes are said no louder than those of resolvers."""
    await database._leases.close()
    response = await client.http.post("/graphql", json={"documentId": "x"})
    assert 500 == response.status_code
    assert ["INTERNAL"] == [error["extensions"]["code"] for error in response.json()["errors"]]
    assert "pool" not in response.text
    assert response.headers["X-Request-Id"] in caplog.text
