"""The baseline: Strawberry, DataLoaders and SQLAlchemy's async ORM, as a good team writes them from the manuals.

Nothing is slow on purpose: relations are batched, models have only the columns that are needed, the engine has a pool.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.types import Info
from typing_extensions import override

from security.policies import Identity
from tests.load.plain_loaders import Loaders, Sessions
from tests.load.plain_models import (
    AccountModel,
    CourseModel,
    EnrollmentModel,
    InstructorModel,
    LessonModel,
    ModuleModel,
    StatisticsModel,
    TopicModel,
)


@strawberry.enum(name="CourseLevel")
class Level(Enum):
    """How much a course expects."""

    BEGINNER = "BEGINNER"
    INTERMEDIATE = "INTERMEDIATE"
    ADVANCED = "ADVANCED"
    ALL_LEVELS = "ALL_LEVELS"


@strawberry.enum(name="EnrollmentStatus")
class Status(Enum):
    """Where a learner stands."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"


def opaque(kind: str, key: int) -> strawberry.ID:
    """Return an opaque id, as all contestants write them."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("="))


@strawberry.type
class Topic:
    """A topic."""

    id: strawberry.ID
    slug: str
    name: str

    @classmethod
    def of(cls, row: TopicModel) -> Topic:
        """Make one of a row."""
        return cls(id=opaque("Topic", row.id), slug=row.slug, name=row.name)


@strawberry.type
class Instructor:
    """An instructor."""

    id: strawberry.ID
    display_name: str

    @classmethod
    def of(cls, row: InstructorModel) -> Instructor:
        """Make one of a row."""
        return cls(id=opaque("Instructor", row.id), display_name=row.display_name)


@strawberry.type
class InstructorConnection:
    """A page of instructors."""

    nodes: list[Instructor]


@strawberry.type
class Lesson:
    """A lesson."""

    id: strawberry.ID
    title: str
    duration_seconds: int

    @classmethod
    def of(cls, row: LessonModel) -> Lesson:
        """Make one of a row."""
        return cls(id=opaque("Lesson", row.id), title=row.title, duration_seconds=row.duration_seconds)


@strawberry.type
class Module:
    """A module."""

    key: strawberry.Private[int]
    id: strawberry.ID
    title: str

    @classmethod
    def of(cls, row: ModuleModel) -> Module:
        """Make one of a row."""
        return cls(key=row.id, id=opaque("Module", row.id), title=row.title)

    @strawberry.field
    async def lessons(self, info: Info[Any, None]) -> list[Lesson]:
        """Return its lessons."""
        return [Lesson.of(row) for row in await info.context["loaders"].lessons.load(self.key)]


@strawberry.type
class Course:
    """A course."""

    key: strawberry.Private[int]
    id: strawberry.ID
    slug: str
    title: str
    summary: str | None
    level: Level
    language: str
    duration_minutes: int
    published_at: datetime | None
    enrollment_count: int

    @classmethod
    def of(cls, row: CourseModel, enrollment_count: int = 0) -> Course:
        """Make one of a row."""
        return cls(
            key=row.id,
            id=opaque("Course", row.id),
            slug=row.slug,
            title=row.title,
            summary=row.summary,
            level=Level[row.level],
            language=row.language,
            duration_minutes=row.duration_minutes,
            published_at=row.published_at,
            enrollment_count=enrollment_count,
        )

    @strawberry.field
    async def topics(self, info: Info[Any, None]) -> list[Topic]:
        """Return its topics."""
        return [Topic.of(row) for row in await info.context["loaders"].topics.load(self.key)]

    @strawberry.field
    async def instructors(self, info: Info[Any, None], first: int) -> InstructorConnection:
        """Return who teaches it."""
        rows = await info.context["loaders"].instructors.load(self.key)
        return InstructorConnection(nodes=[Instructor.of(row) for row in rows[:first]])

    @strawberry.field
    async def modules(self, info: Info[Any, None]) -> list[Module]:
        """Return its modules."""
        return [Module.of(row) for row in await info.context["loaders"].modules.load(self.key)]


@strawberry.type
class CourseConnection:
    """A page of courses."""

    nodes: list[Course]

    @strawberry.field
    async def total_count(self, info: Info[Any, None]) -> int:
        """Return the length of the whole list."""
        statement = select(func.count()).select_from(CourseModel).where(CourseModel.status == "PUBLISHED")
        async with info.context["sessions"]() as session:
            total: int = (await session.execute(statement)).scalar_one()
        return total


@strawberry.type
class Enrollment:
    """An enrollment."""

    course_key: strawberry.Private[int]
    id: strawberry.ID
    status: Status
    progress: float
    enrolled_at: datetime

    @classmethod
    def of(cls, row: EnrollmentModel) -> Enrollment:
        """Make one of a row."""
        return cls(
            course_key=row.course_id,
            id=opaque("Enrollment", row.id),
            status=Status[row.status],
            progress=row.progress,
            enrolled_at=row.enrolled_at,
        )

    @strawberry.field
    async def course(self, info: Info[Any, None]) -> Course:
        """Return the course."""
        return Course.of(await info.context["loaders"].courses.load(self.course_key))


@strawberry.type
class EnrollmentConnection:
    """A page of enrollments."""

    nodes: list[Enrollment]


@strawberry.type
class Viewer:
    """Who asks."""

    learner_key: strawberry.Private[int]
    id: strawberry.ID

    @strawberry.field
    async def enrollments(self, info: Info[Any, None], first: int) -> EnrollmentConnection:
        """Return what they take."""
        rows = EnrollmentModel
        statement = (
            select(rows)
            .where(rows.learner_id == self.learner_key, rows.status.in_(("ACTIVE", "COMPLETED")))
            .order_by(rows.enrolled_at.desc(), rows.id.desc())
            .limit(first)
        )
        async with info.context["sessions"]() as session:
            return EnrollmentConnection(nodes=[Enrollment.of(row) for row in await session.scalars(statement)])


@strawberry.input
class CourseBy:
    """How a course is named."""

    slug: str


@strawberry.type
class Query:
    """The query type."""

    @strawberry.field
    async def courses(self, info: Info[Any, None], first: int) -> CourseConnection:
        """Return published courses, the most popular first."""
        count = StatisticsModel.enrollment_count
        statement = (
            select(CourseModel, count)
            .join(StatisticsModel, StatisticsModel.course_id == CourseModel.id)
            .where(CourseModel.status == "PUBLISHED")
            .order_by(count.desc(), CourseModel.id.desc())
            .limit(first)
        )
        async with info.context["sessions"]() as session:
            rows = (await session.execute(statement)).all()
        return CourseConnection(nodes=[Course.of(row, count) for row, count in rows])

    @strawberry.field
    async def course(self, info: Info[Any, None], by: CourseBy) -> Course | None:
        """Return one course."""
        statement = select(CourseModel).where(CourseModel.slug == by.slug, CourseModel.status == "PUBLISHED")
        async with info.context["sessions"]() as session:
            row = await session.scalar(statement)
        return None if row is None else Course.of(row)

    @strawberry.field
    async def viewer(self, info: Info[Any, None]) -> Viewer | None:
        """Return who asks."""
        async with info.context["sessions"]() as session:
            row = await session.get(AccountModel, info.context["account_id"])
        return None if row is None else Viewer(learner_key=row.learner_id, id=opaque("Viewer", row.id))


class Server(GraphQL[dict[str, Any], None]):
    """Strawberry's own ASGI application, with loaders of each request."""

    def __init__(self, sessions: Sessions, identity: Identity) -> None:
        super().__init__(strawberry.Schema(Query))
        self._sessions = sessions
        self._account_id = identity.account_id

    @override
    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {"sessions": self._sessions, "loaders": Loaders(self._sessions), "account_id": self._account_id}


@asynccontextmanager
async def application(url: str, identity: Identity) -> AsyncIterator[Starlette]:
    """Yield the application."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), pool_size=10)
    app = Starlette(routes=[Route("/graphql", Server(async_sessionmaker(engine, expire_on_commit=False), identity))])
    try:
        yield app
    finally:
        await engine.dispose()
