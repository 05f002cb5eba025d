"""Reports of progress on a real database: counted once, in whatever order, and what they do to the enrollment."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select, text

from core.clock import ManualClock
from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.session import Database
from database.tables.enrollments import enrollments as enrollment_table
from database.tables.progress import lesson_progress as table, progress_reports
from resolvers import enrollments, progress
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.enrollments import Enroll, Unenroll
from resolvers.progress import ProgressReport, RecordProgress, RecordProgressPayload
from tests.conftest import NOW
from tests.small_accounts import Contexts, trail
from tests.small_learning import COURSE_ID, add_revision, another, lesson_id, lineage, told, warm

HOUR = timedelta(hours=1)


def report(name: str, lesson: int = 1, *, position: int = 0, watched: int = 0, **given: Any) -> ProgressReport:
    """Return a report of a lesson; of an hour ago and not of its end, unless told otherwise."""
    values = {"lesson_id": lesson_id(lesson), "completed": False, "occurred_at": NOW - HOUR, **given}
    return ProgressReport(client_event_id=name, position_seconds=position, watched_seconds=watched, **values)


async def send(context: Context, *reports: ProgressReport) -> RecordProgressPayload:
    """Send reports."""
    return await progress.record_progress(context, RecordProgress(reports))


def outcomes(payload: RecordProgressPayload) -> list[str]:
    """Return what became of each report: its outcome, or why it was rejected."""
    return [result.user_errors[0].code if result.user_errors else result.outcome for result in payload.results]


async def stored(database: Database) -> list[tuple[Any, ...]]:
    """Return position, watched seconds and moment of completion of all lessons, by lineage."""
    columns = (table.c.position_seconds, table.c.watched_seconds, table.c.completed_at)
    async with database.transaction() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(table.c.lesson_lineage))]


async def test_report_is_recorded_with_its_events(pupil: Context) -> None:
    """The position, the enrollment's progress, and the events that analytics reads; no row in the audit trail."""
    before = await trail(pupil.database)
    payload = await send(
        pupil, report("a", position=30, watched=25), report("b", 2, position=600, watched=600, completed=True)
    )
    assert ["RECORDED", "RECORDED"] == outcomes(payload)
    assert [0.25] == [row.progress for row in payload.enrollments]
    assert [(30, 25, None), (600, 600, NOW - HOUR)] == await stored(pupil.database)
    lessons = [{"lesson": str(lineage("lesson", number)), "revision_id": 1} for number in (1, 2)]
    assert lessons == await told(pupil.database, "lesson_started")
    assert lessons[1:] == await told(pupil.database, "lesson_completed")
    assert before == await trail(pupil.database)


async def test_same_report_counts_once(pupil: Context) -> None:
    """A report sent again is a duplicate, within a batch and over batches, whatever it says the second time."""
    assert ["RECORDED", "DUPLICATE"] == outcomes(await send(pupil, report("a", position=5), report("a", position=9)))
    assert ["DUPLICATE", "RECORDED"] == outcomes(
        await send(pupil, report("a", position=50, occurred_at=NOW), report("b", 2))
    )
    assert [(5, 0, None), (0, 0, None)] == await stored(pupil.database)


async def test_same_report_at_two_servers_counts_once(pupil: Context, strangers: Contexts) -> None:
    """The primary key decides: of six requests at once, one is told that it recorded, whatever the order inside."""
    await warm(pupil.database)
    contexts = [another(strangers, pupil) for _ in range(6)]
    batch = [report(name, lesson, completed=True) for name, lesson in (("a", 1), ("b", 2), ("c", 3))]
    payloads = await asyncio.gather(
        *(send(one, *(batch if place % 2 else batch[::-1])) for place, one in enumerate(contexts))
    )
    assert 3 == sum(outcome == "RECORDED" for payload in payloads for outcome in outcomes(payload))
    assert 15 == sum(outcome == "DUPLICATE" for payload in payloads for outcome in outcomes(payload))
    assert 3 == len(await told(pupil.database, "lesson_completed"))
    assert all([0.75] == [row.progress for row in payload.enrollments] for payload in payloads)


