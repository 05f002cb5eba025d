"""Reviews: one of each learner for a course they take, counted in its rating while it is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.notifications import course_topic, notify
from database.queries import courses as course_queries, events as event_queries, reviews as queries
from database.queries.courses import CourseRow
from database.queries.reviews import ReviewRow, StoredReview
from database.tables.events import EventKind
from resolvers.authors import viewpoint
from resolvers.batches import aligned, grouped
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.pages import Count, Page, microseconds, moment, page, window
from resolvers.payloads import Payload
from security.audit import Subject
from security.policies import may_see_all_courses

LONGEST_TEXT = 5000
LONGEST_REASON = 500
_LOWEST, _HIGHEST = 1, 5
_SCOPE = "reviews"


@dataclass(frozen=True, slots=True)
class ReviewCourse:
    """What a learner says of a course.

    Attributes:
        course_id: its opaque id.
        rating: 1 to 5.
        text: plain text, or None.
    """

    course_id: str
    rating: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NamedReview:
    """A review, by its opaque id."""

    review_id: str


@dataclass(frozen=True, slots=True)
class HideReview:
    """A review to hide, and why."""

    review_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ReviewPayload(Payload):
    """The answer of the commands that leave a review behind."""

    review: ReviewRow | None = None
    course: CourseRow | None = None


@dataclass(frozen=True, slots=True)
class CourseRating:
    """How learners rate a course; no average without a review."""

    average: float | None
    count: int


async def rating(_context: Context, courses: Sequence[CourseRow]) -> list[CourseRating]:
    """Return the average of the shown reviews of each course; no statement, the counters are in its row."""
    return [
        CourseRating(row.rating_sum / row.rating_count if row.rating_count else None, row.rating_count)
        for row in courses
    ]


async def reviews(
    context: Context, courses: Sequence[CourseRow], *, first: int | None = None, after: str | None = None
) -> list[Page[ReviewRow]]:
    """Return a page of the shown reviews of each course, newest first.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    asked = window(scope=_SCOPE, kinds=(int, int), first=first, after=after)
    keys = [row.id for row in courses]
    values: dict[str, Any] = {"course_ids": list(set(keys)), "limit": asked.limit + 1}
    if asked.after is not None:
        values["after_at"], values["after_id"] = moment(asked.after[0]), asked.after[1]
    rows = await context.reader.fetch(queries.page(after=asked.after is not None), **values)
    return [
        page(
            found,
            asked,
            scope=_SCOPE,
            key=lambda review: (microseconds(review.created_at), review.id),
            count=Count(_count, key),
        )
        for key, found in zip(keys, grouped(rows, "course_id", keys), strict=True)
    ]


async def viewer_review(context: Context, courses: Sequence[CourseRow]) -> list[ReviewRow | None]:
    """Return the caller's own review of each course, even a hidden one."""
    if context.identity is None:
        return [None] * len(courses)
    keys = list({row.id for row in courses})
    found = await context.reader.fetch(queries.BY_LEARNER, course_ids=keys, learner_id=context.identity.learner_id)
    mine = {review.course_id: review for review in found}
    return [mine.get(row.id) for row in courses]


async def course(context: Context, reviews: Sequence[ReviewRow]) -> list[CourseRow]:
    """Return the course of each review, archived ones included."""
    keys = list({review.course_id for review in reviews})
    rows = {row.id: row for row in await context.reader.fetch(course_queries.BY_IDS, ids=keys)}
    return [rows[review.course_id] for review in reviews]


async def is_viewers(context: Context, reviews: Sequence[ReviewRow]) -> list[bool]:
    """Say of each review whether the caller wrote it."""
    learner_id = None if context.identity is None else context.identity.learner_id
    return [review.learner_id == learner_id for review in reviews]


async def by_ids(context: Context, keys: Sequence[int]) -> list[ReviewRow | None]:
    """Return the review of each key; a hidden one only to its author and to moderators, as courses allow."""
    visible = await context.reader.fetch(queries.VISIBLE_BY_IDS, ids=list(keys), **viewpoint(context))
    identity = context.identity
    everything = may_see_all_courses(identity)
    learner_id = None if identity is None else identity.learner_id
    return [
        row if row is not None and (row.hidden_at is None or everything or row.learner_id == learner_id) else None
        for row in aligned(visible, keys)
    ]


async def review_course(context: Context, input: ReviewCourse) -> ReviewPayload:  # noqa: A002 - the contract's name.
    """Write the caller's review of a course that they take or have completed, in place of the one before.

    Raises:
        CommandError: NOT_FOUND, NOT_ENROLLED, INVALID for a rating that is not 1 to 5, or TOO_LONG.
    """
    identity = caller(context)
    text = _text(input.text)
    if not _LOWEST <= input.rating <= _HIGHEST:
        raise CommandError(UserErrorCode.INVALID, "A rating is from 1 to 5.", ("input", "rating"))
    course_id = decode_key(input.course_id, "Course")
    if course_id is None:
        raise _no_course()
    async with transact(context, "review_course", Subject("Course", course_id)) as act:
        await _refuse_outsiders(act, identity.learner_id, course_id)
        await queries.lock_statistics(act.connection, course_id)
        before = await queries.stored_of(act.connection, learner_id=identity.learner_id, course_id=course_id)
        review_id = await queries.put(
            act.connection,
            learner_id=identity.learner_id,
            course_id=course_id,
            rating=input.rating,
            text=text,
            now=act.now,
        )
        if before is None:
            await queries.count_rating(act.connection, course_id, count=1, total=input.rating)
        elif before.hidden_at is None:
            await queries.count_rating(act.connection, course_id, count=0, total=input.rating - before.rating)
        await event_queries.insert(
            act.connection,
            EventKind.COURSE_REVIEWED,
            learner_id=identity.learner_id,
            course_id=course_id,
            occurred_at=act.now,
            recorded_at=act.now,
            payload={"rating": input.rating},
        )
        await notify(act.connection, [course_topic(course_id)])
        act.details |= {"review_id": review_id, "rating": input.rating}
    return await _payload(context, review_id, course_id)


