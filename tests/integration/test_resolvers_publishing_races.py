"""Authors and moderators who act at the same moment, and learners who were there before, on a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import insert, select, update

from core.clock import ManualClock
from core.errors import CommandError, UserErrorCode
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role
from database.tables.courses import course_instructors, course_prerequisites, courses
from database.tables.enrollments import enrollments
from database.tables.revisions import RevisionStatus, course_revisions
from resolvers import course_edits, publishing
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.course_edits import UpdateCourse
from tests.small_accounts import Contexts, trail
from tests.small_authors import DESCRIPTION, target
from tests.small_content import take


@pytest_asyncio.fixture
async def author(catalog: Database, author: Context) -> Context:
    """Somebody who writes courses 1, 5 and 6, publishes them too, and has described all three."""
    async with catalog.transaction() as connection:
        taught = [{"course_id": course, "instructor_id": 1, "position": 0} for course in (5, 6)]
        await connection.execute(insert(course_instructors), taught)
        await connection.execute(update(courses).values(description=DESCRIPTION))
        await connection.execute(update(course_revisions).values(description=DESCRIPTION))
    roles = frozenset({Role.INSTRUCTOR.value, Role.MODERATOR.value})
    author.identity = replace(caller(author), roles=roles)
    return author


def copies(context: Context, strangers: Contexts, count: int) -> list[Context]:
    """Return requests of the same person, each with a connection of its own."""
    made = [strangers() for _ in range(count)]
    for one in made:
        one.identity = context.identity
    return made


async def in_review(context: Context, course: int, prerequisite: int) -> None:
    """Put a draft that builds upon another course into review; the course is at version 3 afterwards."""
    changes = {"prerequisite_ids": [encode_id("Course", prerequisite)]}
    await course_edits.update_course(context, UpdateCourse(target(course, 1), changes))
    await publishing.submit_course_for_review(context, target(course, 2))


def refused(results: list[object]) -> list[UserErrorCode]:
    """Return the codes of the refusals among results; anything else that was raised is raised again."""
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, CommandError):
            raise result
    return [result.code for result in results if isinstance(result, CommandError)]


async def test_of_two_courses_that_close_a_cycle_one_is_published(author: Context, strangers: Contexts) -> None:
    """Each names the other, and neither did when its author looked: whoever comes second is told."""
    await in_review(author, 5, 6)
    await in_review(author, 6, 5)
    work = [
        publishing.publish_course(context, target(course, 3))
        for course, context in zip((5, 6), copies(author, strangers, 2), strict=True)
    ]
    results: list[object] = list(await asyncio.gather(*work, return_exceptions=True))
    assert [UserErrorCode.PREREQUISITE_CYCLE] == refused(results)
    async with author.database.transaction() as connection:
        edges = select(course_prerequisites).where(course_prerequisites.c.course_id.in_([5, 6]))
        assert 1 == len((await connection.execute(edges)).all())
        versions = select(courses.c.version).where(courses.c.id.in_([5, 6]))
        assert [3, 4] == sorted((await connection.execute(versions)).scalars())
    outcomes = [outcome for action, outcome, *_ in await trail(author.database) if action == "publish_course"]
    assert ["PREREQUISITE_CYCLE", "done"] == sorted(outcomes)


async def test_of_two_moderators_one_publishes(author: Context, strangers: Contexts) -> None:
    """The other is told that there is another version, and one revision is published."""
    await publishing.submit_course_for_review(author, target(1, 1))
    work = [publishing.publish_course(context, target(1, 2)) for context in copies(author, strangers, 2)]
    results: list[object] = list(await asyncio.gather(*work, return_exceptions=True))
    assert [UserErrorCode.CONFLICT] == refused(results)
    async with author.database.transaction() as connection:
        found = await connection.execute(
            select(course_revisions.c.id).where(course_revisions.c.status == RevisionStatus.PUBLISHED.value)
        )
        assert [2] == list(found.scalars())


async def test_learner_without_a_revision_keeps_the_one_they_saw(
    author: Context, catalog: Database, clock: ManualClock
) -> None:
    """Whoever enrolled before there were revisions learns with the published one, and another one does not slip in."""
    enrollment = await take(catalog, caller(author).learner_id, clock(), revision_id=None)
    await publishing.submit_course_for_review(author, target(1, 1))
    await publishing.publish_course(author, target(1, 2))
    async with catalog.transaction() as connection:
        found = await connection.execute(select(enrollments.c.revision_id).where(enrollments.c.id == enrollment))
        assert 1 == found.scalar_one()
