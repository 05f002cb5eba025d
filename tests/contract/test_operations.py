"""Persisted operations: every dialect that clients speak, in every mode, over POST and GET."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.wiring import Platform
from core.clock import ManualClock
from core.settings import OperationsMode
from database.queries.operations import USAGE
from database.session import Database
from tests.contract.gateways import GRAPHQL, HELLO, TITLES, Served, apollo, registered, served, sha256

DIALECTS = {
    "documentId": {"documentId": sha256(HELLO)},
    "documentId with its algorithm": {"documentId": f"sha256:{sha256(HELLO)}"},
    "documentId in capitals": {"documentId": sha256(HELLO).upper()},
    "apollo": apollo(None, sha256(HELLO)),
    "relay doc_id": {"doc_id": sha256(HELLO)},
    "relay id": {"id": sha256(HELLO)},
    "apollo with its text": apollo(HELLO, sha256(HELLO)),
    "text": {"query": HELLO},
    "id and name": {"documentId": sha256(HELLO), "operationName": "Hello", "query": None},
}
ANSWER = {"data": {"__typename": "Query"}}


@pytest_asyncio.fixture
async def trusted(platform_parts: Platform) -> AsyncIterator[Served]:
    """An application that runs registered operations only."""
    async with served(platform_parts, OperationsMode.TRUSTED_ONLY) as opened:
        yield opened


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_registered_operation_runs_in_every_dialect(
    trusted: Served, database: Database, tmp_path: Path, dialect: str
) -> None:
    """However a client names it; by POST and by GET."""
    await registered(database, tmp_path, {sha256(HELLO): HELLO})
    asked = DIALECTS[dialect]
    assert ANSWER == await trusted.post(asked)
    query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items() if value}
    got = await trusted.http.get("/graphql", params=query)
    assert (200, ANSWER) == (got.status_code, got.json())


@pytest.mark.parametrize("id_", ["3be4abb81fa595e25eb725b2c6a87508", "Hello:v1", "web~1.0~abc"])
async def test_ids_that_are_no_hashes_are_taken_as_they_are(
    trusted: Served, database: Database, tmp_path: Path, id_: str
) -> None:
    """Relay writes md5 and some teams write names; the hash of the text works besides."""
    await registered(database, tmp_path, {id_: HELLO})
    for asked in ({"documentId": id_}, {"doc_id": id_}, apollo(None, id_), {"documentId": sha256(HELLO)}):
        assert ANSWER == await trusted.post(asked)


async def test_any_other_document_is_refused_when_only_trusted_ones_run(trusted: Served) -> None:
    """By text, by an id that nobody registered, and by Apollo's way to register; the schema is not told."""
    assert "OPERATION_NOT_TRUSTED" == await trusted.code({"query": HELLO})
    assert "OPERATION_NOT_TRUSTED" == await trusted.code({"query": "{ __schema { types { name } } }"})
    assert "OPERATION_NOT_TRUSTED" == await trusted.code({"query": "{ no syntax"})
    assert "PERSISTED_QUERY_NOT_FOUND" == await trusted.code({"documentId": sha256(HELLO)})
    assert "PERSISTED_QUERY_NOT_FOUND" == await trusted.code(apollo(None, sha256(HELLO)))
    assert "PERSISTED_QUERY_NOT_SUPPORTED" == await trusted.code(apollo(HELLO, sha256(HELLO)))
    assert 404 == (await trusted.http.get("/graphql", headers={"Accept": "text/html"})).status_code
    by_address = await trusted.http.get("/graphql?query={__typename}", headers={"Accept": "text/html"})
    assert "OPERATION_NOT_TRUSTED" == by_address.json()["errors"][0]["extensions"]["code"]


