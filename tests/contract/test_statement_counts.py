"""The number of SQL statements of an operation does not depend on how much it returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.ids import encode_id
from core.settings import Settings
from database.session import Database
from serving.recommender import Recommender
from tests.contract.conftest import GraphQLClient
from tests.contract.counting import CountingDatabase

CARD = (
    "id slug title level topics { name parent { name } } skills prerequisites { title } viewerEnrollment { progress }"
)


@pytest.fixture
def counting(catalog: Database) -> CountingDatabase:
    """The small catalog, counted."""
    return CountingDatabase(catalog)


@pytest_asyncio.fixture
async def counted(
    counting: CountingDatabase, settings: Settings, clock: ManualClock, database_url: str
) -> AsyncIterator[GraphQLClient]:
    """A client of an application on the counted catalog."""
    parts = Platform(settings, clock, settings.data_dir, database_url, counting, None)
    recommender = Recommender(None, 0.25)
    app = build_app(parts, await services(parts, recommender), dict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://waymark.test") as http:
        yield GraphQLClient(http)


async def signed_up(client: GraphQLClient) -> str:
    """Sign a learner up, enroll them in ten courses, and return an access token."""
    fields = 'email: "ada@example.org", password: "correct horse", displayName: "Ada"'
    data = await client.data(f"mutation {{ signUp(input: {{ {fields} }}) {{ session {{ accessToken }} }} }}")
    token: str = data["signUp"]["session"]["accessToken"]
    for number in range(1, 11):
        enroll = (
            f'mutation {{ enroll(input: {{ courseId: "{encode_id("Course", number)}" }}) {{ userErrors {{ code }} }} }}'
        )
        await client.data(enroll, token=token)
    return token


COURSES = (
    f"query ($first: Int!) {{ courses(first: $first) {{ totalCount nodes {{ {CARD} "
    "instructors(first: 2) { totalCount nodes { displayName } } } } }"
)
RECOMMENDED = (
    f"query ($first: Int!) {{ recommendedCourses(first: $first) {{ strategy edges {{ node {{ {CARD} }} "
    "reasons { text course { title } topic { name } } } } }"
)
VIEWER = (
    "query ($first: Int!) { viewer { email learningPreferences { level } enrollments(first: $first) "
    f"{{ totalCount nodes {{ status course {{ {CARD} }} }} }} }} }}"
)
# With graphql-core, and compiled: where PostgreSQL writes what belongs to a row, there are fewer.
OPERATIONS = {
    "courses": (COURSES, 9, 5),
    "course without extras": ("query ($first: Int!) { courses(first: $first) { nodes { title } } }", 1, 1),
    "topics": ("query ($first: Int!) { topics(first: $first) { totalCount nodes { name parent { name } } } }", 3, 3),
    "recommendedCourses": (RECOMMENDED, None, None),
    "viewer": (VIEWER, None, None),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_statements_are_constant_in_the_page_size(
    counted: GraphQLClient, counting: CountingDatabase, name: str
) -> None:
    """One node and ten cost the same statements; where the number is a promise, it is that number."""
    document, interpreted, compiled = OPERATIONS[name]
    token = await signed_up(counted)
    measured: list[int] = []
    for first in (1, 1, 10):
        counting.counts.clear()
        data: Any = await counted.data(document, {"first": first}, token)
        assert data
        measured += counting.counts
    # The first run is graphql-core's.
    first_run, one, ten = measured
    assert one == ten
    assert interpreted in {None, first_run}
    assert compiled in {None, one}
