"""Reviews on a real database: who may write, hide and read them, and that ratings count what is shown."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, text, update

from core.clock import ManualClock
from core.errors import CommandError, InvalidArgumentError, UserErrorCode
from core.ids import encode_id
from database.queries import reviews as review_queries
from database.queries.courses import CourseRow
from database.session import Database
from database.tables.accounts import Role
from database.tables.courses import courses as course_table
from database.tables.enrollments import enrollments
from database.tables.events import events
from database.tables.learners import learners
from database.tables.reviews import reviews as table
from resolvers import courses, nodes, reviews
from resolvers.context import Context
from resolvers.pages import total_count
from resolvers.reviews import HideReview, NamedReview, ReviewCourse
from security.policies import Identity
from tests.small_accounts import Contexts, trail
from tests.small_catalog import UNPUBLISHED

COURSE = encode_id("Course", 7)
PEOPLE = 6

As = Callable[[int], Context]


@pytest_asyncio.fixture
async def as_learner(strangers: Contexts, catalog: Database, clock: ManualClock) -> As:
    """Makes requests of learner 1 to 6, who all take course 7; number 0 is a moderator who takes nothing."""
    async with catalog.transaction() as connection:
        await connection.execute(
            insert(learners), [{"id": 100 + number, "created_at": clock()} for number in range(PEOPLE + 1)]
        )
        await connection.execute(
            insert(enrollments),
            [
                {"learner_id": 100 + number, "course_id": 7, "status": "ACTIVE", "enrolled_at": clock()}
                for number in range(1, PEOPLE + 1)
            ],
        )

    def make(number: int) -> Context:
        context = strangers()
        roles = frozenset({Role.MODERATOR.value} if number == 0 else {Role.LEARNER.value})
        return replace(context, identity=Identity(200 + number, 100 + number, roles, context.request_id))

    return make


async def refused(command: Awaitable[Any]) -> tuple[UserErrorCode, tuple[str, ...] | None]:
    """Run a command that must be refused and return why, and the field."""
    with pytest.raises(CommandError) as error:
        await command
    return error.value.code, error.value.field


async def course_seven(context: Context) -> CourseRow:
    """Return course 7 as it is now."""
    (row,) = await courses.by_ids(context, [7])
    assert row is not None
    return row


async def rated(context: Context) -> tuple[float | None, int]:
    """Return average and count of course 7."""
    (rating,) = await reviews.rating(context, [await course_seven(context)])
    return rating.average, rating.count


async def listed(context: Context, **arguments: Any) -> list[int]:
    """Return the ratings of course 7's reviews, in order, and check that they are counted alike."""
    (page,) = await reviews.reviews(context, [await course_seven(context)], **arguments)
    return [row.rating for row in page.nodes]


async def written(context: Context, rating: int, said: str | None = None) -> str:
    """Review course 7 and return the opaque id."""
    payload = await reviews.review_course(context, ReviewCourse(COURSE, rating, said))
    assert payload.review is not None
    return encode_id("Review", payload.review.id)


async def recounted(database: Database) -> list[tuple[int, int, int]]:
    """Return the courses whose counters differ from a recount of the shown reviews."""
    statement = """
    SELECT s.course_id, s.rating_count, s.rating_sum FROM course_statistics s
    LEFT JOIN (SELECT course_id, count(*) AS n, sum(rating) AS total FROM reviews WHERE hidden_at IS NULL
        GROUP BY course_id) r USING (course_id)
    WHERE (s.rating_count, s.rating_sum) IS DISTINCT FROM (coalesce(r.n, 0), coalesce(r.total, 0))
    """
    async with database.transaction() as connection:
        return [(row[0], row[1], row[2]) for row in await connection.execute(text(statement))]


async def test_review_is_written_counted_logged_and_audited(as_learner: As, catalog: Database) -> None:
    """All in one transaction, and again for an edit, which keeps the date of the first writing."""
    context = as_learner(1)
    first = (await reviews.review_course(context, ReviewCourse(COURSE, 4, "Gut 👍"))).review
    assert first is not None
    assert (4.0, 1) == await rated(context)
    manual = context.clock
    assert isinstance(manual, ManualClock)
    manual.now += timedelta(days=1)
    payload = await reviews.review_course(context, ReviewCourse(COURSE, 2))
    second = payload.review
    assert second is not None
    assert (first.id, 2, None, first.created_at) == (second.id, second.rating, second.text, second.created_at)
    assert first.updated_at < second.updated_at
    assert (2.0, 1) == await rated(context)
    assert payload.course is not None
    assert 2 == payload.course.rating_sum
    async with catalog.transaction() as connection:
        told = await connection.execute(select(events.c.kind, events.c.course_id, events.c.payload))
        assert [("course_reviewed", 7, {"rating": 4}), ("course_reviewed", 7, {"rating": 2})] == [
            tuple(row) for row in told
        ]
    assert [("review_course", "done", "Course", 201)] * 2 == await trail(catalog)


