"""Writing courses on a real database: drafts, revisions, versions, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from core.errors import CommandError, UserErrorCode
from core.ids import encode_id
from database.queries import courses as queries
from database.session import Database
from database.tables.accounts import Role
from database.tables.courses import CourseLevel, course_prerequisites
from database.tables.revisions import LessonKind, course_revisions, lessons as lesson_table, modules
from resolvers import course_edits, lesson_edits, lessons, module_edits, revisions, studio
from resolvers.accounts import by_ids as viewers
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.course_edits import CreateCourse, UpdateCourse
from resolvers.lesson_edits import AddLesson, LessonContent, MoveLesson, RemoveLesson, UpdateLesson
from resolvers.module_edits import AddModule, MoveModule, RemoveModule, UpdateModule
from tests.small_accounts import Contexts, trail
from tests.small_authors import target
from tests.small_catalog import UNPUBLISHED

MINIMAL: dict[str, Any] = {"title": "Völlig neu 🎓 חדש", "level": CourseLevel.BEGINNER, "language": "de"}


def article(title: str, body: str = "Text.") -> LessonContent:
    """Return an article."""
    return LessonContent(LessonKind.ARTICLE, "article", title, 60, body=body)


async def refusal(work: Awaitable[object]) -> tuple[UserErrorCode, tuple[str, ...] | None]:
    """Return code and path of the refusal that a command ends with."""
    with pytest.raises(CommandError) as refused:
        await work
    return refused.value.code, refused.value.field


async def outline(context: Context, course: int) -> list[tuple[str, list[str]]]:
    """Return titles of the modules of a course's draft, with those of their lessons."""
    (draft,) = await revisions.draft(context, await rows(context, course))
    assert draft is not None
    (found,) = await revisions.revision_modules(context, [draft])
    inside = await lessons.lessons(context, found)
    return [(module.title, [one.title for one in part]) for module, part in zip(found, inside, strict=True)]


async def rows(context: Context, course: int) -> Any:
    """Return the row of a course, in a list."""
    return await context.reader.fetch(queries.BY_IDS, ids=[course])


async def test_new_course_is_a_draft_of_its_author(author: Context) -> None:
    """It says what its draft says, under a slug made from its title, and the trail knows who began it."""
    made = await course_edits.create_course(
        author, CreateCourse({**MINIMAL, "topic_ids": [encode_id("Topic", 2)], "skills": ["Logic", "Logic", "New"]})
    )
    course = made.course
    assert course is not None
    assert ("DRAFT", "vollig-neu", MINIMAL["title"], 1) == (course.status, course.slug, course.title, course.version)
    (draft,) = await revisions.draft(author, [course])
    assert draft is not None
    assert (1, ["Logic", "New"], [2]) == (draft.number, draft.skills, draft.topic_ids)
    (viewer,) = await viewers(author, [caller(author).account_id])
    assert viewer is not None
    (page,) = await studio.authored_courses(author, [viewer], first=2)
    assert [course.id, 2] == [row.id for row in page.nodes]
    assert page.page_info.has_next_page
    (rest,) = await studio.authored_courses(author, [viewer], first=2, after=page.page_info.end_cursor)
    assert [1] == [row.id for row in rest.nodes]
    assert [3] == await page.count.many(author, [page.count.key])
    assert ("create_course", "done", "Course", caller(author).account_id) == (await trail(author.database))[-1]


async def test_same_title_gets_another_slug_and_a_wanted_one_is_refused(author: Context, strangers: Contexts) -> None:
    """Two authors who begin the same course at once both get one."""
    author.reader, other = strangers().reader, strangers()
    other.identity = author.identity
    made = await asyncio.gather(
        *[course_edits.create_course(context, CreateCourse(MINIMAL)) for context in (author, other)]
    )
    assert ["vollig-neu", "vollig-neu-2"] == sorted(one.course.slug for one in made if one.course)
    wanted = CreateCourse(MINIMAL, slug="course-1")
    assert (UserErrorCode.SLUG_TAKEN, ("input", "slug")) == await refusal(course_edits.create_course(author, wanted))


