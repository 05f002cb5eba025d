"""Taking and leaving courses on a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update

from core.clock import ManualClock
from core.errors import CommandError, InvalidArgumentError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.session import Database
from database.tables.courses import course_statistics, courses
from database.tables.enrollments import EnrollmentStatus, enrollments as table
from database.tables.events import events
from resolvers import accounts, courses as course_resolvers, enrollments
from resolvers.accounts import Viewer
from resolvers.context import Context
from resolvers.enrollments import Enroll, EnrollmentPayload, Unenroll
from resolvers.pages import moment, total_count
from tests.small_accounts import Contexts, trail
from tests.small_catalog import UNPUBLISHED

COURSE = encode_id("Course", 7)


async def refused(command: object) -> CommandError:
    """Run a command that must be refused and return the refusal."""
    with pytest.raises(CommandError) as error:
        await command  # type: ignore[misc]
    return error.value


async def viewer_of(context: Context) -> Viewer:
    """Return who is signed in."""
    (viewer,) = await accounts.viewer(context, [None])
    assert viewer is not None
    return viewer


async def learners_of(database: Database, course_id: int) -> int:
    """Return how many learners a course is said to have."""
    statement = select(course_statistics.c.enrollment_count).where(course_statistics.c.course_id == course_id)
    async with database.transaction() as connection:
        number: int = (await connection.execute(statement)).scalar_one()
    return number


async def logged(database: Database) -> list[tuple[Any, ...]]:
    """Return kind, course and recommendation of all events, in order."""
    statement = select(events.c.kind, events.c.course_id, events.c.recommendation_id).order_by(events.c.id)
    async with database.transaction() as connection:
        return [tuple(row) for row in await connection.execute(statement)]


async def test_enrolling_writes_all_or_nothing(learner: Context, clock: ManualClock) -> None:
    """The enrollment, its event with the recommendation, the counter and the audit row."""
    recommendation = UUID(int=5)
    payload = await enrollments.enroll(learner, Enroll(COURSE, encode_id("Recommendation", str(recommendation))))
    row = payload.enrollment
    assert row is not None
    assert () == payload.user_errors
    assert (7, "ACTIVE", 0.0, clock(), None) == (
        row.course_id,
        row.status,
        row.progress,
        row.enrolled_at,
        row.completed_at,
    )
    assert [("enrolled", 7, recommendation)] == await logged(learner.database)
    assert 8 == await learners_of(learner.database, 7)
    assert learner.identity is not None
    assert ("enroll", "done", "Course", learner.identity.account_id) == (await trail(learner.database))[-1]


async def test_without_its_audit_row_nobody_is_enrolled(learner: Context) -> None:
    """When the trail cannot be written, neither the enrollment nor its event nor the counter is."""
    async with learner.database.transaction() as connection:
        await connection.execute(text("ALTER TABLE audit_log ADD CONSTRAINT never CHECK (action <> 'enroll')"))
    with pytest.raises(Exception, match="never"):
        await enrollments.enroll(learner, Enroll(COURSE))
    async with learner.database.transaction() as connection:
        assert [] == (await connection.execute(select(table))).all()
    assert [] == await logged(learner.database)
    assert 7 == await learners_of(learner.database, 7)


async def test_enrolling_twice_returns_the_enrollment_there_is(learner: Context) -> None:
    """The second time is refused and on record, and changes nothing else."""
    first = await enrollments.enroll(learner, Enroll(COURSE))
    second = await enrollments.enroll(learner, Enroll(COURSE))
    assert first.enrollment == second.enrollment
    assert [UserErrorCode.ALREADY_ENROLLED] == [error.code for error in second.user_errors]
    assert 1 == len(await logged(learner.database))
    assert 8 == await learners_of(learner.database, 7)
    assert "ALREADY_ENROLLED" == (await trail(learner.database))[-1][1]


async def test_of_enrollments_at_once_one_counts(learner: Context, strangers: Contexts) -> None:
    """The unique constraint decides; everybody gets the same enrollment."""
    contexts = [strangers() for _ in range(6)]
    for context in contexts:
        context.identity = learner.identity
    payloads = await asyncio.gather(*(enrollments.enroll(context, Enroll(COURSE)) for context in contexts))
    assert 1 == sum(not payload.user_errors for payload in payloads)
    assert 1 == len({payload.enrollment.id for payload in payloads if payload.enrollment is not None})
    assert all(payload.enrollment is not None for payload in payloads)
    assert 8 == await learners_of(learner.database, 7)
    assert 1 == len(await logged(learner.database))


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (Enroll(encode_id("Course", 999)), UserErrorCode.NOT_FOUND, "courseId"),
        (Enroll(encode_id("Course", UNPUBLISHED)), UserErrorCode.NOT_FOUND, "courseId"),
        (Enroll(encode_id("Topic", 1)), UserErrorCode.NOT_FOUND, "courseId"),
        (Enroll("nonsense"), UserErrorCode.NOT_FOUND, "courseId"),
        (Enroll(encode_id("Course", 9)), UserErrorCode.NOT_PUBLISHED, "courseId"),
        (Enroll(COURSE, "nonsense"), UserErrorCode.INVALID, "recommendationId"),
        (Enroll(COURSE, COURSE), UserErrorCode.INVALID, "recommendationId"),
        (Enroll(COURSE, encode_id("Recommendation", "5")), UserErrorCode.INVALID, "recommendationId"),
    ],
)
async def test_course_that_cannot_be_taken(learner: Context, given: Enroll, code: UserErrorCode, field: str) -> None:
    """A draft looks like a course that does not exist; an archived one says so; nothing is written."""
    async with learner.database.transaction() as connection:
        await connection.execute(update(courses).where(courses.c.id == 9).values(status="ARCHIVED"))
    error = await refused(enrollments.enroll(learner, given))
    assert (code, ("input", field)) == (error.code, error.field)
    assert [] == await logged(learner.database)


async def test_course_without_statistics_gets_some(learner: Context) -> None:
    """The first learner of an imported course creates its counter."""
    async with learner.database.transaction() as connection:
        await connection.execute(course_statistics.delete().where(course_statistics.c.course_id == 7))
    await enrollments.enroll(learner, Enroll(COURSE))
    assert 1 == await learners_of(learner.database, 7)


async def unenrolled(context: Context, payload: EnrollmentPayload) -> EnrollmentPayload:
    """Leave the course of an enrollment."""
    assert payload.enrollment is not None
    return await enrollments.unenroll(context, Unenroll(encode_id("Enrollment", payload.enrollment.id)))


async def test_leaving_and_coming_back(learner: Context, clock: ManualClock) -> None:
    """A course that was left is not one that is taken; coming back keeps the progress, and each step is an event."""
    first = await enrollments.enroll(learner, Enroll(COURSE))
    async with learner.database.transaction() as connection:
        await connection.execute(update(table).values(progress=0.5))
    for _ in range(2):
        left = await unenrolled(learner, first)
        assert left.enrollment is not None
        assert "WITHDRAWN" == left.enrollment.status
        assert 7 == await learners_of(learner.database, 7)
    clock.now += timedelta(days=1)
    again = await enrollments.enroll(learner, Enroll(COURSE))
    assert first.enrollment is not None
    assert again.enrollment is not None
    assert (first.enrollment.id, "ACTIVE", 0.5, clock()) == (
        again.enrollment.id,
        again.enrollment.status,
        again.enrollment.progress,
        again.enrollment.enrolled_at,
    )
    assert ["enrolled", "unenrolled", "enrolled"] == [row[0] for row in await logged(learner.database)]
    assert 8 == await learners_of(learner.database, 7)


async def test_only_ones_own_active_enrollment_can_be_left(learner: Context, strangers: Contexts) -> None:
    """Another's is not found, a completed one stays, and a stranger cannot even ask."""
    payload = await enrollments.enroll(learner, Enroll(COURSE))
    other = strangers()
    assert learner.identity is not None
    other.identity = type(learner.identity)(99, 99, frozenset(), UUID(int=1))
    assert UserErrorCode.NOT_FOUND is (await refused(unenrolled(other, payload))).code
    assert UserErrorCode.NOT_FOUND is (await refused(enrollments.unenroll(learner, Unenroll(COURSE)))).code
    async with learner.database.transaction() as connection:
        await connection.execute(update(table).values(status="COMPLETED", completed_at=learner.clock()))
    assert UserErrorCode.INVALID is (await refused(unenrolled(learner, payload))).code
    for command in (enrollments.enroll(strangers(), Enroll(COURSE)), unenrolled(strangers(), payload)):
        with pytest.raises(UnauthenticatedError):
            await command


