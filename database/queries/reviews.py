"""Statements about reviews, and the counters of ratings that go with them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    any_,
    bindparam,
    delete,
    exists,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.courses import CourseCountRow
from database.queries.visibility import course_is_visible
from database.rows import Row
from database.statements import Statement, parents
from database.tables.courses import CourseStatus, course_statistics, courses
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.reviews import reviews


class ReviewRow(Row):
    """A review. Whose it is stays in the server."""

    id: int
    course_id: int
    learner_id: int
    rating: int
    text: str | None
    created_at: datetime
    updated_at: datetime
    hidden_at: datetime | None


class StoredReview(NamedTuple):
    """What a command must know of a review that it has locked."""

    id: int
    course_id: int
    learner_id: int
    rating: int
    hidden_at: datetime | None


_COLUMNS = (
    reviews.c.id,
    reviews.c.course_id,
    reviews.c.learner_id,
    reviews.c.rating,
    reviews.c.text,
    reviews.c.created_at,
    reviews.c.updated_at,
    reviews.c.hidden_at,
)
_STORED = (reviews.c.id, reviews.c.course_id, reviews.c.learner_id, reviews.c.rating, reviews.c.hidden_at)
_COURSE_IDS = any_(bindparam("course_ids", type_=ARRAY(BigInteger)))

BY_IDS = Statement(select(*_COLUMNS).where(reviews.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))), ReviewRow)

# Of courses that the caller may see; see `database.queries.visibility`.
VISIBLE_BY_IDS = Statement(
    select(*_COLUMNS)
    .join_from(reviews, courses)
    .where(reviews.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))), course_is_visible()),
    ReviewRow,
)

BY_LEARNER = Statement(
    select(*_COLUMNS).where(
        reviews.c.course_id == _COURSE_IDS, reviews.c.learner_id == bindparam("learner_id", type_=BigInteger)
    ),
    ReviewRow,
)

COUNTS = Statement(
    select(course_statistics.c.course_id, course_statistics.c.rating_count.label("count")).where(
        course_statistics.c.course_id == _COURSE_IDS
    ),
    CourseCountRow,
)


@lru_cache(maxsize=2)
def page(*, after: bool) -> Statement[ReviewRow]:
    """Return the statement of one page of shown reviews for each of `course_ids`, newest first.

    Parameters are `course_ids`, `limit`, and `after_at` and `after_id` if asked.
    """
    parent = parents("course_ids")
    part = (
        select(*_COLUMNS)
        .where(reviews.c.course_id == parent.c.id, reviews.c.hidden_at.is_(None))
        .order_by(reviews.c.created_at.desc(), reviews.c.id.desc())
        .limit(bindparam("limit", type_=BigInteger))
    )
    if after:
        part = part.where(
            tuple_(reviews.c.created_at, reviews.c.id)
            < tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=BigInteger))
        )
    chosen = part.lateral("chosen")
    return Statement(
        select(*chosen.c)
        .select_from(parent.join(chosen, literal_column("true")))
        .order_by(chosen.c.course_id, chosen.c.created_at.desc(), chosen.c.id.desc()),
        ReviewRow,
    )


async def course_is_known(connection: AsyncConnection, course_id: int) -> bool:
    """Say whether learners may know of a course: it is published, or was and is archived."""
    known = select(courses.c.id).where(
        courses.c.id == course_id,
        courses.c.status.in_((CourseStatus.PUBLISHED.value, CourseStatus.ARCHIVED.value)),
    )
    return (await connection.execute(known)).one_or_none() is not None


async def lock_participation(connection: AsyncConnection, *, learner_id: int, course_id: int) -> bool:
    """Say whether a learner takes or has completed a course, which stays so until the transaction ends."""
    taking = (
        select(enrollments.c.id)
        .where(
            enrollments.c.learner_id == learner_id,
            enrollments.c.course_id == course_id,
            enrollments.c.status != EnrollmentStatus.WITHDRAWN.value,
        )
        .with_for_update(read=True)
    )
    return (await connection.execute(taking)).one_or_none() is not None


async def lock_statistics(connection: AsyncConnection, course_id: int) -> None:
    """Make whoever else changes the reviews of a course wait until the transaction ends.

    The counters are locked before any review, by every command, so that no two of them wait for each other.
    """
    await connection.execute(
        insert_or(course_statistics).values(course_id=course_id).on_conflict_do_nothing(index_elements=["course_id"])
    )
    await connection.execute(
        select(course_statistics.c.course_id).where(course_statistics.c.course_id == course_id).with_for_update()
    )


async def course_of(connection: AsyncConnection, review_id: int) -> int | None:
    """Return the course that a review is of, or None."""
    found: int | None = (
        await connection.execute(select(reviews.c.course_id).where(reviews.c.id == review_id))
    ).scalar_one_or_none()
    return found


async def stored(connection: AsyncConnection, review_id: int) -> StoredReview | None:
    """Return a review, locked until the transaction ends, or None."""
    found = await connection.execute(select(*_STORED).where(reviews.c.id == review_id).with_for_update())
    row = found.one_or_none()
    return None if row is None else StoredReview(*row)


async def stored_of(connection: AsyncConnection, *, learner_id: int, course_id: int) -> StoredReview | None:
    """Return a learner's review of a course, locked until the transaction ends, or None."""
    mine = select(*_STORED).where(reviews.c.learner_id == learner_id, reviews.c.course_id == course_id)
    row = (await connection.execute(mine.with_for_update())).one_or_none()
    return None if row is None else StoredReview(*row)