BAD: list[tuple[dict[str, Any], UserErrorCode, tuple[str, ...]]] = [
    ({"title": "  "}, UserErrorCode.REQUIRED, ("title",)),
    ({"title": "x" * 201}, UserErrorCode.TOO_LONG, ("title",)),
    ({"title": "a\0b"}, UserErrorCode.INVALID, ("title",)),
    ({"description": "x" * 100_001}, UserErrorCode.TOO_LONG, ("description",)),
    ({"language": "not a tag"}, UserErrorCode.INVALID, ("language",)),
    ({"level": None}, UserErrorCode.REQUIRED, ("level",)),
    ({"duration_minutes": -1}, UserErrorCode.INVALID, ("durationMinutes",)),
    ({"topic_ids": ["nonsense"]}, UserErrorCode.NOT_FOUND, ("topicIds", "0")),
    ({"topic_ids": [encode_id("Topic", 99)]}, UserErrorCode.NOT_FOUND, ("topicIds",)),
    ({"topic_ids": [encode_id("Topic", 1)] * 11}, UserErrorCode.TOO_MANY, ("topicIds",)),
    ({"skills": ["ok", " "]}, UserErrorCode.REQUIRED, ("skills", "1")),
    ({"prerequisite_ids": [encode_id("Course", UNPUBLISHED)]}, UserErrorCode.NOT_FOUND, ("prerequisiteIds",)),
    ({"prerequisite_ids": [encode_id("Course", 1)]}, UserErrorCode.PREREQUISITE_CYCLE, ("prerequisiteIds",)),
    ({"prerequisite_ids": [encode_id("Course", 2)]}, UserErrorCode.PREREQUISITE_CYCLE, ("prerequisiteIds",)),
]


@pytest.mark.parametrize(("changes", "code", "path"), BAD)
async def test_value_that_cannot_be_used_is_refused_at_its_path(
    author: Context, changes: dict[str, Any], code: UserErrorCode, path: tuple[str, ...]
) -> None:
    """And nothing changes: the version is the same afterwards. Course 2 builds upon course 1."""
    work = course_edits.update_course(author, UpdateCourse(target(1), changes))
    assert (code, ("input", *path)) == await refusal(work)
    assert 1 == (await rows(author, 1))[0].version


async def test_edit_of_a_published_course_is_seen_by_its_authors_alone(author: Context) -> None:
    """Course 2 is published and has no draft: the edit begins one, with what is published in it."""
    updated = await course_edits.update_course(author, UpdateCourse(target(2), {"title": "Course 2 renewed"}))
    assert updated.course is not None
    assert ("Course 02", "PUBLISHED", 2) == (updated.course.title, updated.course.status, updated.course.version)
    (draft,) = await revisions.draft(author, [updated.course])
    assert draft is not None
    assert ("Course 2 renewed", [1], [3]) == (draft.title, draft.prerequisite_ids[:1], draft.topic_ids)


async def test_long_description_with_any_script_is_kept(author: Context) -> None:
    """A hundred kilobytes, right to left and emoji included."""
    text = ("مرحبا שלום 👩‍🚀 " * 8_000)[:100_000].strip()
    await course_edits.update_course(author, UpdateCourse(target(1), {"description": text}))
    (draft,) = await revisions.draft(author, await rows(author, 1))
    assert draft is not None
    assert text == draft.description


async def test_of_two_edits_at_once_one_is_told_of_the_other(author: Context, strangers: Contexts) -> None:
    """Both saw version 1; the lock decides, and the loser is told the version to read."""
    other = strangers()
    other.identity = author.identity
    edits = [
        course_edits.update_course(context, UpdateCourse(target(1), {"title": f"Title {number}"}))
        for number, context in enumerate((author, other))
    ]
    done = await asyncio.gather(*edits, return_exceptions=True)
    (refused,) = [one for one in done if isinstance(one, CommandError)]
    assert UserErrorCode.CONFLICT is refused.code
    assert "version 2" in refused.message
    assert 2 == (await rows(author, 1))[0].version


