"""Who may see and do what: every field, mutation and subscription of the contract, tried by every role.

`tests/contract/permissions.txt` is the decision, reviewed by people; these tests are its proof. Write it anew with

    WRITE_PERMISSIONS=1 python -m pytest tests/contract/test_permissions.py

and read the difference before committing it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
from graphql import get_named_type, is_abstract_type

from app.wiring import Platform
from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database, open_database
from execution.fields import DeclaredField
from execution.policies import Policy
from schema.contract import build_schema
from tests.conftest import administer, database_named
from tests.contract.permission_matrix import ROLES, YES, Composer, answered, mutation_outcome, outcome, reach
from tests.contract.permission_streams import stream_outcome
from tests.contract.permission_world import HIDDEN_COURSE, World, seed, sender
from tests.contract.test_policies import FIELDS
from tests.live_servers import live_server

# Not traced for coverage: so many operations would take minutes more, and show no line that other tests do not.
pytestmark = [pytest.mark.long(0.7), pytest.mark.no_cover]

TABLE = Path(__file__).with_name("permissions.txt")
SCHEMA = build_schema()._schema
_WIDTH = 11
_HEAD = """\
# Who may see and do what. Written by `WRITE_PERMISSIONS=1 python -m pytest tests/contract/test_permissions.py`,
# which tries each field and mutation over HTTP, and each subscription over WebSocket and SSE; reviewed by people.
#
# yes      answered (a mutation: not refused for who is asking)
# sign-in  refused with UNAUTHENTICATED
# no       refused with FORBIDDEN
# hidden   answered as if the object did not exist: null, absent from a list, or NOT_FOUND
#
# author: an instructor, of the course that is asked for. instructor: one who has not written it. Fields that are
# everybody's are listed as declared, and are tried too: whoever is given their object is answered. Whether it can be
# reached is what the fields above them say.
"""
Row = tuple[str, ...]


def coordinates() -> dict[str, Policy]:
    """Return the policy of every field, as `Type.field` in the contract's names."""
    found = {}
    for name, field in FIELDS.items():
        assert isinstance(field, DeclaredField)
        type_name = name.partition(".")[0]
        found[f"{type_name}.{SCHEMA_NAMES.get_graphql_name(field)}"] = field.policy
    return found


SCHEMA_NAMES: Any = build_schema().config.name_converter


def written(rows: dict[str, Row]) -> str:
    """Return the table as it is committed."""
    places = max(map(len, rows)) + 2
    policies = max(len(row[0]) for row in rows.values()) + 2
    head = (
        "# " + "field".ljust(places - 2) + "policy".ljust(policies) + "".join(role.ljust(_WIDTH + 3) for role in ROLES)
    )
    lines = [
        name.ljust(places) + row[0].ljust(policies) + "".join(cell.ljust(_WIDTH + 3) for cell in row[1:])
        for name, row in sorted(rows.items())
    ]
    return _HEAD + "\n" + "\n".join(line.rstrip() for line in [head, *lines]) + "\n"


def committed() -> dict[str, Row]:
    """Return the rows of the committed table."""
    lines = (line.split() for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:1] not in {"#", ""})
    return {name: tuple(row) for name, *row in lines}


@pytest_asyncio.fixture
async def world(catalog: Database, platform_parts: Platform) -> World:
    """Somebody of every role on the small catalog."""
    assert catalog is platform_parts.database
    return await seed(platform_parts)


@asynccontextmanager
async def copied(parts: Platform, postgres_url: str) -> AsyncIterator[Platform]:
    """Open a copy of a platform, so that what a mutation changes concerns no other."""
    name = f"test_{uuid4().hex}"
    source = urlsplit(parts.database_url).path.strip("/")
    await administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {source}")
    try:
        async with open_database(database_named(postgres_url, name)) as database:
            yield replace(parts, database=database)
    finally:
        await administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def measured_fields(parts: Platform, world: World, fields: dict[str, Policy]) -> dict[str, Row]:
    """Return the outcomes of the fields that are not everybody's."""
    composer = Composer(SCHEMA, world.ids)
    rows: dict[str, Row] = {}
    async with sender(parts, world) as send:
        paths: dict[str, Any] = {}
        for coordinate, policy in fields.items():
            type_name, _, name = coordinate.partition(".")
            if type_name not in paths:
                paths[type_name] = await reach(composer, send, type_name)
            path = paths[type_name]
            assert path is not None, f"Nobody reaches a {type_name}: seed one in permission_world."
            selected = composer.field(type_name, name)
            rows[coordinate] = (policy.name, *[await outcome(send, role, path, selected, name) for role in ROLES])
    return rows