async def put(
    connection: AsyncConnection, *, learner_id: int, course_id: int, rating: int, text: str | None, now: datetime
) -> int:
    """Write a learner's review of a course in place of the one before, hidden if that was; return its id."""
    statement = insert_or(reviews).values(
        learner_id=learner_id, course_id=course_id, rating=rating, text=text, created_at=now, updated_at=now
    )
    excluded = statement.excluded
    written = statement.on_conflict_do_update(
        index_elements=[reviews.c.course_id, reviews.c.learner_id],
        set_={name: excluded[name] for name in ("rating", "text", "updated_at")},
    ).returning(reviews.c.id)
    number: int = (await connection.execute(written)).scalar_one()
    return number


async def remove(connection: AsyncConnection, review_id: int) -> None:
    """Delete a review."""
    await connection.execute(delete(reviews).where(reviews.c.id == review_id))


async def hide(connection: AsyncConnection, review_id: int, *, account_id: int, reason: str, now: datetime) -> None:
    """Hide a review from everybody but its author."""
    hidden = {"hidden_at": now, "hidden_by": account_id, "hidden_reason": reason}
    await connection.execute(update(reviews).where(reviews.c.id == review_id).values(**hidden))


async def show(connection: AsyncConnection, review_id: int) -> None:
    """Show a hidden review again."""
    shown = {"hidden_at": None, "hidden_by": None, "hidden_reason": None}
    await connection.execute(update(reviews).where(reviews.c.id == review_id).values(**shown))


async def count_rating(connection: AsyncConnection, course_id: int, *, count: int, total: int) -> None:
    """Add to how many shown reviews a course has, and to the sum of their ratings."""
    await connection.execute(
        update(course_statistics)
        .where(course_statistics.c.course_id == course_id)
        .values(
            rating_count=course_statistics.c.rating_count + count, rating_sum=course_statistics.c.rating_sum + total
        )
    )


async def forget_learner(connection: AsyncConnection, learner_id: int) -> None:
    """Delete all reviews of a learner and take them out of the counters, courses in order of their keys."""
    mine = select(reviews.c.course_id).where(reviews.c.learner_id == learner_id)
    await connection.execute(
        select(course_statistics.c.course_id)
        .where(course_statistics.c.course_id.in_(mine))
        .order_by(course_statistics.c.course_id)
        .with_for_update()
    )
    shown = exists().where(
        reviews.c.course_id == course_statistics.c.course_id,
        reviews.c.learner_id == learner_id,
        reviews.c.hidden_at.is_(None),
    )
    rating = (
        select(reviews.c.rating)
        .where(reviews.c.course_id == course_statistics.c.course_id, reviews.c.learner_id == learner_id)
        .correlate(course_statistics)
        .scalar_subquery()
    )
    await connection.execute(
        update(course_statistics)
        .where(shown)
        .values(rating_count=course_statistics.c.rating_count - 1, rating_sum=course_statistics.c.rating_sum - rating)
    )
    await connection.execute(delete(reviews).where(reviews.c.learner_id == learner_id))