async def test_registration_is_known_without_a_restart(
    trusted: Served, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Though somebody asked for it too early; and what is known is known without PostgreSQL."""
    early = {"documentId": sha256(HELLO)}
    assert "PERSISTED_QUERY_NOT_FOUND" == await trusted.code(early)
    await registered(database, tmp_path, {sha256(HELLO): HELLO})
    assert "PERSISTED_QUERY_NOT_FOUND" == await trusted.code(early)
    clock.now += timedelta(seconds=2)
    assert ANSWER == await trusted.post(early)
    async with database.transaction() as connection:
        await connection.execute(text("ALTER TABLE operations RENAME TO gone"))
    assert ANSWER == await trusted.post(early)


@pytest.mark.parametrize("mode", [OperationsMode.OPEN, OperationsMode.APQ])
async def test_automatic_persisted_queries(platform_parts: Platform, mode: OperationsMode) -> None:
    """Apollo's protocol to the letter: not found, sent with its text, found."""
    async with served(platform_parts, mode) as app:
        digest = sha256(HELLO)
        for accept, status in (("application/json", 200), (GRAPHQL, 400)):
            missed = await app.http.post("/graphql", json=apollo(None, digest), headers={"Accept": accept})
            assert status == missed.status_code
            assert "no-store" == missed.headers["Cache-Control"]
            expected = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
            assert {"errors": [expected]} == missed.json()
        assert ANSWER == await app.post(apollo(HELLO, digest))
        assert ANSWER == await app.post(apollo(None, digest))
        hit = await app.http.get("/graphql", params={"extensions": json.dumps(apollo(None, digest)["extensions"])})
        assert ANSWER == hit.json()


async def test_hash_of_another_text_is_refused_and_not_kept(platform_parts: Platform) -> None:
    """Nobody can put a document of theirs under the hash of somebody else's."""
    async with served(platform_parts, OperationsMode.APQ) as app:
        poisoned = await app.http.post("/graphql", json=apollo(TITLES, sha256(HELLO)))
        assert 400 == poisoned.status_code
        (error,) = poisoned.json()["errors"]
        assert ("provided sha does not match query", "PERSISTED_QUERY_HASH_MISMATCH") == (
            error["message"],
            error["extensions"]["code"],
        )
        assert "PERSISTED_QUERY_NOT_FOUND" == await app.code(apollo(None, sha256(HELLO)))


async def test_document_that_is_wrong_is_not_kept(platform_parts: Platform) -> None:
    """An automatic hash stands for documents that can run."""
    async with served(platform_parts, OperationsMode.APQ) as app:
        wrong = "{ nothing }"
        assert "BAD_REQUEST" == await app.code(apollo(wrong, sha256(wrong)))
        assert "PERSISTED_QUERY_NOT_FOUND" == await app.code(apollo(None, sha256(wrong)))


async def test_introspection_is_for_development(platform_parts: Platform) -> None:
    """Open servers tell their schema, others do not; `__typename` is no introspection."""
    for mode, refused in ((OperationsMode.OPEN, False), (OperationsMode.APQ, True)):
        async with served(platform_parts, mode) as app:
            for asked in (
                '{ __type(name: "Course") { name } }',
                "{ ...f } fragment f on Query { __schema { types { name } } }",
            ):
                answer = await app.post({"query": asked})
                assert refused == ("data" not in answer)
                assert not refused or "INTROSPECTION_DISABLED" == answer["errors"][0]["extensions"]["code"]
            assert ANSWER == await app.post({"query": HELLO})


@pytest.mark.parametrize(
    "asked",
    [
        {"documentId": sha256(HELLO), "id": sha256(TITLES)},
        {"documentId": ""},
        {"documentId": 5},
        {"documentId": "with space"},
        {"documentId": "x" * 201},
        {"documentId": "nul\0"},
        {"extensions": {"persistedQuery": "x"}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha256(HELLO)}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "é"}}},
    ],
)
async def test_id_that_is_none_is_the_clients_mistake(trusted: Served, asked: dict[str, Any]) -> None:
    """It is said before anything is looked up."""
    response = await trusted.http.post("/graphql", json=asked)
    assert 400 == response.status_code
    assert "BAD_REQUEST" == response.json()["errors"][0]["extensions"]["code"]


async def test_registered_operation_that_the_schema_outgrew_says_so(
    trusted: Served, database: Database, tmp_path: Path
) -> None:
    """An old build learns what is missing, and the server goes on."""
    await registered(database, tmp_path, {"old": HELLO})
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE operations SET text = 'query Hello { removed }'"))
    answer = await trusted.post({"documentId": "old"})
    assert "Cannot query field 'removed' on type 'Query'." == answer["errors"][0]["message"]


async def test_use_is_counted_by_client_and_version(
    trusted: Served, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """In memory first, then in one batch; what a client calls itself is bounded."""
    await registered(database, tmp_path, {sha256(HELLO): HELLO})
    asked = {"documentId": sha256(HELLO)}
    await trusted.post(asked, **{"apollographql-client-name": "ios", "apollographql-client-version": "3.1"})
    clock.now += timedelta(minutes=1)
    await trusted.post(asked, **{"graphql-client-name": "ios", "graphql-client-version": "3.1"})
    await trusted.post(asked, **{"graphql-client-name": "x" * 101})
    async with database.reader() as reader:
        assert [] == await reader.fetch(USAGE)
        await trusted.usage.flush(database)
        await trusted.usage.flush(database)
        rows = await reader.fetch(USAGE)
    assert {("ios", "3.1", 2), ("unnamed", "", 1)} == {(row.client, row.client_version, row.count) for row in rows}
    assert {timedelta(minutes=1), timedelta(0)} == {row.last_used_at - row.first_used_at for row in rows}


async def test_variables_reach_a_registered_operation(trusted: Served, catalog: Database, tmp_path: Path) -> None:
    """By POST and by GET; of a wrong type they are refused by name."""
    await registered(catalog, tmp_path, {sha256(TITLES): TITLES})
    asked = {"documentId": sha256(TITLES)}
    answer = await trusted.post({**asked, "variables": {"first": 2}})
    assert 2 == len(answer["data"]["courses"]["nodes"])
    got = await trusted.http.get("/graphql", params={**asked, "variables": '{"first": 2}'})
    assert answer == got.json()
    wrong = await trusted.post({**asked, "variables": {"first": "two"}})
    assert ("BAD_REQUEST", False) == (wrong["errors"][0]["extensions"]["code"], "data" in wrong)
    assert "'$first'" in wrong["errors"][0]["message"]
