"""GraphQL over HTTP: what is answered to good, wrong and hostile requests."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import pytest
from sqlalchemy import text

from database.session import Database
from gateway.limits import MOST_BODY_BYTES
from tests.contract.conftest import GraphQLClient

GRAPHQL = "application/graphql-response+json"
TYPENAME = '{"query": "{ __typename }"}'


async def test_query_is_answered_by_post_and_by_get(client: GraphQLClient) -> None:
    """Both say the same, and every answer can be found again in the logs."""
    posted = await client.http.post("/graphql", content=TYPENAME, headers={"Content-Type": "application/json"})
    got = await client.http.get("/graphql", params={"query": "{ __typename }"}, headers={"Accept": "application/json"})
    for response, kept in ((posted, "no-store"), (got, "private, no-cache")):
        assert 200 == response.status_code
        assert {"__typename": "Query"} == response.json()["data"]
        assert 7 == UUID(response.headers["X-Request-Id"]).version
        assert kept == response.headers["Cache-Control"]
        assert "nosniff" == response.headers["X-Content-Type-Options"]


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/json", "application/json"),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json;q=0.9", GRAPHQL),
        (f"application/json, {GRAPHQL};q=0.9", "application/json"),
        ("*/*", "application/json"),
    ],
)
async def test_media_type_is_the_one_that_was_asked_for(client: GraphQLClient, accept: str, answered: str) -> None:
    """The older type stays the default, so that old clients see no change."""
    headers = {"Content-Type": "application/json", "Accept": accept}
    response = await client.http.post("/graphql", content=TYPENAME, headers=headers)
    assert f"{answered}; charset=utf-8" == response.headers["Content-Type"]


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (GRAPHQL, 400)])
@pytest.mark.parametrize("document", ["{ nothing }", "{ course }", "{", "query ($a: Int!) { __typename }"])
async def test_wrong_document_is_refused_without_data(
    client: GraphQLClient, accept: str, status: int, document: str
) -> None:
    """An operation that does not run has errors with a code, and no `data`."""
    response = await client.http.post("/graphql", json={"query": document}, headers={"Accept": accept})
    body = response.json()
    assert status == response.status_code
    assert "data" not in body
    assert {"BAD_REQUEST"} == {error["extensions"]["code"] for error in body["errors"]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b'{"query": 5}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": {}}',
        b'{"query": "{ __typename }", "extensions": 1}',
        b'{"query": "\xff"}',
        b"[" * 5000,
        b'{"query": null}',
        b"{}",
    ],
)
async def test_unreadable_body_is_the_clients_mistake(client: GraphQLClient, content: bytes) -> None:
    """Whatever the bytes, the answer is a client error in the shape of a GraphQL response."""
    response = await client.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
    assert 400 == response.status_code
    assert "BAD_REQUEST" == response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_simple_requests_of_other_sites_are_refused(client: GraphQLClient, content_type: str) -> None:
    """A form of another site cannot post an operation."""
    response = await client.http.post("/graphql", content=TYPENAME, headers={"Content-Type": content_type})
    assert 415 == response.status_code
    assert "UNSUPPORTED_MEDIA_TYPE" == response.json()["errors"][0]["extensions"]["code"]


async def test_mutation_by_get_is_refused(client: GraphQLClient) -> None:
    """A link cannot change anything."""
    response = await client.http.get("/graphql", params={"query": "mutation { __typename }"})
    assert (405, "POST") == (response.status_code, response.headers["Allow"])


async def test_body_above_the_limit_is_refused_before_it_is_read(client: GraphQLClient) -> None:
    """By its declared length, and by its real one when none is declared."""

    async def chunks() -> object:
        for _ in range(MOST_BODY_BYTES // 1000 + 1):
            yield b" " * 1000

    declared = await client.http.post("/graphql", content=b" " * (MOST_BODY_BYTES + 1))
    streamed = await client.http.post("/graphql", content=chunks())  # type: ignore[arg-type]
    for response in (declared, streamed):
        assert 413 == response.status_code
        assert "PAYLOAD_TOO_LARGE" == response.json()["errors"][0]["extensions"]["code"]


def spread(count: int, times: int) -> str:
    """Return a document of fragments that each spread the next one, so many times."""
    fragments = [
        f"fragment f{n} on Query {{ {f'...f{n + 1} ' * times if n < count else '__typename'} }}"
        for n in range(count + 1)
    ]
    return "{ ...f0 } " + " ".join(fragments)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "document",
    [
        "{ " + " ".join(f"a{n}: __typename" for n in range(60)) + " }",
        "{ ...f ...f } fragment f on Query { " + " ".join(f"a{n}: __typename" for n in range(30)) + " }",
        "{ courses { nodes { " + "prerequisites { " * 20 + "id" + " }" * 20 + " } } }",
        "{ " + "__typename " * 5000 + "}",
        "{ __typename } #" + "x" * 30_000,
        spread(60, 1),
        spread(300, 1),
    ],
    ids=["aliases", "aliases-in-fragments", "depth", "tokens", "text", "fragments", "chain"],
)
async def test_document_above_a_limit_is_refused(client: GraphQLClient, document: str) -> None:
    """Aliases, depth, tokens, fragments and text are bounded before anything is validated."""
    body = await client.send(document)
    assert "data" not in body
    assert "DOCUMENT_TOO_LARGE" == body["errors"][0]["extensions"]["code"]


@pytest.mark.timeout(20)
async def test_document_that_doubles_with_each_fragment_costs_no_more_than_its_size(client: GraphQLClient) -> None:
    """It is answered like any other, within the time of this test; walking every spread would take years."""
    assert {"__typename": "Query"} == await client.data(spread(45, 2))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "document",
    [
        "{ courses { nodes " + "{ prerequisites " * 600 + "}" * 600 + " } }",
        "{ " + "... { " * 300 + "__typename" + " }" * 300 + " }",
        "{ " + "__typename " * 1900 + "}",
    ],
    ids=["nested", "inline", "repeated"],
)
async def test_document_that_the_parser_or_validation_gives_up_on_is_refused(
    client: GraphQLClient, document: str
) -> None:
    """Their own limits end in a client error too."""
    body = await client.send(document)
    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] in {"BAD_REQUEST", "DOCUMENT_TOO_LARGE"}


async def test_several_operations_need_a_name(client: GraphQLClient) -> None:
    """Which one was meant is not guessed."""
    document = "query A { __typename } query B { courses { totalCount } }"
    assert "INVALID_ARGUMENT" == (await client.send(document))["errors"][0]["extensions"]["code"]
    named = await client.http.post("/graphql", json={"query": document, "operationName": "B"})
    assert {"courses": {"totalCount": 0}} == named.json()["data"]


@pytest.mark.parametrize(
    ("field", "cursor"),
    [
        ("courses", ["courses:POPULARITY:desc", 2**63, 1]),
        ("courses(orderBy: { field: TITLE })", ["courses:TITLE:asc", "\0", 1]),
        ("topics", ["topics", "\0"]),
        ("recommendedCourses", ["recommendedCourses", -5]),
        ("recommendedCourses", ["recommendedCourses", 2**63 - 1]),
    ],
)
async def test_forged_cursor_is_an_argument_error(client: GraphQLClient, field: str, cursor: list[object]) -> None:
    """Whatever a client puts into a cursor, it is told that the cursor is wrong."""
    forged = base64.urlsafe_b64encode(json.dumps(cursor, separators=(",", ":")).encode()).rstrip(b"=").decode()
    after = f'(after: "{forged}"' if field[-1] != ")" else f', after: "{forged}"'
    document = f"{{ {field.rstrip(')')}{after}) {{ pageInfo {{ endCursor }} }} }}"
    (error,) = (await client.send(document))["errors"]
    assert "INVALID_ARGUMENT" == error["extensions"]["code"]


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "Bearer abc.def.ghi", "nonsense"])
async def test_wrong_credentials_are_refused_and_not_ignored(client: GraphQLClient, header: str) -> None:
    """A client with a broken token learns of it instead of being served as a stranger."""
    response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": header})
    assert 401 == response.status_code
    assert "Bearer" == response.headers["WWW-Authenticate"]
    assert "UNAUTHENTICATED" == response.json()["errors"][0]["extensions"]["code"]


async def test_bug_is_masked_with_a_correlation_id(
    client: GraphQLClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The client reads no detail of ours; the log has it under the same id."""
    async with database.transaction() as connection:
        await connection.execute(text("ALTER TABLE courses RENAME COLUMN title TO gone"))
    response = await client.http.post("/graphql", json={"query": "{ courses { nodes { id } } }"})
    (error,) = response.json()["errors"]
    assert {"code": "INTERNAL", "correlationId": response.headers["X-Request-Id"]} == error["extensions"]
    assert "title" not in response.text
    assert response.headers["X-Request-Id"] in caplog.text
    assert "title" in caplog.text