async def test_one_event_id_for_lessons_of_two_courses_waits_for_nobody_in_turn(
    pupil: Context, strangers: Contexts
) -> None:
    """Batches that name the same ids in different orders end, each id counted once."""
    first = [report("a", 1), report("b", 2)]
    second = [report("b", 1), report("a", 2)]
    payloads = await asyncio.gather(
        *(send(another(strangers, pupil), *batch) for batch in (first, second, first, second))
    )
    assert 2 == sum(outcome == "RECORDED" for payload in payloads for outcome in outcomes(payload))


ARRIVALS = [
    report("a", position=100, watched=90, occurred_at=NOW - 3 * HOUR),
    report("b", position=200, watched=150, occurred_at=NOW - 2 * HOUR, completed=True),
    report("c", position=50, watched=120, occurred_at=NOW - HOUR),
    report("d", position=40, watched=10, occurred_at=NOW - HOUR, completed=True),
]


async def test_order_of_arrival_does_not_matter(pupil: Context) -> None:
    """The position is that of the latest moment, watched seconds are the most reported, completion the earliest."""
    for order in itertools.permutations(ARRIVALS):
        async with pupil.database.transaction() as connection:
            await connection.execute(text("TRUNCATE lesson_progress, progress_reports, events"))
        for one in order[:2]:
            await send(pupil, one)
        await send(pupil, *order[2:])
        assert [(50, 150, NOW - 2 * HOUR)] == await stored(pupil.database)
        assert 1 == len(await told(pupil.database, "lesson_completed"))


async def test_moments_are_put_right(pupil: Context, clock: ManualClock) -> None:
    """A clock that is ahead does not win for ever, and one that is years behind is accepted."""
    zone = timezone(timedelta(hours=5))
    await send(pupil, report("a", position=10, occurred_at=NOW + 900 * HOUR))
    clock.now = NOW + HOUR
    await send(pupil, report("b", position=20, occurred_at=(NOW + HOUR).astimezone(zone)))
    await send(pupil, report("c", position=30, occurred_at=datetime(1999, 1, 1, tzinfo=UTC), completed=True))
    assert [(20, 0, datetime(1999, 1, 1, tzinfo=UTC))] == await stored(pupil.database)


BAD = [
    (report("a", lesson_id=encode_id("Lesson", 999)), UserErrorCode.NOT_FOUND, "lessonId"),
    (report("a", lesson_id=COURSE_ID), UserErrorCode.NOT_FOUND, "lessonId"),
    (report("a", lesson_id="nonsense"), UserErrorCode.NOT_FOUND, "lessonId"),
    (report(" "), UserErrorCode.REQUIRED, "clientEventId"),
    (report("a\0"), UserErrorCode.INVALID, "clientEventId"),
    (report("\ud800"), UserErrorCode.INVALID, "clientEventId"),
    (report("a" * 101), UserErrorCode.TOO_LONG, "clientEventId"),
    (report("a", position=-1), UserErrorCode.INVALID, "positionSeconds"),
    (report("a", watched=-1), UserErrorCode.INVALID, "watchedSeconds"),
]


async def test_bad_report_spoils_no_other(pupil: Context) -> None:
    """Each is rejected with the path of what is wrong; the one beside them is recorded."""
    payload = await send(pupil, *(bad for bad, _, _ in BAD), report("good"))
    assert [*(code for _, code, _ in BAD), "RECORDED"] == outcomes(payload)
    paths = [result.user_errors[0].field for result in payload.results[:-1]]
    assert [("input", "events", str(place), field) for place, (_, _, field) in enumerate(BAD)] == paths
    assert 1 == len(payload.enrollments)


async def test_only_who_takes_the_course_reports_progress(pupil: Context, strangers: Contexts) -> None:
    """Whoever has left it, or never took it, is told so event by event; and the event may be sent again later."""
    (enrollment,) = (await send(pupil, report("a"))).enrollments
    other = strangers()
    other.identity = type(caller(pupil))(99, 99, frozenset(), caller(pupil).session_id)
    assert [UserErrorCode.NOT_ENROLLED] == outcomes(await send(other, report("x")))
    await enrollments.unenroll(pupil, Unenroll(encode_id("Enrollment", enrollment.id)))
    left = await send(pupil, report("b", completed=True))
    assert [UserErrorCode.NOT_ENROLLED] == outcomes(left)
    assert [] == left.enrollments
    await enrollments.enroll(pupil, Enroll(COURSE_ID))
    assert ["RECORDED"] == outcomes(await send(pupil, report("b", completed=True)))
    with pytest.raises(UnauthenticatedError):
        await send(strangers(), report("y"))


