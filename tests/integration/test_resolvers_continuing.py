"""Continuing on a real database: which course, which lesson, which revision, each with one statement a level."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from core.clock import ManualClock
from core.errors import CommandError, InvalidArgumentError, UserErrorCode
from core.ids import encode_id
from database.queries.enrollments import EnrollmentRow
from database.session import Database
from database.tables.enrollments import enrollments as table
from database.tables.events import EventKind, events
from database.tables.progress import lesson_progress
from resolvers import accounts, continuing, courses, enrollments, lessons, progress, revisions
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.continuing import MoveToLatestRevision
from resolvers.enrollments import Enroll, Unenroll
from resolvers.progress import ProgressReport, RecordProgress
from tests.conftest import NOW
from tests.small_accounts import Contexts, trail
from tests.small_learning import COURSE, COURSE_ID, add_revision, another, lesson_id, lineage, told, warm


async def mine(context: Context) -> EnrollmentRow:
    """Return the caller's enrollment in course 1."""
    (course,) = await courses.by_ids(context, [COURSE])
    assert course is not None
    (row,) = await enrollments.viewer_enrollment(context, [course])
    assert row is not None
    return row


async def complete(context: Context, *numbers: int, revision: int = 1) -> None:
    """Complete lessons."""
    reports = tuple(
        ProgressReport(lesson_id(number, revision), f"{revision}-{number}", 1, 1, completed=True, occurred_at=NOW)
        for number in numbers
    )
    await progress.record_progress(context, RecordProgress(reports))


async def next_title(context: Context) -> str | None:
    """Return the title of the lesson to continue with."""
    (row,) = await continuing.next_lesson(context, [await mine(context)])
    return None if row is None else row.title


async def moved(context: Context) -> EnrollmentRow:
    """Move the caller's enrollment to the latest revision."""
    key = encode_id("Enrollment", (await mine(context)).id)
    row = (await continuing.move_to_latest_revision(context, MoveToLatestRevision(key))).enrollment
    assert row is not None
    return row


async def test_enrollment_keeps_its_revision_until_it_moves_on(pupil: Context, clock: ManualClock) -> None:
    """A newer revision is told of; moving keeps what was done, by lineage, and counts it against what there is now."""
    assert 1 == (await mine(pupil)).revision_id
    await complete(pupil, 1, 2, 3)
    assert [None] == await continuing.newer_revision(pupil, [await mine(pupil)])
    await add_revision(pupil.database, 2, at=clock())
    row = await mine(pupil)
    assert (1, 0.75) == (row.revision_id, row.progress)
    assert [1] == [found.number for found in await continuing.revision(pupil, [row]) if found]
    assert [2] == [found.number for found in await continuing.newer_revision(pupil, [row]) if found]
    row = await moved(pupil)
    assert (2, 0.6, "ACTIVE") == (row.revision_id, row.progress, row.status)
    assert [None] == await continuing.newer_revision(pupil, [row])
    assert "Lesson 4" == await next_title(pupil)
    assert ("moveToLatestRevision", "done", "Enrollment") == (await trail(pupil.database))[-1][:3]
    assert row == await moved(pupil)


async def test_next_lesson_follows_the_order_of_the_revision(pupil: Context) -> None:
    """Module by module, whatever was skipped; nothing when everything is done."""
    assert "Lesson 1" == await next_title(pupil)
    await complete(pupil, 1, 3)
    assert "Lesson 2" == await next_title(pupil)
    await complete(pupil, 2)
    assert await next_title(pupil) is None


async def test_completed_course_stays_completed(pupil: Context, clock: ManualClock) -> None:
    """New lessons are there to be taken, and the completion keeps its moment and its one event."""
    async with pupil.database.transaction() as connection:
        await connection.execute(table.update().values(status="COMPLETED", completed_at=NOW, progress=1.0))
    await add_revision(pupil.database, 2, at=clock())
    clock.now += timedelta(days=1)
    row = await moved(pupil)
    assert ("COMPLETED", NOW, 0.0) == (row.status, row.completed_at, row.progress)
    await complete(pupil, 1, 2, 3, 4, revision=2)
    row = await mine(pupil)
    assert ("COMPLETED", NOW, 0.8) == (row.status, row.completed_at, row.progress)
    assert [] == await told(pupil.database, "course_completed")


async def test_moving_and_reporting_at_once_lose_nothing(
    pupil: Context, strangers: Contexts, clock: ManualClock
) -> None:
    """Whichever comes first, progress is that of the new revision with everything that was reported."""
    await add_revision(pupil.database, 2, at=clock())
    key = MoveToLatestRevision(encode_id("Enrollment", (await mine(pupil)).id))
    await warm(pupil.database)
    await asyncio.gather(
        complete(another(strangers, pupil), 1),
        continuing.move_to_latest_revision(another(strangers, pupil), key),
        complete(another(strangers, pupil), 2),
        complete(another(strangers, pupil), 4, revision=2),
    )
    row = await mine(pupil)
    assert (2, 0.6) == (row.revision_id, row.progress)


