"""Every example of docs/api.md is executed, in its order, and answered as the page says."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import func, select, update

from core.clock import ManualClock
from database.session import Database
from database.tables.accounts import Role, accounts
from tests.contract.conftest import GraphQLClient
from tests.small_catalog import write_catalog
from tests.small_content import teach, write_content

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(graphql|json) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
NAME = re.compile(r"\u2039(\w+)\u203a")


@dataclass
class Example:
    """An operation with what the page says of it; `reader` is who sends it, the learner when nobody is named."""

    query: str
    reader: str
    variables: dict[str, Any] = field(default_factory=dict)
    answer: Any = None
    errors: list[dict[str, Any]] | None = None


def examples() -> list[Example]:
    """Return the examples of the page."""
    found: list[Example] = []
    for language, word, body in BLOCK.findall(PAGE):
        if language == "graphql":
            found.append(Example(body, word or "learner"))
        elif word:
            setattr(found[-1], word, json.loads(body))
    return found


def filled(value: Any, known: dict[str, Any]) -> Any:
    """Return variables with the values of earlier answers in the place of their names."""
    if isinstance(value, dict):
        return {name: filled(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    named = NAME.fullmatch(value) if isinstance(value, str) else None
    return known[named[1]] if named else value


def remembered(said: Any, answered: Any, known: dict[str, Any]) -> Any:
    """Return what the page says with the answer's own values where it leaves them open, and remember named ones."""
    if isinstance(said, dict) and isinstance(answered, dict):
        return {name: remembered(item, answered.get(name), known) for name, item in said.items()}
    if isinstance(said, list) and isinstance(answered, list) and len(said) == len(answered):
        return [remembered(one, other, known) for one, other in zip(said, answered, strict=True)]
    if said == ANYTHING and answered is not None:
        return answered
    named = NAME.fullmatch(said) if isinstance(said, str) else None
    if named and answered is not None:
        return known.setdefault(named[1], answered)
    return said


@pytest_asyncio.fixture
async def toured(database: Database, clock: ManualClock) -> Database:
    """The catalog that the page speaks of."""
    await write_catalog(database, clock())
    await write_content(database, clock())
    return database


async def employed(database: Database, client: GraphQLClient, name: str) -> str:
    """Sign somebody up who teaches course 1 or moderates, and return their access token."""
    credentials = f'email: "{name}@example.org", password: "correct horse"'
    await client.data(
        f'mutation {{ signUp(input: {{{credentials}, displayName: "{name}"}}) {{ userErrors {{ code }} }} }}'
    )
    async with database.transaction() as connection:
        account_id = (await connection.execute(select(func.max(accounts.c.id)))).scalar_one()
        if name == "moderator":
            values = {"roles": [Role.LEARNER.value, Role.MODERATOR.value]}
            await connection.execute(update(accounts).where(accounts.c.id == account_id).values(values))
    if name == "author":
        await teach(database, account_id)
    data = await client.data(f"mutation {{ signIn(input: {{{credentials}}}) {{ session {{ accessToken }} }} }}")
    token: str = data["signIn"]["session"]["accessToken"]
    return token


async def test_examples_are_answered_as_the_page_says(toured: Database, client: GraphQLClient) -> None:
    """Data to the letter, errors by message and code."""
    known: dict[str, Any] = {}
    tour = examples()
    staff = {name: await employed(toured, client, name) for name in ("author", "moderator")}
    assert len(tour) == PAGE.count("```graphql")
    for example in tour:
        token = staff.get(example.reader, known.get("accessToken"))
        response = await client.send(example.query, filled(example.variables, known), token)
        if example.errors is not None:
            told = [{"message": one["message"], "code": one["extensions"]["code"]} for one in response["errors"]]
            assert example.errors == told, example.query
        else:
            assert "errors" not in response, (example.query, response["errors"])
        if os.environ.get("WAYMARK_SHOW_TOUR"):
            print(example.query, json.dumps(response.get("data"), ensure_ascii=False))  # noqa: T201 - for who writes it.
        if example.answer is not None:
            assert remembered(example.answer, response["data"], known) == response["data"], example.query