async def test_only_who_takes_or_has_completed_a_course_may_review_it(as_learner: As, catalog: Database) -> None:
    """Strangers to the course and those who left are refused; archived courses are still reviewed, drafts unknown."""
    assert (UserErrorCode.NOT_ENROLLED, ("input", "courseId")) == await refused(written(as_learner(0), 5))
    for status, allowed in (("WITHDRAWN", False), ("COMPLETED", True)):
        async with catalog.transaction() as connection:
            await connection.execute(update(enrollments).where(enrollments.c.learner_id == 102).values(status=status))
        if allowed:
            await written(as_learner(2), 5)
        else:
            assert UserErrorCode.NOT_ENROLLED == (await refused(written(as_learner(2), 5)))[0]
    async with catalog.transaction() as connection:
        await connection.execute(update(course_table).where(course_table.c.id == 7).values(status="ARCHIVED"))
    await reviews.review_course(as_learner(1), ReviewCourse(COURSE, 3))
    for unknown in (encode_id("Course", UNPUBLISHED), encode_id("Course", 404), encode_id("Topic", 7), "x"):
        command = reviews.review_course(as_learner(1), ReviewCourse(unknown, 3))
        assert (UserErrorCode.NOT_FOUND, ("input", "courseId")) == await refused(command)


async def test_texts_are_bounded_and_blank_ones_are_none(as_learner: As) -> None:
    """Emoji and right-to-left text stay as they are; NUL goes; what cannot be seen is no text."""
    context = as_learner(1)
    for said, stored in (
        ("  Très bien 🎉👩‍🏫  ", "Très bien 🎉👩‍🏫"),
        ("דורשת ניסיון \u202eabc", "דורשת ניסיון \u202eabc"),
        ("a\0b", "ab"),
        ("\0 \n\t\u200f\u2003", None),
        ("", None),
        ("é" * reviews.LONGEST_TEXT, "é" * reviews.LONGEST_TEXT),
    ):
        payload = await reviews.review_course(context, ReviewCourse(COURSE, 5, said))
        assert payload.review is not None
        assert stored == payload.review.text
    too_long = "x" * (reviews.LONGEST_TEXT + 1)
    assert (UserErrorCode.TOO_LONG, ("input", "text")) == await refused(written(context, 5, too_long))
    for rating in (0, 6, -1, 2**31 - 1):
        assert (UserErrorCode.INVALID, ("input", "rating")) == await refused(written(context, rating))


async def test_hidden_review_is_seen_by_its_author_alone(as_learner: As, catalog: Database) -> None:
    """It leaves lists, counts and ratings; its author and moderators still find it; showing brings it back."""
    author, other, moderator = as_learner(1), as_learner(2), as_learner(0)
    opaque = await written(author, 1)
    await written(other, 5)
    hidden = await reviews.hide_review(moderator, HideReview(opaque, "Insults the instructor"))
    assert hidden.review is not None
    assert hidden.review.hidden_at is not None
    assert ([5], (5.0, 1)) == (await listed(other), await rated(other))
    assert [1] == await total_count(other, await reviews.reviews(other, [await course_seven(other)]))
    (mine,) = await reviews.viewer_review(author, [await course_seven(author)])
    assert mine is not None
    assert mine.hidden_at is not None
    seen = [await nodes.node(who, [None], id=opaque) for who in (author, other, moderator)]
    assert [1, None, 1] == [row and row.rating for (row,) in seen]
    # Its author may go on editing it, which neither shows it nor counts it.
    await written(author, 2)
    await reviews.hide_review(moderator, HideReview(opaque, "Twice"))
    assert (5.0, 1) == await rated(other)
    await reviews.show_review(moderator, NamedReview(opaque))
    await reviews.show_review(moderator, NamedReview(opaque))
    assert (3.5, 2) == await rated(other)
    assert [] == await recounted(catalog)
    assert ("hide_review", "done", "Review", 200) in await trail(catalog)


