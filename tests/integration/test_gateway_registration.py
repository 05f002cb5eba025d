"""Registering operations: every format of manifest, what is refused, and what never changes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import ManualClock
from core.errors import InputError
from database.queries.operations import OPERATION, OPERATIONS, REGISTRATIONS, USAGE
from database.session import Database
from gateway.manifests import Entry, read_manifest
from gateway.registration import Build, register
from gateway.usage import OTHERS, Client, Usage
from tests.conftest import NOW
from tests.contract.gateways import HELLO, SCHEMA, TITLES, registered, sha256

APOLLO: dict[str, Any] = {"format": "apollo-persisted-query-manifest", "version": 1}


@pytest.mark.parametrize(
    "content",
    [
        {sha256(HELLO): HELLO, sha256(TITLES): TITLES},
        {f"sha256:{sha256(HELLO)}": HELLO, f"sha256:{sha256(TITLES)}": TITLES},
        {sha256(HELLO): {"name": "Hello", "source": HELLO}, sha256(TITLES): {"name": "Titles", "source": TITLES}},
        APOLLO
        | {
            "operations": [{"id": sha256(each), "name": "x", "type": "query", "body": each} for each in (HELLO, TITLES)]
        },
    ],
    ids=["relay", "codegen", "kotlin", "apollo"],
)
async def test_manifest_of_each_build_tool_registers_the_same(database: Database, tmp_path: Path, content: Any) -> None:
    """Operations with their name, kind and what of the schema they need, and the build that has them."""
    done = await registered(database, tmp_path, content, Build("ios", "3.2.0 (145)", "ci"))
    assert (2, 0, []) == (done.new, done.known, done.problems)
    async with database.reader() as reader:
        rows = await reader.fetch(OPERATIONS)
        builds = await reader.fetch(REGISTRATIONS, id=sha256(TITLES))
        trail = await reader.fetch_first(OPERATION, id=sha256(TITLES))
    assert [("Hello", sha256(HELLO), ["ios 3.2.0 (145)"]), ("Titles", sha256(TITLES), ["ios 3.2.0 (145)"])] == [
        (row.name, row.id, row.clients) for row in rows
    ]
    assert trail is not None
    assert ["Course.title", "CourseConnection.nodes", "Query.courses", "Query.courses(first:)"] == trail.coordinates
    assert [("ios", "3.2.0 (145)", "ci", NOW)] == [tuple(row) for row in builds]


async def test_what_is_wrong_is_named_and_the_rest_is_registered(database: Database, tmp_path: Path) -> None:
    """Each with its id, its name where it has one, and the reason."""
    wrong = {
        "syntax": "query {",
        "gone": "query Gone { removedField }",
        "several": "query A { __typename } query B { __typename }",
        "none": "fragment f on Query { __typename }",
        "schema": "query Look { __schema { types { name } } }",
        "deep": "{ courses { nodes { " + "prerequisites { " * 20 + "id" + " }" * 20 + " } } }",
        "nul": "query Nul { __typename } # \0",
        "bad id": HELLO,
        "0" * 64: HELLO,
        "textless": None,
    }
    done = await registered(database, tmp_path, {**wrong, sha256(HELLO): HELLO})
    assert (1, 0) == (done.new, done.known)
    said = {problem.id: str(problem) for problem in done.problems}
    assert set(wrong) == set(said)
    for id_, reason in {
        "syntax": "Syntax Error: Expected Name, found <EOF>. (line 1, column 8)",
        "gone": "Gone (gone): Cannot query field 'removedField' on type 'Query'.",
        "several": "several operations",
        "none": "Fragment 'f' is never used.",
        "schema": "Look (schema): asks for the schema",
        "deep": "at most 15 fields deep",
        "nul": "NUL",
        "bad id": "other characters",
        "0" * 64: "not that of the text",
        "textless": "has no text",
    }.items():
        assert reason in said[id_]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ('"x"', "expected an object"),
        ('{"a": "{ __typename }", "a": "{ x: __typename }"}', "'a' is there twice"),
        ('{"format": "other", "operations": []}', "apollo-persisted-query-manifest"),
        (json.dumps({**APOLLO, "version": 2, "operations": []}), "version 1"),
        (json.dumps({**APOLLO, "operations": {}}), "list of operations"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_file_that_is_no_manifest_is_said(tmp_path: Path, content: str, reason: str) -> None:
    """And nothing of it is guessed at."""
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=reason):
        list(read_manifest(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_manifest(tmp_path / "absent.json"))


async def test_operations_of_an_apollo_manifest_that_are_none_are_named(database: Database, tmp_path: Path) -> None:
    """By their place, where they have no name."""
    content = {**APOLLO, "operations": [5, {"name": "N", "body": HELLO}, {"id": "x", "name": "X", "body": 5}]}
    done = await registered(database, tmp_path, content)
    assert ["operation 1 is not an object.", "N: an operation has no id.", "X (x): has no text."] == [
        str(problem).removeprefix(f"{tmp_path}/manifest.json: ") for problem in done.problems
    ]


async def test_registered_operation_is_never_replaced(database: Database, tmp_path: Path) -> None:
    """Neither by another build nor within one manifest; registering again adds the build and nothing else."""
    await registered(database, tmp_path, {"Hello": HELLO}, Build("ios", "1", "ci"))
    taken = await registered(database, tmp_path, {"Hello": TITLES}, Build("ios", "2", "ci"))
    assert (0, 0, 1) == (taken.new, taken.known, len(taken.problems))
    assert "never replaced" in taken.problems[0].reason
    again = await registered(database, tmp_path, {"Hello": HELLO}, Build("ios", "2", "ci"))
    assert (0, 1, []) == (again.new, again.known, again.problems)
    async with database.reader() as reader:
        row = await reader.fetch_first(OPERATION, id="Hello")
        builds = await reader.fetch(REGISTRATIONS, id="Hello")
    assert row is not None
    assert (HELLO, ["1", "2"]) == (row.text, [build.client_version for build in builds])
    twice = [Entry("a", "New", None, HELLO), Entry("b", "New", None, TITLES), Entry("b", "New", None, HELLO)]
    done = await register(database, SCHEMA, twice, Build("web", "1", "ci"), NOW)
    assert (1, ["b"]) == (done.new, [problem.file for problem in done.problems])


async def test_builds_that_register_at_once_agree_on_one_text(database: Database, tmp_path: Path) -> None:
    """The database decides a race for an id: one is registered, and the others learn of it."""
    texts = [f"query Race {{ a{number}: __typename }}" for number in range(4)]
    both = [{"b": HELLO, "race": one, "a": TITLES} for one in texts]
    done = await asyncio.gather(
        *(
            registered(database, tmp_path, content, Build("web", str(number), "ci"), f"{number}.json")
            for number, content in enumerate(both)
        )
    )
    assert 3 == sum(each.new for each in done)
    assert 3 == sum(len(each.problems) for each in done)
    async with database.reader() as reader:
        row = await reader.fetch_first(OPERATION, id="race")
    assert row is not None
    assert row.text in texts


async def test_registration_is_on_record(database: Database, tmp_path: Path) -> None:
    """One row in the audit trail, with counts and nothing that a person typed."""
    await registered(database, tmp_path, {"a": HELLO, "b": "{"})
    async with database.transaction() as connection:
        (row,) = await connection.execute(text("SELECT action, outcome, details FROM audit_log"))
    assert ("registerOperations", "done", {"new": 1, "known": 0, "refused": 1}) == tuple(row)


async def test_usage_is_added_up_by_processes_and_bounded(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Two processes write at once and lose nothing; names beyond a bound are one."""
    await registered(database, tmp_path, {"a": HELLO, "b": TITLES})
    processes = [Usage(clock), Usage(clock)]
    for usage in processes:
        for _ in range(3):
            usage.count("a", Client("ios", "1"))
            usage.count("b", Client("ios", "1"))
    await asyncio.gather(*(usage.flush(database) for usage in processes))
    many = Usage(clock)
    clock.now += timedelta(days=1)
    for version in range(700):
        many.count("a", Client("ios", str(version)))
    await many.flush(database)
    async with database.reader() as reader:
        rows = {(row.operation_id, row.client, row.client_version): row for row in await reader.fetch(USAGE)}
    assert (6, 7) == (rows["b", "ios", "1"].count, rows["a", "ios", "1"].count)
    assert timedelta(days=1) == rows["a", "ios", "1"].last_used_at - rows["a", "ios", "1"].first_used_at
    assert 502 == len(rows)
    assert 200 == rows["a", OTHERS, ""].count


async def test_usage_that_cannot_be_written_is_kept(
    database: Database, clock: ManualClock, tmp_path: Path, postgres_url: str, database_url: str
) -> None:
    """Until it can be; at the end of the process it is written once more."""
    await registered(database, tmp_path, {"a": HELLO})
    usage = Usage(clock)
    async with usage.flushing(database, 3600):
        usage.count("a", Client("ios", "1"))
        async with database.reader() as reader:
            assert [] == await reader.fetch(USAGE)
    usage.count("a", Client("ios", "1"))
    async with database.reader() as reader:
        assert [1] == [row.count for row in await reader.fetch(USAGE)]
    await database._engine.dispose()
    await usage.flush(database)
    async with database.reader() as reader:
        assert [2] == [row.count for row in await reader.fetch(USAGE)]