async def measured_mutations(
    parts: Platform, postgres_url: str, world: World, policies: dict[str, Policy]
) -> tuple[dict[str, Row], set[str]]:
    """Return the outcomes of the mutations, each on a copy of the platform, and every field that was answered by one.

    Of each payload everything is asked for, down to what no query leads to.
    """
    composer = Composer(SCHEMA, world.ids)
    deeper = {name.partition(".")[0] for name in policies} - set(types_below("Query"))
    rows: dict[str, Row] = {}
    seen: set[str] = set()
    root = SCHEMA.mutation_type
    assert root is not None
    for coordinate, policy in policies.items():
        type_name, _, name = coordinate.partition(".")
        if type_name != "Mutation":
            continue
        told = composer.selection(get_named_type(root.fields[name].type).name, policies, deeper)
        document = composer.mutation(name, told=told)
        outcomes = []
        async with copied(parts, postgres_url) as copy, sender(copy, world) as send:
            for role in ROLES:
                found, data = await mutation_outcome(send, role, document)
                outcomes.append(found)
                seen.update(answered(SCHEMA, "Mutation", data))
        rows[coordinate] = (policy.name, *outcomes)
    return rows, seen


async def measured_subscriptions(url: str, world: World, policies: dict[str, Policy]) -> dict[str, Row]:
    """Return the outcomes of the subscriptions, over WebSocket and as event streams."""
    composer = Composer(SCHEMA, world.ids)
    rows: dict[str, Row] = {}
    for coordinate, policy in policies.items():
        document = f"subscription {{ {composer.field('Subscription', coordinate.partition('.')[2])} }}"
        rows[coordinate] = (
            policy.name,
            *[await stream_outcome(url, document, world.tokens.get(role)) for role in ROLES],
        )
    return rows


async def tried_fields(parts: Platform, world: World, fields: dict[str, Policy]) -> tuple[set[str], list[str]]:
    """Try the fields that are everybody's: return those that somebody was answered, and what somebody was refused.

    The fields of a type are asked for together, and one by one only to find out which of them is refused.
    """
    composer = Composer(SCHEMA, world.ids)
    seen: set[str] = set()
    refused: list[str] = []
    by_type: dict[str, list[str]] = {}
    for coordinate in fields:
        type_name, _, name = coordinate.partition(".")
        by_type.setdefault(type_name, []).append(name)
    async with sender(parts, world) as send:
        for type_name, names in by_type.items():
            path = await reach(composer, send, type_name)
            assert path is not None, f"Nobody reaches a {type_name}: seed one in permission_world."
            selected = {name: composer.field(type_name, name) for name in names}
            for role in ROLES:
                if await outcome(send, role, path, "__typename", "__typename") != YES:
                    continue
                seen.update(f"{type_name}.{name}" for name in names)
                if await outcome(send, role, path, " ".join(selected.values()), names[0]) != YES:
                    refused += [
                        f"{type_name}.{name} by {role}"
                        for name in names
                        if await outcome(send, role, path, selected[name], name) != YES
                    ]
    return seen, refused


def types_below(name: str) -> Iterator[str]:
    """Yield the names of all types that queries lead to."""
    waiting, known = [name], set()
    while waiting:
        here = waiting.pop()
        if here not in known:
            known.add(here)
            yield here
            found: Any = SCHEMA.type_map[here]
            waiting += [get_named_type(field.type).name for field in getattr(found, "fields", {}).values()]
            if is_abstract_type(found):
                waiting += [each.name for each in SCHEMA.get_possible_types(found)]