async def test_lesson_of_a_draft_is_not_there(pupil: Context, clock: ManualClock) -> None:
    """What was never published is not told of; lessons of any published revision count by their lineage."""
    await add_revision(pupil.database, 2, status="DRAFT", at=clock())
    draft = report("a", lesson_id=lesson_id(1, 2))
    assert [UserErrorCode.NOT_FOUND] == outcomes(await send(pupil, draft))
    async with pupil.database.transaction() as connection:
        await connection.execute(text("UPDATE course_revisions SET status = 'SUPERSEDED', published_at = now()"))
    assert ["RECORDED"] == outcomes(await send(pupil, draft))
    assert ["RECORDED"] == outcomes(await send(pupil, report("b", position=7, occurred_at=NOW)))
    assert [(7, 0, None)] == await stored(pupil.database)


async def test_too_many_reports_are_refused_whole(pupil: Context) -> None:
    """A hundred are recorded with as many statements as one; more are refused before anything is written."""
    reports = [report(str(number), 1 + number % 3) for number in range(101)]
    with pytest.raises(CommandError) as error:
        await send(pupil, *reports)
    assert UserErrorCode.TOO_MANY is error.value.code
    assert ["RECORDED"] * 100 == outcomes(await send(pupil, *reports[:100]))
    assert [] == (await send(pupil)).results
    async with pupil.database.transaction() as connection:
        assert 100 == (await connection.execute(select(func.count()).select_from(progress_reports))).scalar_one()


async def test_reports_at_once_lose_no_progress(pupil: Context, strangers: Contexts) -> None:
    """Each lesson is reported by a request of its own; the enrollment counts them all."""
    await warm(pupil.database)
    contexts = [another(strangers, pupil) for _ in range(3)]
    for _ in range(4):
        payloads = await asyncio.gather(
            *(send(one, report(str(lesson), lesson, completed=True)) for lesson, one in enumerate(contexts, start=1))
        )
        assert 0.75 == max(payload.enrollments[0].progress for payload in payloads)
        async with pupil.database.transaction() as connection:
            assert 0.75 == (await connection.execute(select(enrollment_table.c.progress))).scalar_one()
            await connection.execute(text("TRUNCATE lesson_progress, progress_reports"))
            await connection.execute(enrollment_table.update().values(progress=0.0))


async def test_course_is_completed_once(pupil: Context, strangers: Contexts) -> None:
    """When the last lesson is reported by many at once, the course is completed once, with one event."""
    async with pupil.database.transaction() as connection:
        await connection.execute(text("TRUNCATE assessments CASCADE"))
    await send(pupil, report("a", 1, completed=True), report("b", 2, completed=True))
    await warm(pupil.database)
    contexts = [another(strangers, pupil) for _ in range(4)]
    payloads = await asyncio.gather(
        *(send(one, report(f"last-{place}", 3, completed=True)) for place, one in enumerate(contexts))
    )
    rows = [payload.enrollments[0] for payload in payloads]
    assert [("COMPLETED", 1.0, NOW)] * 4 == [(row.status, row.progress, row.completed_at) for row in rows]
    assert [{}] == await told(pupil.database, "course_completed")
    assert 3 == len(await told(pupil.database, "lesson_completed"))


async def test_enrollment_older_than_the_content_takes_the_published_revision(
    learner: Context, catalog: Database, clock: ManualClock
) -> None:
    """Somebody who enrolled before there was content sees what is published, and keeps it."""
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    await add_revision(catalog, 1, at=clock())
    payload = await send(learner, report("a", completed=True))
    assert [(1, 0.25)] == [(row.revision_id, row.progress) for row in payload.enrollments]
    assert [1] == [each["revision_id"] for each in await told(catalog, "lesson_completed")]