async def test_argument_error_reaches_the_client(client: GraphQLClient) -> None:
    """What the client can repair is said as it is, with a code."""
    body = await client.send("{ courses(first: 101) { nodes { id } } }")
    (error,) = body["errors"]
    assert "`first` must be from 0 to 100." == error["message"]
    assert {"code": "INVALID_ARGUMENT"} == error["extensions"]


async def test_browser_gets_graphiql_from_this_origin(client: GraphQLClient) -> None:
    """The page and its files are here, and the policy allows no other origin."""
    page = await client.http.get("/graphql", headers={"Accept": "text/html"})
    assert 200 == page.status_code
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("graphiql.min.js", "graphiql.min.css", "react.production.min.js", "start.js", "start.css"):
        assert f"/graphql/assets/{name}" in page.text
        assert 200 == (await client.http.get(f"/graphql/assets/{name}")).status_code
    assert 404 == (await client.http.get("/graphql/assets/..%2F__init__.py")).status_code
    assert "/graphql" == (await client.http.get("/")).headers["Location"]


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "asked",
    [
        "?query={__typename}",
        "?query={__typename}&operationName=A&variables={}",
        "?query={__typename}&variables={no",
        "?query={no%20syntax",
        "?query=%ff",
        "?" + "&".join(f"a{each}=1" for each in range(60)),
        "?",
    ],
)
async def test_browser_that_is_sent_to_a_query_gets_graphiql(client: GraphQLClient, asked: str) -> None:
    """The page reads the address, so it is for every address the same; nothing is run before a person says so."""
    page = await client.http.get(f"/graphql{asked}", headers={"Accept": BROWSER})
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
    assert (await client.http.get("/graphql", headers={"Accept": "text/html"})).text == page.text
    assert "__typename" not in page.text
    assert {"Accept", "Authorization"} <= {each.strip() for each in page.headers["Vary"].split(",")}


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("application/json", False),
        ("*/*", False),
        ("", False),
        ("application/json, text/html", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0.5, */*", False),
        ("text/html;q=0", False),
        ("text/html, application/json", True),
        ("text/html", True),
    ],
)
async def test_whoever_prefers_json_gets_the_answer(client: GraphQLClient, accept: str, *, page: bool) -> None:
    """What is preferred is told by the header's qualities, of equals by its order; `*/*` is JSON."""
    response = await client.http.get("/graphql?query={__typename}", headers={"Accept": accept})
    assert page == response.headers["Content-Type"].startswith("text/html")
    assert page or {"__typename": "Query"} == response.json()["data"]


async def test_browser_that_names_a_registered_operation_gets_its_answer(client: GraphQLClient) -> None:
    """There is no text to show; neither is there where GraphiQL is off."""
    for name in ("documentId", "id", "doc_id", "extensions"):
        value = "{}" if name == "extensions" else "a" * 64
        response = await client.http.get(f"/graphql?{name}={value}", headers={"Accept": BROWSER})
        assert response.headers["Content-Type"].startswith("application/json")


async def test_health_is_told_without_credentials(client: GraphQLClient) -> None:
    """Alive and ready, with what ranks recommendations."""
    assert {"status": "alive"} == (await client.http.get("/health/live")).json()
    ready = await client.http.get("/health/ready")
    assert {"status": "ready", "postgresql": "ok", "recommendations": {"status": "off"}} == ready.json()


async def test_client_that_would_take_a_stream_gets_json_for_a_query(client: GraphQLClient) -> None:
    """Urql and others name every type that they understand with every operation."""
    everything = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
    response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": everything})
    assert "application/graphql-response+json; charset=utf-8" == response.headers["content-type"]
    assert {"__typename": "Query"} == response.json()["data"]