async def take_many(context: Context, clock: ManualClock) -> None:
    """Enroll in courses 1 to 12, two at a time; leave the courses 1 and 2."""
    assert context.identity is not None
    rows = [
        {
            "learner_id": context.identity.learner_id,
            "course_id": number,
            "status": "WITHDRAWN" if number <= 2 else "COMPLETED" if number <= 5 else "ACTIVE",
            "enrolled_at": clock() + timedelta(microseconds=number // 2),
        }
        for number in range(1, 13)
    ]
    async with context.database.transaction() as connection:
        await connection.execute(insert(table), rows)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]),
        (EnrollmentStatus.ACTIVE, [12, 11, 10, 9, 8, 7, 6]),
        (EnrollmentStatus.COMPLETED, [5, 4, 3]),
        (EnrollmentStatus.WITHDRAWN, [2, 1]),
    ],
)
async def test_pages_of_enrollments_join_to_the_list(
    learner: Context, clock: ManualClock, status: EnrollmentStatus | None, expected: list[int]
) -> None:
    """Newest first, ties broken, nothing twice and nothing left out, with the length of the whole list."""
    await take_many(learner, clock)
    viewer = await viewer_of(learner)
    met: list[int] = []
    after: str | None = None
    while True:
        (part,) = await enrollments.enrollments(learner, [viewer], first=3, after=after, status=status)
        met += [row.course_id for row in part.nodes]
        if not part.page_info.has_next_page:
            break
        after = part.page_info.end_cursor
    assert expected == met
    assert [len(expected)] == await total_count(learner, [part])


