"""An erased person on a real database: nothing of them is found, and what others see stays right."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, text

from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role, accounts
from database.tables.courses import course_statistics, instructors
from database.tables.enrollments import enrollments as enrollment_table
from resolvers import attempts, enrollments, profile, reviews, sessions
from resolvers.attempts import StartAttempt
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.enrollments import Unenroll
from resolvers.profile import DeleteMyAccount
from resolvers.reviews import ReviewCourse
from resolvers.roles import change_role
from resolvers.sessions import SignIn, SignUp
from tests.small_accounts import EMAIL, PASSWORD, Contexts, trail
from tests.small_learning import COURSE, COURSE_ID, assessment_id

WORDS = "A sentence that only Ana wrote"


async def contents(database: Database) -> dict[str, str]:
    """Return every row of every table as text, by table."""
    listed = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    async with database.transaction() as connection:
        names = (await connection.execute(text(listed))).scalars().all()
        return {
            name: "\n".join(
                (await connection.execute(text(f"SELECT to_jsonb(t)::text FROM {name} t"))).scalars()  # noqa: S608
            )
            for name in names
        }


async def holders(database: Database, column: str, value: int) -> set[str]:
    """Return the tables in which a column of this name holds a value."""
    listed = text(
        "SELECT table_name FROM information_schema.columns WHERE column_name = :c AND table_schema = 'public'"
    )
    found = set()
    async with database.transaction() as connection:
        for name in (await connection.execute(listed, {"c": column})).scalars().all():
            asked = text(f"SELECT count(*) FROM {name} WHERE {column} = :value")  # noqa: S608 - ours.
            if (await connection.execute(asked, {"value": value})).scalar_one():
                found.add(name)
    return found


async def counters(database: Database) -> tuple[int, int, int]:
    """Return the counters of the course."""
    statement = select(
        course_statistics.c.enrollment_count, course_statistics.c.rating_count, course_statistics.c.rating_sum
    ).where(course_statistics.c.course_id == COURSE)
    async with database.transaction() as connection:
        count, ratings, total = (await connection.execute(statement)).one()
    return count, ratings, total


async def live(context: Context) -> None:
    """Leave something of every kind behind."""
    await reviews.review_course(context, ReviewCourse(COURSE_ID, 5, WORDS))
    await attempts.start_attempt(context, StartAttempt(assessment_id()))


async def test_nothing_of_an_erased_person_is_found(pupil: Context, strangers: Contexts) -> None:
    """No table holds their ciphertexts, texts or learner id but the tombstone; the trail keeps ids only."""
    other = strangers()
    await sessions.sign_up(other, SignUp("eva@example.com", PASSWORD, "Eva"))
    await enrollments.enroll(other, enrollments.Enroll(COURSE_ID))
    before = await counters(pupil.database)
    await live(pupil)
    identity = caller(pupil)
    async with pupil.database.transaction() as connection:
        columns = (accounts.c.email_ciphertext, accounts.c.email_index, accounts.c.display_name_ciphertext)
        personal = (await connection.execute(select(*columns).where(accounts.c.id == identity.account_id))).one()
    secrets = [WORDS, *(value.hex() for value in personal)]
    stored = "\n".join((await contents(pupil.database)).values())
    assert all(secret in stored for secret in secrets)
    assert {"enrollments", "reviews", "events"} <= await holders(pupil.database, "learner_id", identity.learner_id)

    token = pupil.services.tokens.issue(identity).text
    await profile.delete_my_account(pupil, DeleteMyAccount(PASSWORD))

    stored = "\n".join((await contents(pupil.database)).values())
    assert [] == [secret for secret in secrets if secret in stored]
    assert {"erasures"} == await holders(pupil.database, "learner_id", identity.learner_id)
    assert set() == await holders(pupil.database, "account_id", identity.account_id)
    assert (before[0] - 1, *before[1:]) == await counters(pupil.database)
    assert ("delete_my_account", "done", "Account", identity.account_id) in await trail(pupil.database)
    with pytest.raises(UnauthenticatedError):
        pupil.services.tokens.verify(token)
    with pytest.raises(CommandError) as refused:
        await sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD))
    assert UserErrorCode.INVALID_CREDENTIALS == refused.value.code
    # The address is free again, and whoever takes it is another learner.
    again = await sessions.sign_up(strangers(), SignUp(EMAIL, PASSWORD, "Ana"))
    assert again.viewer is not None
    assert identity.learner_id != again.viewer.learner_id


async def test_a_wrong_password_deletes_nothing(pupil: Context) -> None:
    """The refusal is on record, and the account stays."""
    with pytest.raises(CommandError) as refused:
        await profile.delete_my_account(pupil, DeleteMyAccount("wrong password"))
    assert UserErrorCode.INVALID_CREDENTIALS == refused.value.code
    assert "enrollments" in await holders(pupil.database, "learner_id", caller(pupil).learner_id)


async def test_the_last_administrator_stays(pupil: Context) -> None:
    """Somebody must administer."""
    async with pupil.database.transaction() as connection:
        await change_role(connection, caller(pupil).account_id, Role.ADMINISTRATOR, granted=True, now=pupil.clock())
    with pytest.raises(CommandError) as refused:
        await profile.delete_my_account(pupil, DeleteMyAccount(PASSWORD))
    assert UserErrorCode.LAST_ADMINISTRATOR == refused.value.code


async def test_an_instructors_courses_stay_without_their_name(teacher: Context) -> None:
    """The public profile is nobody's, and says so."""
    await profile.delete_my_account(teacher, DeleteMyAccount(PASSWORD))
    statement = select(instructors.c.account_id, instructors.c.display_name).where(instructors.c.id == 1)
    async with teacher.database.transaction() as connection:
        assert (None, "Former instructor") == tuple((await connection.execute(statement)).one())


async def test_what_is_done_in_another_tab_is_erased_too(pupil: Context, strangers: Contexts) -> None:
    """A withdrawal, a review and a deletion at once leave no row and no counter behind, whoever is first."""
    before = await counters(pupil.database)
    others = [strangers(), strangers(), strangers()]
    for other in others:
        await sessions.sign_in(other, SignIn(EMAIL, PASSWORD))
    identity = caller(pupil)
    async with pupil.database.transaction() as connection:
        mine = select(enrollment_table.c.id).where(enrollment_table.c.learner_id == identity.learner_id)
        taken = Unenroll(encode_id("Enrollment", (await connection.execute(mine)).scalar_one()))
    await asyncio.gather(
        profile.delete_my_account(pupil, DeleteMyAccount(PASSWORD)),
        enrollments.unenroll(others[0], taken),
        reviews.review_course(others[1], ReviewCourse(COURSE_ID, 1, WORDS)),
        enrollments.unenroll(others[2], taken),
        return_exceptions=True,
    )
    assert {"erasures"} == await holders(pupil.database, "learner_id", identity.learner_id)
    assert (before[0] - 1, *before[1:]) == await counters(pupil.database)