async def test_two_first_edits_at_once_begin_one_draft(author: Context, strangers: Contexts) -> None:
    """Course 2 has no draft yet; the constraint and the lock leave it with one."""
    contexts = [author, *(strangers() for _ in range(3))]
    for context in contexts:
        context.identity = author.identity
    work = [course_edits.update_course(context, UpdateCourse(target(2), {"summary": "New."})) for context in contexts]
    done = await asyncio.gather(*work, return_exceptions=True)
    assert 3 == sum(isinstance(one, CommandError) for one in done)
    async with author.database.transaction() as connection:
        found = await connection.execute(select(course_revisions.c.id).where(course_revisions.c.course_id == 2))
        assert 1 == len(found.all())


async def test_whoever_has_not_written_a_course_is_told_no_more_than_they_see(
    author: Context, strangers: Contexts
) -> None:
    """A published course is FORBIDDEN, a draft of somebody else is NOT_FOUND, as is what does not exist."""
    path = ("input", "courseId")

    async def told(course: int) -> object:
        return await refusal(course_edits.update_course(author, UpdateCourse(target(course), {"title": "Mine"})))

    assert (UserErrorCode.FORBIDDEN, path) == await told(3)
    assert (UserErrorCode.NOT_FOUND, path) == await told(UNPUBLISHED)
    assert (UserErrorCode.NOT_FOUND, path) == await told(999)
    administrator = strangers()
    administrator.identity = replace(caller(author), account_id=77, roles=frozenset({Role.ADMINISTRATOR.value}))
    done = await course_edits.update_course(administrator, UpdateCourse(target(UNPUBLISHED), {"title": "Ours"}))
    assert done.course is not None
    assert "Ours" == done.course.title


async def test_modules_are_added_moved_renamed_and_removed(author: Context) -> None:
    """Places stay without gaps, and ids of the published revision mean their copies."""
    assert [("Module 1", ["Lesson 1", "Lesson 2", "Lesson 3", "Lesson 5"])] == await outline(author, 1)
    added = await module_edits.add_module(author, AddModule(target(1, 1), "Begin here", 0))
    assert added.module is not None
    await module_edits.add_module(author, AddModule(target(1, 2), "The end"))
    published_copy = encode_id("Module", 11)
    await module_edits.update_module(author, UpdateModule(target(1, 3), published_copy, "Middle"))
    await module_edits.move_module(author, MoveModule(target(1, 4), published_copy, 2))
    titles = [title for title, _ in await outline(author, 1)]
    assert ["Begin here", "The end", "Middle"] == titles
    removed = await module_edits.remove_module(author, RemoveModule(target(1, 5), encode_id("Module", added.module.id)))
    assert (None, 6) == (removed.module, removed.course and removed.course.version)
    assert ["The end", "Middle"] == [title for title, _ in await outline(author, 1)]
    (draft,) = await revisions.draft(author, await rows(author, 1))
    assert draft is not None
    (found,) = await revisions.revision_modules(author, [draft])
    assert [0, 1] == [module.position for module in found]


async def test_lessons_are_added_moved_rewritten_and_removed(author: Context) -> None:
    """Within their module and into another one."""
    first, fifth = encode_id("Lesson", 11), encode_id("Lesson", 25)
    module = encode_id("Module", 21)
    await lesson_edits.add_lesson(author, AddLesson(target(1, 1), module, article("Inserted"), 1))
    await lesson_edits.move_lesson(author, MoveLesson(target(1, 2), fifth, module, 0))
    rewritten = await lesson_edits.update_lesson(author, UpdateLesson(target(1, 3), first, article("Now to read")))
    assert rewritten.lesson is not None
    assert ("ARTICLE", 60) == (rewritten.lesson.kind, rewritten.lesson.duration_seconds)
    await lesson_edits.remove_lesson(author, RemoveLesson(target(1, 4), encode_id("Lesson", 22)))
    assert [("Module 1", ["Lesson 5", "Now to read", "Inserted", "Lesson 3"])] == await outline(author, 1)
    other = await module_edits.add_module(author, AddModule(target(1, 5), "Other"))
    assert other.module is not None
    await lesson_edits.move_lesson(author, MoveLesson(target(1, 6), fifth, encode_id("Module", other.module.id)))
    assert [("Module 1", ["Now to read", "Inserted", "Lesson 3"]), ("Other", ["Lesson 5"])] == await outline(author, 1)


