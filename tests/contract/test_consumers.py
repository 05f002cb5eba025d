"""What the apps send goes on working: each operation is answered in its shape, at a cost that is written down.

`WAYMARK_WRITE_BUDGETS=1 .venv/bin/python -m pytest tests/contract/test_consumers.py` writes the budgets anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import parse, validate

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.settings import Settings
from database.session import Database
from schema.contract import build_schema
from serving.recommender import Recommender
from tests.contract.conftest import GraphQLClient
from tests.contract.consumers import FOLDER, ConsumerOperation, consumer_operations
from tests.contract.counting import CountingDatabase
from tests.response_shapes import shape_problems
from tests.small_content import take, teach, write_content

CONTRACT = build_schema()._schema
OPERATIONS = consumer_operations()
BUDGETS = FOLDER / "budgets.json"
COURSE_HOME_BUDGET = 8
SIGN_UP = """
    mutation { signUp(input: { email: "ada@example.org", password: "correct horse", displayName: "Ada" }) {
        session { accessToken refreshToken } viewer { id } } }
"""


@dataclass(frozen=True)
class App:
    """A learner's app: signed in, on a server that counts statements."""

    client: GraphQLClient
    database: CountingDatabase
    session: dict[str, str]

    async def send(self, operation: ConsumerOperation) -> tuple[Any, dict[str, Any], int]:
        """Send an operation; return the response, its variables and how many statements it cost.

        A query is sent twice, and the second response counts: it is the one that is compiled.
        """
        variables = {
            name: self.session[value[1:]] if isinstance(value, str) and value.startswith("$") else value
            for name, value in operation.variables.items()
        }
        # A refresh token is sent without the access token that it renews.
        token = None if "refreshToken" in variables else self.session["accessToken"]
        if operation.text.startswith("query"):
            await self.client.send(operation.text, variables, token)
        self.database.counts.clear()
        with self.database.counting_writes():
            response = await self.client.send(operation.text, variables, token)
        (count,) = self.database.counts
        return response, variables, count


@pytest_asyncio.fixture
async def app(catalog: Database, settings: Settings, clock: ManualClock, database_url: str) -> AsyncIterator[App]:
    """The app of Ada, who takes course 1 and teaches it too, so that every screen shows something."""
    await write_content(catalog, clock())
    counting = CountingDatabase(catalog)
    parts = Platform(settings, clock, settings.data_dir, database_url, counting, None)
    application = build_app(parts, await services(parts, Recommender(None, 0.25)), dict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://waymark.test") as http:
        client = GraphQLClient(http)
        signed_up = (await client.data(SIGN_UP))["signUp"]
        await take(catalog, 1, clock())
        await teach(catalog, 1)
        yield App(client, counting, signed_up["session"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_is_valid(operation: ConsumerOperation) -> None:
    """A build that is out there cannot be changed any more: what it sends stays valid."""
    assert [] == validate(CONTRACT, parse(operation.text))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_answer_has_the_shape_of_its_operation(app: App, operation: ConsumerOperation) -> None:
    """Field by field, and without errors."""
    response, variables, _ = await app.send(operation)
    assert "errors" not in response, response["errors"]
    assert [] == shape_problems(CONTRACT, operation.text, None, variables, response)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_operation_keeps_to_its_budget_of_statements(app: App, operation: ConsumerOperation) -> None:
    """The number of statements is written down: a change of it is a decision."""
    _, _, count = await app.send(operation)
    budgets = json.loads(BUDGETS.read_text(encoding="utf-8"))
    if os.environ.get("WAYMARK_WRITE_BUDGETS"):
        budgets[operation.name] = count
        BUDGETS.write_text(json.dumps(budgets, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert budgets[operation.name] == count


QUERIES = [operation for operation in OPERATIONS if operation.text.lstrip().startswith("query")]


@pytest.mark.parametrize("operation", QUERIES, ids=lambda operation: operation.name)
async def test_operation_that_comes_again_is_compiled_and_answers_the_same(
    app: App, operation: ConsumerOperation
) -> None:
    """The first run is graphql-core's, the second one's code is generated; a list is identified anew each time."""
    first, _, interpreted = await app.send(operation)
    second, _, compiled = await app.send(operation)
    for response in (first, second):
        (response["data"].get("recommendedCourses") or {}).pop("recommendationId", None)
        del response["extensions"]["cost"]["remaining"]
    assert first == second
    assert list(first["data"]) == list(second["data"])
    assert compiled <= interpreted


def test_budgets_are_of_operations_that_there_are() -> None:
    """Nothing is left over from an operation that was renamed, and the course home has at most eight statements."""
    budgets = json.loads(BUDGETS.read_text(encoding="utf-8"))
    assert {operation.name for operation in OPERATIONS} == set(budgets)
    assert budgets.get("mobile-2/CourseHome", 0) <= COURSE_HOME_BUDGET
