"""What courses consist of, on a real database: for strangers, learners and authors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from core.clock import ManualClock
from core.ids import encode_id
from database.queries import courses as course_queries
from database.session import Database
from database.tables.accounts import Role
from resolvers import assessments, courses, lessons, nodes, revisions
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.courses import CourseKey
from tests.small_accounts import Contexts
from tests.small_catalog import UNPUBLISHED
from tests.small_content import take, teach, write_content


@pytest_asyncio.fixture(autouse=True)
async def content(catalog: Database, clock: ManualClock) -> None:
    """Course 1 has content."""
    await write_content(catalog, clock())


async def titles(context: Context) -> list[list[str]]:
    """Return the titles of the lessons of each module of course 1."""
    rows = await context.reader.fetch(course_queries.BY_IDS, ids=[1, 2])
    both = await revisions.modules(context, sorted(rows, key=lambda row: row.id))
    assert [] == both[1]
    return [[lesson.title for lesson in found] for found in await lessons.lessons(context, both[0])]


async def test_stranger_sees_the_published_revision(stranger: Context) -> None:
    """Modules and lessons come in order; a course without content has none."""
    assert [["Lesson 1", "Lesson 2", "Lesson 3"], ["Lesson 4"]] == await titles(stranger)
    assert 3 == stranger.reader.statements


async def test_learner_sees_the_revision_they_learn_with(
    catalog: Database, clock: ManualClock, learner: Context
) -> None:
    """Even if another one is published; here the draft stands for an earlier one."""
    await take(catalog, caller(learner).learner_id, clock(), revision_id=2)
    assert [["Lesson 1", "Lesson 2", "Lesson 3", "Lesson 5"]] == await titles(learner)


@pytest.mark.parametrize("who", ["stranger", "learner", "student", "author", "moderator"])
async def test_content_is_for_those_who_take_or_teach_the_course(
    catalog: Database, clock: ManualClock, learner: Context, strangers: Contexts, who: str
) -> None:
    """Everybody sees which lessons there are; what is in them is null for others."""
    context = strangers() if who == "stranger" else learner
    if who == "student":
        await take(catalog, caller(learner).learner_id, clock())
    if who == "author":
        await teach(catalog, caller(learner).account_id)
    if who == "moderator":
        learner.identity = replace(caller(learner), roles=frozenset({Role.MODERATOR.value}))
    rows = [row for row in await lessons.by_ids(context, [11, 12, 999]) if row is not None]
    assert ["Lesson 1", "Lesson 2"] == [row.title for row in rows]
    inside = who in {"student", "author", "moderator"}
    assert ["https://media.example/1.mp4" if inside else None, None] == await lessons.media_url(context, rows)
    assert [f"Text of lesson {n}" if inside else None for n in (1, 2)] == await lessons.body(context, rows)


NODES = {
    "draft revision": ("CourseRevision", 2),
    "published revision": ("CourseRevision", 1),
    "draft module": ("Module", 21),
    "draft lesson": ("Lesson", 25),
    "lesson": ("Lesson", 11),
    "assessment": ("Assessment", 11),
    "question": ("Question", 11),
    "draft course": ("Course", UNPUBLISHED),
}


async def seen(context: Context) -> set[str]:
    """Return which of the nodes the caller gets."""
    (found,) = await nodes.nodes(context, [None], ids=[encode_id(*node) for node in NODES.values()])
    return {name for name, node in zip(NODES, found, strict=True) if node is not None}


async def test_drafts_and_questions_are_only_seen_by_authors(
    catalog: Database, stranger: Context, learner: Context
) -> None:
    """Whoever may not see something gets null, as for what does not exist."""
    public = {"published revision", "lesson", "assessment"}
    assert public == await seen(stranger)
    assert public == await seen(learner)
    await teach(catalog, caller(learner).account_id)
    # Somebody else has written the draft course.
    assert set(NODES) - {"draft course"} == await seen(learner)
    learner.identity = replace(caller(learner), roles=frozenset({Role.ADMINISTRATOR.value}))
    assert set(NODES) == await seen(learner)


async def test_draft_course_is_found_by_moderators_alone(learner: Context) -> None:
    """By slug as by id."""
    key = CourseKey(slug=f"course-{UNPUBLISHED}")
    assert [None] == await courses.course(learner, [None], by=key)
    learner.identity = replace(caller(learner), roles=frozenset({Role.MODERATOR.value}))
    (found,) = await courses.course(learner, [None], by=key)
    assert found is not None


async def test_assessment_counts_its_questions_and_points(stranger: Context) -> None:
    """Columns of the assessment itself, in the statement that finds it."""
    modules = [row for row in await revisions.modules_by_ids(stranger, [11, 12]) if row is not None]
    none, quiz = await assessments.assessment(stranger, modules)
    assert none is None
    assert quiz is not None
    assert (4, 8.0) == (quiz.question_count, quiz.max_score)


async def test_revisions_are_paged_newest_first(learner: Context) -> None:
    """With the draft among them, and counted only when asked."""
    rows: list[Any] = await learner.reader.fetch(course_queries.BY_IDS, ids=[1])
    (page,) = await revisions.revisions(learner, rows, first=1)
    assert [2] == [row.number for row in page.nodes]
    (rest,) = await revisions.revisions(learner, rows, first=5, after=page.page_info.end_cursor)
    assert [1] == [row.number for row in rest.nodes]
    assert [2] == await page.count.many(learner, [page.count.key])
    (draft,) = await revisions.draft(learner, rows)
    assert draft is not None
    (topics,) = await revisions.topics(learner, [draft])
    assert ["physics", "science"] == [topic.slug for topic in topics]
    assert [1] == [course.id for course in await revisions.course(learner, [draft])]
    assert [[]] == await revisions.prerequisites(learner, [draft])