Edit = Callable[[Context], Awaitable[object]]
WRONG_CONTENT: dict[str, tuple[Edit, UserErrorCode, tuple[str, ...]]] = {
    "module of another course": (
        lambda context: lesson_edits.add_lesson(
            context, AddLesson(target(2), encode_id("Module", 21), article("Lost"))
        ),
        UserErrorCode.NOT_FOUND,
        ("moduleId",),
    ),
    "no place": (
        lambda context: module_edits.add_module(context, AddModule(target(1), "Far", 7)),
        UserErrorCode.INVALID,
        ("position",),
    ),
    "empty article": (
        lambda context: lesson_edits.add_lesson(
            context, AddLesson(target(1), encode_id("Module", 21), article("Empty", " "))
        ),
        UserErrorCode.REQUIRED,
        ("lesson", "article", "body"),
    ),
    "script as address": (
        lambda context: lesson_edits.add_lesson(
            context,
            AddLesson(
                target(1),
                encode_id("Module", 21),
                LessonContent(LessonKind.VIDEO, "video", "Video", media_url="javascript:alert(1)"),
            ),
        ),
        UserErrorCode.INVALID,
        ("lesson", "video", "mediaUrl"),
    ),
    "unknown lesson": (
        lambda context: lesson_edits.remove_lesson(context, RemoveLesson(target(1), "nonsense")),
        UserErrorCode.NOT_FOUND,
        ("lessonId",),
    ),
}


@pytest.mark.parametrize("name", WRONG_CONTENT)
async def test_content_that_cannot_be_used_is_refused_at_its_path(author: Context, name: str) -> None:
    """And nothing changes."""
    edit, code, path = WRONG_CONTENT[name]
    assert (code, ("input", *path)) == await refusal(edit(author))
    assert 1 == (await rows(author, 1))[0].version


async def test_course_and_module_have_room_for_so_much(author: Context, catalog: Database) -> None:
    """The fifty-first module and the two hundred and first lesson are TOO_MANY; neither limit counts other courses."""
    async with catalog.transaction() as connection:
        rows_of = [{"revision_id": 2, "position": place, "title": "More"} for place in range(1, 50)]
        await connection.execute(modules.insert(), rows_of)
        article_row = {"revision_id": 2, "module_id": 21, "kind": "ARTICLE", "title": "More", "body": "Text."}
        await connection.execute(lesson_table.insert(), [{**article_row, "position": place} for place in range(4, 200)])
    module = module_edits.add_module(author, AddModule(target(1), "One too many"))
    assert (UserErrorCode.TOO_MANY, ("input", "courseId")) == await refusal(module)
    lesson = lesson_edits.add_lesson(author, AddLesson(target(1), encode_id("Module", 21), article("One too many")))
    assert (UserErrorCode.TOO_MANY, ("input", "moduleId")) == await refusal(lesson)


async def test_prerequisites_cannot_close_a_cycle_even_at_once(author: Context) -> None:
    """Two transactions that each add half of a cycle: the trigger lets one of them pass."""

    async def add(course: int, prerequisite: int) -> None:
        async with author.database.transaction() as connection:
            await connection.execute(
                course_prerequisites.insert().values(course_id=course, prerequisite_id=prerequisite)
            )

    done = await asyncio.gather(add(5, 6), add(6, 5), return_exceptions=True)
    (failed,) = [one for one in done if one is not None]
    assert "course_prerequisites_acyclic_check" in str(failed) or "prerequisites of themselves" in str(failed)