async def delete_review(context: Context, input: NamedReview) -> ReviewPayload:  # noqa: A002 - as above.
    """Delete the caller's own review.

    Raises:
        CommandError: NOT_FOUND.
    """
    identity = caller(context)
    async with _on_review(context, "delete_review", input.review_id) as (act, review):
        if review.learner_id != identity.learner_id:
            raise _no_review()
        await queries.remove(act.connection, review.id)
        if review.hidden_at is None:
            await queries.count_rating(act.connection, review.course_id, count=-1, total=-review.rating)
    (row,) = await context.reader.fetch(course_queries.BY_IDS, ids=[review.course_id])
    return ReviewPayload(course=row)


async def hide_review(context: Context, input: HideReview) -> ReviewPayload:  # noqa: A002 - as above.
    """Hide a review from everybody but its author, and take it out of the rating; hiding twice keeps the first reason.

    Raises:
        CommandError: NOT_FOUND, REQUIRED without a reason, or TOO_LONG.
    """
    identity = caller(context)
    reason = _reason(input.reason)
    async with _on_review(context, "hide_review", input.review_id) as (act, review):
        if review.hidden_at is None:
            await queries.hide(act.connection, review.id, account_id=identity.account_id, reason=reason, now=act.now)
            await queries.count_rating(act.connection, review.course_id, count=-1, total=-review.rating)
    return await _payload(context, review.id, review.course_id)


async def show_review(context: Context, input: NamedReview) -> ReviewPayload:  # noqa: A002 - as above.
    """Show a hidden review again, and count it; showing a shown one changes nothing.

    Raises:
        CommandError: NOT_FOUND.
    """
    async with _on_review(context, "show_review", input.review_id) as (act, review):
        if review.hidden_at is not None:
            await queries.show(act.connection, review.id)
            await queries.count_rating(act.connection, review.course_id, count=1, total=review.rating)
    return await _payload(context, review.id, review.course_id)


@asynccontextmanager
async def _on_review(context: Context, action: str, opaque: str) -> AsyncIterator[tuple[Act, StoredReview]]:
    """Open the transaction of a command on a review, with the review and its course's counters locked."""
    review_id = decode_key(opaque, "Review")
    if review_id is None:
        raise _no_review()
    async with transact(context, action, Subject("Review", review_id)) as act:
        course_id = await queries.course_of(act.connection, review_id)
        if course_id is None:
            raise _no_review()
        await queries.lock_statistics(act.connection, course_id)
        review = await queries.stored(act.connection, review_id)
        if review is None:
            raise _no_review()
        act.details["course_id"] = course_id
        yield act, review
        await notify(act.connection, [course_topic(course_id)])


async def _payload(context: Context, review_id: int, course_id: int) -> ReviewPayload:
    found = await context.reader.fetch(queries.BY_IDS, ids=[review_id])
    (row,) = await context.reader.fetch(course_queries.BY_IDS, ids=[course_id])
    return ReviewPayload(review=found[0] if found else None, course=row)


async def _refuse_outsiders(act: Act, learner_id: int, course_id: int) -> None:
    if not await queries.course_is_known(act.connection, course_id):
        raise _no_course()
    if not await queries.lock_participation(act.connection, learner_id=learner_id, course_id=course_id):
        raise CommandError(UserErrorCode.NOT_ENROLLED, "Only who takes a course may review it.", ("input", "courseId"))


async def _count(context: Context, keys: Sequence[int]) -> list[int]:
    rows = await context.reader.fetch(queries.COUNTS, course_ids=list(keys))
    totals = {row.course_id: row.count for row in rows}
    return [totals.get(key, 0) for key in keys]


def _text(text: str | None) -> str | None:
    """Return what is stored of a review's text: None where there is nothing to read."""
    if text is None:
        return None
    _refuse_longer(text, LONGEST_TEXT, "text")
    kept = text.replace("\0", "").strip()
    # Marks that cannot be seen, such as those of direction, are no text by themselves.
    return kept if any(unicodedata.category(letter)[0] not in "CZ" for letter in kept) else None


def _reason(text: str) -> str:
    _refuse_longer(text, LONGEST_REASON, "reason")
    reason = text.replace("\0", "").strip()
    if not reason:
        raise CommandError(UserErrorCode.REQUIRED, "Say why the review is hidden.", ("input", "reason"))
    return reason


def _refuse_longer(text: str, longest: int, name: str) -> None:
    if len(text) > longest:
        raise CommandError(
            UserErrorCode.TOO_LONG, f"`{name}` may be at most {longest} characters long.", ("input", name)
        )


def _no_course() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such course.", ("input", "courseId"))


def _no_review() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such review.", ("input", "reviewId"))
