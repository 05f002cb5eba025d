"""What learning costs: the number of SQL statements does not depend on how much is reported, saved or shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.clock import ManualClock
from core.settings import Settings
from database.session import Database
from serving.recommender import Recommender
from tests.contract.conftest import GraphQLClient
from tests.contract.counting import CountingDatabase
from tests.contract.test_learning import ENROLL, RECORD, SAVE, START, SUBMIT, answers, token_of
from tests.small_learning import COURSE_ID, add_revision, assessment_id, lesson_id

COURSE_HOME = """
query ($id: ID!) {
  course(by: { id: $id }) {
    title
    modules { title
      lessons { id title viewerProgress { positionSeconds completedAt } }
      assessment { id title questionCount } }
    viewerEnrollment { progress nextLesson { id title } }
  }
}
"""
COURSE_HOME_BUDGET = 7
RIGHT = answers({"choiceIds": ["a"]}, {"choiceIds": ["a", "b"]}, {"number": 0.3}, {"text": "Force"})


class Counted:
    """A learner's client on a server that counts statements."""

    def __init__(self, client: GraphQLClient, database: CountingDatabase, token: str) -> None:
        self.client = client
        self.database = database
        self.token = token

    async def cost(self, document: str, variables: dict[str, Any]) -> tuple[int, Any]:
        """Send an operation and return how many statements it took, and its data."""
        self.database.counts.clear()
        with self.database.counting_writes():
            data = await self.client.data(document, variables, self.token)
        (count,) = self.database.counts
        return count, data


@pytest_asyncio.fixture
async def counted(
    catalog: Database, settings: Settings, clock: ManualClock, database_url: str
) -> AsyncIterator[Counted]:
    """The client of a learner of course 1."""
    await add_revision(catalog, 1, at=clock())
    counting = CountingDatabase(catalog)
    parts = Platform(settings, clock, settings.data_dir, database_url, counting, None)
    application = build_app(parts, await services(parts, Recommender(None, 0.25)), dict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://waymark.test") as http:
        client = GraphQLClient(http)
        token = await token_of(client, "ada@example.org")
        await client.data(ENROLL, {"id": COURSE_ID}, token)
        yield Counted(client, counting, token)


def reports(count: int, clock: ManualClock, name: str, *, completed: bool) -> dict[str, Any]:
    """Return `count` events on all three lessons."""
    events = [
        {
            "lessonId": lesson_id(1 + number % 3),
            "clientEventId": f"{name}-{number}",
            "positionSeconds": number,
            "watchedSeconds": number,
            "completed": completed,
            "occurredAt": clock().isoformat(),
        }
        for number in range(count)
    ]
    return {"i": {"events": events}}


async def test_reports_cost_the_same_however_many(counted: Counted, clock: ManualClock) -> None:
    """A heartbeat is cheaper than the first report or a completion, and a hundred cost what three cost."""
    first, _ = await counted.cost(RECORD, reports(3, clock, "a", completed=False))
    one, _ = await counted.cost(RECORD, reports(1, clock, "b", completed=False))
    hundred, data = await counted.cost(RECORD, reports(100, clock, "c", completed=False))
    assert ["RECORDED"] * 100 == [result["outcome"] for result in data["recordProgress"]["results"]]
    assert one == hundred
    assert one < first
    three, _ = await counted.cost(RECORD, reports(3, clock, "d", completed=True))
    again, _ = await counted.cost(RECORD, reports(100, clock, "d", completed=True))
    assert again == one
    assert first < three <= 12


async def test_answers_cost_the_same_however_many(counted: Counted) -> None:
    """Saving and submitting one answer or all of them."""
    saved: list[int] = []
    submitted: list[int] = []
    for given in (RIGHT[:1], RIGHT):
        attempt = (await counted.cost(START, {"i": {"assessmentId": assessment_id()}}))[1]["startAttempt"]["attempt"]
        sent = {"i": {"attemptId": attempt["id"], "answers": given}}
        saved.append((await counted.cost(SAVE, sent))[0])
        cost, data = await counted.cost(SUBMIT, sent)
        submitted.append(cost)
        assert "GRADED" == data["submitAttempt"]["attempt"]["status"]
    assert 1 == len(set(saved))
    # A passed attempt tells who watches the enrollment, too.
    assert submitted[0] + 1 == submitted[1]


async def test_course_home_keeps_to_its_budget(counted: Counted, clock: ManualClock) -> None:
    """What the app shows of a course that is taken leaves one statement of eight for similar courses."""
    await counted.cost(RECORD, reports(3, clock, "a", completed=True))
    cost, data = await counted.cost(COURSE_HOME, {"id": COURSE_ID})
    assert 0.75 == data["course"]["viewerEnrollment"]["progress"]
    assert COURSE_HOME_BUDGET == cost