async def test_statements_do_not_grow_with_the_page(learner: Context, clock: ManualClock) -> None:
    """A page, its courses and its count are three statements, however long it is."""
    await take_many(learner, clock)
    viewer = await viewer_of(learner)
    for first in (1, 100):
        before = learner.reader.statements
        (part,) = await enrollments.enrollments(learner, [viewer], first=first)
        rows = await enrollments.course(learner, part.nodes)
        await total_count(learner, [part])
        assert [row.course_id for row in part.nodes] == [row.id for row in rows]
        assert 3 == learner.reader.statements - before


async def test_cursor_of_another_list_is_refused(learner: Context, clock: ManualClock) -> None:
    """Lists of different statuses do not share cursors, and a forged moment is no crash."""
    await take_many(learner, clock)
    viewer = await viewer_of(learner)
    (part,) = await enrollments.enrollments(learner, [viewer], first=1)
    with pytest.raises(InvalidArgumentError):
        await enrollments.enrollments(
            learner, [viewer], after=part.page_info.end_cursor, status=EnrollmentStatus.ACTIVE
        )
    with pytest.raises(InvalidArgumentError):
        moment(10**30)


async def test_enrollment_stands_with_its_course(learner: Context, strangers: Contexts) -> None:
    """Each course of a list shows the caller's own enrollment, in one statement; a stranger has none."""
    await enrollments.enroll(learner, Enroll(COURSE))
    listed = [row for row in await course_resolvers.by_ids(learner, [6, 7, 8]) if row is not None]
    before = learner.reader.statements
    found = await enrollments.viewer_enrollment(learner, listed)
    assert 1 == learner.reader.statements - before
    assert [None, 7, None] == [None if row is None else row.course_id for row in found]
    assert [None, None, None] == await enrollments.viewer_enrollment(strangers(), listed)


async def test_archived_course_stays_with_its_learners(learner: Context) -> None:
    """What was taken can still be seen after the course is archived."""
    payload = await enrollments.enroll(learner, Enroll(COURSE))
    async with learner.database.transaction() as connection:
        await connection.execute(update(courses).where(courses.c.id == 7).values(status="ARCHIVED"))
    assert payload.enrollment is not None
    assert [7] == [row.id for row in await enrollments.course(learner, [payload.enrollment])]


async def test_enrollment_is_nobody_elses(learner: Context, strangers: Contexts) -> None:
    """An enrollment can be fetched by its own learner alone."""
    payload = await enrollments.enroll(learner, Enroll(COURSE))
    assert payload.enrollment is not None
    key = payload.enrollment.id
    assert [payload.enrollment, None] == await enrollments.by_ids(learner, [key, key + 1])
    assert [None] == await enrollments.by_ids(strangers(), [key])