# Each mutation has a copy of the platform, which PostgreSQL takes its time for on a busy machine.
@pytest.mark.timeout(400)
async def test_outcomes_are_those_of_the_table(
    platform_parts: Platform, postgres_url: str, world: World, clock: ManualClock
) -> None:
    """Every field, mutation and subscription has a row, and each role is answered as the row says."""
    policies = coordinates()
    below = set(types_below("Query"))
    queried = {name: policy for name, policy in policies.items() if name.partition(".")[0] in below}
    subscriptions = {name: policy for name, policy in policies.items() if name.startswith("Subscription.")}
    everybodys = {name: policy for name, policy in queried.items() if policy.name == "anyone"}
    restricted = {name: policy for name, policy in queried.items() if policy.name != "anyone"}
    rows: dict[str, Row] = {name: (policy.name, *[YES] * len(ROLES)) for name, policy in policies.items()}
    rows |= await measured_fields(platform_parts, world, restricted)
    seen, refused = await tried_fields(platform_parts, world, everybodys)
    with live_server(platform_parts.settings, platform_parts.database_url, clock) as url:
        streamed = await measured_subscriptions(url, world, subscriptions)
    # PostgreSQL copies only a database that nobody is connected to.
    await platform_parts.database._engine.dispose()
    await platform_parts.database._leases.close()
    changed, told = await measured_mutations(platform_parts, postgres_url, world, policies)
    rows |= streamed | changed
    if os.environ.get("WRITE_PERMISSIONS"):
        TABLE.write_text(written(rows), encoding="utf-8")
    expected = committed()
    assert {} == {name: row for name, row in rows.items() if expected.get(name) != row}
    assert set() == expected.keys() - rows.keys()
    # A row that nobody passes proves nothing: the object was not reached, or the mutation not understood.
    assert [] == [name for name, row in rows.items() if YES not in row[1:]]
    # What is declared as everybody's is answered to everybody who gets there, and nothing of it is left untried.
    assert [] == refused
    assert set() == policies.keys() - seen - told - restricted.keys() - streamed.keys()


def test_the_table_is_written_in_its_own_form() -> None:
    """Rows are sorted and aligned, so that a difference shows one decision a line."""
    assert TABLE.read_text(encoding="utf-8") == written(committed())


@pytest.mark.parametrize("role", ["learner", "instructor", "author", "stranger"])
async def test_a_hidden_course_is_answered_like_one_that_does_not_exist(
    platform_parts: Platform, world: World, role: str
) -> None:
    """Neither a query nor a mutation that names a course tells whether there is a draft that one may not see."""
    composer = Composer(SCHEMA, world.ids)
    ids = [encode_id("Course", HIDDEN_COURSE), encode_id("Course", 987_654)]
    slugs = [f"course-{HIDDEN_COURSE}", "course-987654"]
    root = SCHEMA.mutation_type
    assert root is not None
    pairs = [[f'{{ node(id: "{one}") {{ id }} }}' for one in ids]]
    pairs += [[f'{{ course(by: {{id: "{one}"}}) {{ id }} }}' for one in ids]]
    pairs += [[f'{{ course(by: {{slug: "{one}"}}) {{ id }} }}' for one in slugs]]
    for name, field in root.fields.items():
        given: Any = get_named_type(field.args["input"].type) if "input" in field.args else None
        if given is not None and "courseId" in given.fields:
            pairs.append([composer.mutation(name, {"courseId": f'"{one}"'}) for one in ids])
    async with sender(platform_parts, world) as send:
        for hidden, missing in pairs:
            assert _told(await send(hidden, role)) == _told(await send(missing, role)), hidden


async def test_another_learners_objects_are_answered_like_missing_ones(platform_parts: Platform, world: World) -> None:
    """The id of somebody else's enrollment or account opens nothing, whoever asks."""
    async with sender(platform_parts, world) as send:
        for role in ("stranger", "author", "moderator", "administrator"):
            for one in (world.ids["Enrollment"], encode_id("Viewer", 1)):
                answer = await send(f'{{ node(id: "{one}") {{ id }} }}', role)
                assert ({"node": None}, None) == (answer["data"], answer.get("errors"))


def _told(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without what differs anyway: places in the document, and what is left of a budget."""
    response["extensions"]["cost"].pop("remaining")
    errors = [
        {name: value for name, value in error.items() if name != "locations"} for error in response.pop("errors", ())
    ]
    return {**response, "errors": errors}