async def test_moderation_needs_a_reason_and_a_review(as_learner: As) -> None:
    """A reason is required and bounded; unknown reviews are told as such, to authors too."""
    moderator = as_learner(0)
    opaque = await written(as_learner(1), 1)
    for reason, code in ((" \0", UserErrorCode.REQUIRED), ("x" * 501, UserErrorCode.TOO_LONG)):
        command = reviews.hide_review(moderator, HideReview(opaque, reason))
        assert (code, ("input", "reason")) == await refused(command)
    missing = (UserErrorCode.NOT_FOUND, ("input", "reviewId"))
    assert missing == await refused(reviews.hide_review(moderator, HideReview(encode_id("Review", 404), "x")))
    assert missing == await refused(reviews.show_review(moderator, NamedReview("nonsense")))
    assert missing == await refused(reviews.delete_review(as_learner(2), NamedReview(opaque)))


async def test_deleted_review_leaves_the_rating(as_learner: As, catalog: Database) -> None:
    """Shown or hidden, the counters are right afterwards, and its author may write another."""
    one, two = as_learner(1), as_learner(2)
    first, second = await written(one, 1), await written(two, 5)
    await reviews.hide_review(as_learner(0), HideReview(second, "Advertisement"))
    for context, opaque in ((one, first), (two, second)):
        payload = await reviews.delete_review(context, NamedReview(opaque))
        assert payload.course is not None
        assert (None, 0) == await rated(context)
    assert [] == await recounted(catalog)
    await written(two, 4)
    assert (4.0, 1) == await rated(two)


async def test_reviews_are_pages_newest_first(as_learner: As, clock: ManualClock) -> None:
    """Each course has its own page and count; what is written meanwhile neither repeats nor skips one."""
    for number in range(1, 6):
        clock.now += timedelta(minutes=number % 2)
        await written(as_learner(number), number)
    context = as_learner(6)
    parents = [row for row in await courses.by_ids(context, [8, 7]) if row is not None]
    before = context.reader.statements
    empty, page = await reviews.reviews(context, parents, first=2)
    assert 1 == context.reader.statements - before
    assert ([], [5, 4]) == ([row.rating for row in empty.nodes], [row.rating for row in page.nodes])
    assert [0, 5] == await total_count(context, [empty, page])
    clock.now += timedelta(minutes=1)
    await written(context, 1)
    assert [3, 2, 1] == await listed(context, first=5, after=page.page_info.end_cursor)
    with pytest.raises(InvalidArgumentError):
        await listed(context, after="x")


async def test_raced_reviews_of_one_learner_are_one(as_learner: As, catalog: Database) -> None:
    """Two tabs that send at once leave one review, and the counters say what it says."""
    await asyncio.gather(*(written(as_learner(1), rating) for rating in (1, 2, 3, 4, 5)))
    async with catalog.transaction() as connection:
        ((rating,),) = await connection.execute(select(table.c.rating))
    assert (float(rating), 1) == await rated(as_learner(1))
    assert [] == await recounted(catalog)


async def test_counters_are_right_after_many_raced_changes(as_learner: As, catalog: Database) -> None:
    """Writing, editing, deleting, hiding and showing at once, and a recount agrees."""
    chance = random.Random(7)  # noqa: S311 - the same mix in every run.
    moderators = [as_learner(0) for _ in range(2)]
    people = [as_learner(number) for number in range(1, PEOPLE + 1)]
    ids = [await written(person, 3) for person in people]

    async def change(person: Context) -> None:
        for _ in range(8):
            act = chance.choice(("write", "delete", "hide", "show"))
            opaque = chance.choice(ids)
            try:
                if act == "write":
                    ids.append(await written(person, chance.randint(1, 5)))
                elif act == "delete":
                    await reviews.delete_review(person, NamedReview(opaque))
                elif act == "hide":
                    await reviews.hide_review(chance.choice(moderators), HideReview(opaque, "x"))
                else:
                    await reviews.show_review(chance.choice(moderators), NamedReview(opaque))
            except CommandError as error:
                assert error.code is UserErrorCode.NOT_FOUND  # noqa: PT017 - it was deleted meanwhile.

    await asyncio.gather(*(change(person) for person in people))
    assert [] == await recounted(catalog)


async def test_reviews_of_an_erased_learner_leave_every_rating(as_learner: As, catalog: Database) -> None:
    """Shown and hidden ones alike, with right counters."""
    await written(as_learner(1), 1)
    await written(as_learner(2), 5)
    async with catalog.transaction() as connection:
        await review_queries.forget_learner(connection, 101)
    assert (5.0, 1) == await rated(as_learner(3))
    assert [] == await recounted(catalog)