async def test_only_ones_own_enrollment_moves(pupil: Context, strangers: Contexts) -> None:
    """Another's is not found; a course that was left does not move, and comes back as it was."""
    row = await mine(pupil)
    key = encode_id("Enrollment", row.id)
    other = strangers()
    other.identity = type(caller(pupil))(99, 99, frozenset(), UUID(int=1))
    for context, given in ((other, key), (pupil, "nonsense"), (pupil, COURSE_ID)):
        with pytest.raises(CommandError) as refused:
            await continuing.move_to_latest_revision(context, MoveToLatestRevision(given))
        assert UserErrorCode.NOT_FOUND is refused.value.code
    await enrollments.unenroll(pupil, Unenroll(key))
    await add_revision(pupil.database, 2, at=NOW)
    with pytest.raises(CommandError) as refused:
        await continuing.move_to_latest_revision(pupil, MoveToLatestRevision(key))
    assert UserErrorCode.NOT_ENROLLED is refused.value.code
    again = (await enrollments.enroll(pupil, Enroll(COURSE_ID))).enrollment
    assert again is not None
    assert 1 == again.revision_id


async def test_course_without_content_has_no_revision(learner: Context, catalog: Database) -> None:
    """Nothing to continue with, nothing newer, nothing to move to; content that comes later is seen at once."""
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    row = await moved(learner)
    assert row.revision_id is None
    assert [None] == await continuing.revision(learner, [row])
    assert await next_title(learner) is None
    await add_revision(catalog, 1, at=NOW)
    assert [1] == [found.number for found in await continuing.revision(learner, [row]) if found]
    assert [None] == await continuing.newer_revision(learner, [row])
    assert "Lesson 1" == await next_title(learner)


async def test_last_active_course_comes_first(pupil: Context, clock: ManualClock) -> None:
    """Lessons and attempts count as well as enrolling; completed and left courses are not continued."""
    identity = caller(pupil)
    rows = [
        {
            "learner_id": identity.learner_id,
            "course_id": number,
            "status": {5: "COMPLETED", 6: "WITHDRAWN"}.get(number, "ACTIVE"),
            "enrolled_at": NOW - timedelta(days=number),
        }
        for number in range(2, 9)
    ]
    async with pupil.database.transaction() as connection:
        await connection.execute(update(table).values(enrolled_at=NOW - timedelta(days=30)))
        keys = await connection.execute(insert(table).returning(table.c.course_id, table.c.id), rows)
        found: dict[int, int] = {row[0]: row[1] for row in keys}
        seen = {"lesson_lineage": lineage("lesson", 1), "position_at": NOW}
        await connection.execute(insert(lesson_progress), {"enrollment_id": found[8], **seen})
    (viewer,) = await accounts.viewer(pupil, [None])
    assert viewer is not None

    async def listed(**arguments: Any) -> list[int]:
        (part,) = await continuing.continue_learning(pupil, [viewer], **arguments)
        return [row.course_id for row in part]

    assert [8, 2, 3, 4, 7] == await listed()
    assert [8, 2, 3, 4, 7, 1] == await listed(first=20)
    assert [8] == await listed(first=1)
    assert [] == await listed(first=0)
    for first in (-1, 21):
        with pytest.raises(InvalidArgumentError):
            await listed(first=first)


async def test_every_level_is_one_statement(pupil: Context, clock: ManualClock) -> None:
    """However many enrollments, lessons and assessments there are."""
    await add_revision(pupil.database, 2, at=clock())
    await complete(pupil, 1)
    identity = caller(pupil)
    rows = [
        {"learner_id": identity.learner_id, "course_id": number, "status": "ACTIVE", "enrolled_at": NOW}
        for number in range(2, 9)
    ]
    async with pupil.database.transaction() as connection:
        await connection.execute(insert(table), rows)
        keys = list((await connection.execute(select(table.c.id))).scalars())
    taken = [row for row in await enrollments.by_ids(pupil, keys) if row is not None]
    found = [row for row in await revisions.by_ids(pupil, [1, 2]) if row is not None]
    modules = [row for part in await revisions.revision_modules(pupil, found) for row in part]
    shown = [row for part in await lessons.lessons(pupil, modules) for row in part]
    assert 7 == len(shown)
    levels: list[tuple[Any, list[Any]]] = [
        (continuing.revision, [*taken]),
        (continuing.newer_revision, [*taken]),
        (continuing.next_lesson, [*taken]),
        (progress.lesson_progress, [*shown]),
    ]
    for resolver, parents in levels:
        before = pupil.reader.statements
        result = await resolver(pupil, parents)
        assert (1, len(parents)) == (pupil.reader.statements - before, len(result))
    progressed = await progress.lesson_progress(pupil, shown)
    assert [11, 21] == [row.id for row, one in zip(shown, progressed, strict=True) if one is not None]


async def test_kinds_of_events_are_those_that_are_stored(pupil: Context) -> None:
    """Learning writes what analytics reads, and nothing of another name."""
    await complete(pupil, 1)
    async with pupil.database.transaction() as connection:
        kinds = set((await connection.execute(select(events.c.kind))).scalars())
    assert {EventKind.ENROLLED, EventKind.LESSON_STARTED, EventKind.LESSON_COMPLETED} == kinds
