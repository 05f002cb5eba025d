"""The baseline's DataLoaders: one statement for all siblings. A session is one task's, so each batch opens its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from strawberry.dataloader import DataLoader

from tests.load.plain_models import (
    CourseInstructorModel,
    CourseModel,
    CourseTopicModel,
    InstructorModel,
    LessonModel,
    ModuleModel,
    RevisionModel,
    TopicModel,
)

Sessions = async_sessionmaker[AsyncSession]


class Loaders:
    """The loaders of one request."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.courses: DataLoader[int, CourseModel] = DataLoader(self._courses)
        self.topics = _loader(self._topics)
        self.instructors = _loader(self._instructors)
        self.modules = _loader(self._modules)
        self.lessons = _loader(self._lessons)

    async def _courses(self, keys: list[int]) -> Sequence[CourseModel]:
        async with self._sessions() as session:
            found = await session.scalars(select(CourseModel).where(CourseModel.id.in_(keys)))
            rows = {row.id: row for row in found}
        return [rows[key] for key in keys]

    async def _topics(self, keys: list[int]) -> Iterable[Any]:
        link = CourseTopicModel
        statement = select(link.course_id, TopicModel).join(link, link.topic_id == TopicModel.id)
        statement = statement.where(link.course_id.in_(keys)).order_by(link.position, TopicModel.id)
        async with self._sessions() as session:
            return (await session.execute(statement)).all()

    async def _instructors(self, keys: list[int]) -> Iterable[Any]:
        link = CourseInstructorModel
        statement = select(link.course_id, InstructorModel).join(link, link.instructor_id == InstructorModel.id)
        statement = statement.where(link.course_id.in_(keys)).order_by(link.position, InstructorModel.id)
        async with self._sessions() as session:
            return (await session.execute(statement)).all()

    async def _modules(self, keys: list[int]) -> Iterable[Any]:
        statement = select(RevisionModel.course_id, ModuleModel).join(
            RevisionModel, RevisionModel.id == ModuleModel.revision_id
        )
        statement = statement.where(RevisionModel.course_id.in_(keys), RevisionModel.status == "PUBLISHED")
        async with self._sessions() as session:
            return (await session.execute(statement.order_by(ModuleModel.position))).all()

    async def _lessons(self, keys: list[int]) -> Iterable[Any]:
        statement = select(LessonModel).where(LessonModel.module_id.in_(keys)).order_by(LessonModel.position)
        async with self._sessions() as session:
            return [(row.module_id, row) for row in await session.scalars(statement)]


def _loader(rows_of: Callable[[list[int]], Awaitable[Iterable[Any]]]) -> DataLoader[int, list[Any]]:
    """Return a loader of lists, given what returns pairs of a key and a row."""

    async def load(keys: list[int]) -> list[list[Any]]:
        groups = defaultdict(list)
        for key, row in await rows_of(keys):
            groups[key].append(row)
        return [groups[key] for key in keys]

    return DataLoader(load)
