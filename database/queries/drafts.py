"""Statements that change courses: who may, which version, the draft that takes the changes, and its publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.courses import CourseStatus, course_instructors, course_statistics, courses, instructors
from database.tables.revisions import RevisionStatus, course_revisions

_ACYCLIC = "course_prerequisites_acyclic_check"


class PrerequisiteCycle(Exception):  # noqa: N818 - an answer of PostgreSQL, which a command turns into a refusal.
    """The prerequisites of a course lead back to it; the transaction must go back to before they were written."""


class StoredCourse(NamedTuple):
    """What a command must know of a course; `is_author` is of the account that asks."""

    id: int
    status: str
    version: int
    is_author: bool


class StoredRevision(NamedTuple):
    """A revision, and where it stands."""

    id: int
    status: str


async def lock_course(connection: AsyncConnection, course_id: int, account_id: int) -> StoredCourse | None:
    """Return a course, which nobody else changes until the transaction ends, or None."""
    written = (
        select(literal(1))
        .join_from(course_instructors, instructors)
        .where(course_instructors.c.course_id == courses.c.id, instructors.c.account_id == account_id)
        .exists()
    )
    statement = (
        select(courses.c.id, courses.c.status, courses.c.version, written)
        .where(courses.c.id == course_id)
        # Weaker than FOR UPDATE: a row of another course may refer to this one meanwhile, or two courses that name
        # each other and are published at once would wait for each other without end.
        .with_for_update(of=courses, key_share=True)
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredCourse(*found)


async def touch(connection: AsyncConnection, course_id: int, now: datetime) -> None:
    """Make the next version of a locked course."""
    await connection.execute(
        update(courses).where(courses.c.id == course_id).values(version=courses.c.version + 1, updated_at=now)
    )


async def set_status(
    connection: AsyncConnection, course_id: int, status: CourseStatus, first_published_at: datetime | None = None
) -> None:
    """Put a locked course into another state; a moment of publication that it has already stays."""
    values: dict[str, Any] = {"status": status.value}
    if first_published_at is not None:
        values["published_at"] = func.coalesce(courses.c.published_at, first_published_at)
    await connection.execute(update(courses).where(courses.c.id == course_id).values(values))


async def instructor_of(connection: AsyncConnection, account_id: int, display_name: str) -> int:
    """Return the public profile of an account, made with `display_name` when there is none."""
    made = insert_or(instructors).values(account_id=account_id, display_name=display_name)
    await connection.execute(made.on_conflict_do_nothing(index_elements=[instructors.c.account_id]))
    found = await connection.execute(select(instructors.c.id).where(instructors.c.account_id == account_id))
    key: int = found.scalar_one()
    return key


async def insert_course(
    connection: AsyncConnection, values: Mapping[str, Any], *, instructor_id: int, now: datetime
) -> int | None:
    """Insert a draft of one author and return its key; None when the slug is taken."""
    row = {**values, "status": CourseStatus.DRAFT.value, "created_at": now, "updated_at": now}
    statement = insert_or(courses).values(row).on_conflict_do_nothing(index_elements=[courses.c.slug])
    key: int | None = (await connection.execute(statement.returning(courses.c.id))).scalar_one_or_none()
    if key is not None:
        await connection.execute(
            insert(course_instructors).values(course_id=key, instructor_id=instructor_id, position=0)
        )
        await connection.execute(insert_or(course_statistics).values(course_id=key).on_conflict_do_nothing())
    return key


async def slug_is_taken(connection: AsyncConnection, slug: str) -> bool:
    """Say whether a course has this slug."""
    found = await connection.execute(select(courses.c.id).where(courses.c.slug == slug))
    return found.scalar_one_or_none() is not None


async def open_revision(connection: AsyncConnection, course_id: int) -> StoredRevision | None:
    """Return the revision of a locked course that is a draft or in review, or None."""
    statement = select(course_revisions.c.id, course_revisions.c.status).where(
        course_revisions.c.course_id == course_id,
        course_revisions.c.status.in_([RevisionStatus.DRAFT.value, RevisionStatus.IN_REVIEW.value]),
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredRevision(*found)


# From the published revision, else from the course itself: an imported course has no revisions yet.
_NEW_DRAFT = text("""
    INSERT INTO course_revisions (
        course_id, number, status, title, summary, description, level, language, duration_minutes,
        topic_ids, skills, prerequisite_ids, created_at
    )
    SELECT c.id, 1 + coalesce((SELECT max(number) FROM course_revisions WHERE course_id = c.id), 0), 'DRAFT',
        coalesce(r.title, c.title), CASE WHEN r.id IS NULL THEN c.summary ELSE r.summary END,
        CASE WHEN r.id IS NULL THEN c.description ELSE r.description END, coalesce(r.level, c.level),
        coalesce(r.language, c.language), coalesce(r.duration_minutes, c.duration_minutes),
        coalesce(r.topic_ids,
            array(SELECT topic_id FROM course_topics WHERE course_id = c.id ORDER BY position, topic_id)),
        coalesce(r.skills, array(SELECT s.name FROM course_skills k JOIN skills s ON s.id = k.skill_id
            WHERE k.course_id = c.id ORDER BY k.position, s.id)),
        coalesce(r.prerequisite_ids,
            array(SELECT prerequisite_id FROM course_prerequisites WHERE course_id = c.id ORDER BY prerequisite_id)),
        :now
    FROM courses c LEFT JOIN course_revisions r ON r.course_id = c.id AND r.status = 'PUBLISHED'
    WHERE c.id = :course_id
    RETURNING id
""")
_COPIES = tuple(
    text(statement)
    for statement in (
        """
        INSERT INTO modules (revision_id, lineage, position, title)
        SELECT :new, m.lineage, m.position, m.title
        FROM modules m JOIN course_revisions r ON r.id = m.revision_id
        WHERE r.course_id = :course_id AND r.status = 'PUBLISHED'
        """,
        """
        INSERT INTO lessons (
            revision_id, module_id, lineage, position, kind, title, duration_seconds, media_url, body
        )
        SELECT :new, n.id, l.lineage, l.position, l.kind, l.title, l.duration_seconds, l.media_url, l.body
        FROM lessons l JOIN course_revisions r ON r.id = l.revision_id JOIN modules m ON m.id = l.module_id
        JOIN modules n ON n.revision_id = :new AND n.lineage = m.lineage
        WHERE r.course_id = :course_id AND r.status = 'PUBLISHED'
        """,
        """
        INSERT INTO assessments (
            revision_id, module_id, lineage, title, passing_share, time_limit_seconds, attempt_limit
        )
        SELECT :new, n.id, a.lineage, a.title, a.passing_share, a.time_limit_seconds, a.attempt_limit
        FROM assessments a JOIN course_revisions r ON r.id = a.revision_id JOIN modules m ON m.id = a.module_id
        JOIN modules n ON n.revision_id = :new AND n.lineage = m.lineage
        WHERE r.course_id = :course_id AND r.status = 'PUBLISHED'
        """,
        """
        INSERT INTO questions (
            assessment_id, lineage, position, kind, prompt, points, choices, answer_key, explanation
        )
        SELECT b.id, q.lineage, q.position, q.kind, q.prompt, q.points, q.choices, q.answer_key, q.explanation
        FROM questions q JOIN assessments a ON a.id = q.assessment_id
        JOIN course_revisions r ON r.id = a.revision_id
        JOIN assessments b ON b.revision_id = :new AND b.lineage = a.lineage
        WHERE r.course_id = :course_id AND r.status = 'PUBLISHED'
        """,
    )
)


async def begin_draft(connection: AsyncConnection, course_id: int, now: datetime) -> int:
    """Copy what is published of a locked course into a draft, lineages included, and return the draft's key."""
    key: int = (await connection.execute(_NEW_DRAFT, {"course_id": course_id, "now": now})).scalar_one()
    for statement in _COPIES:
        await connection.execute(statement, {"course_id": course_id, "new": key})
    return key


async def update_revision(connection: AsyncConnection, revision_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of a revision."""
    if values:
        await connection.execute(
            update(course_revisions).where(course_revisions.c.id == revision_id).values(dict(values))
        )


# Whoever enrolled before a course had revisions has seen the published one, and keeps it.
_KEEP = text("""
    UPDATE enrollments e SET revision_id = r.id FROM course_revisions r
    WHERE r.course_id = :course_id AND r.status = 'PUBLISHED' AND e.course_id = r.course_id AND e.revision_id IS NULL
""")
_SUPERSEDE = text("""
    UPDATE course_revisions SET status = 'SUPERSEDED'
    WHERE course_id = :course_id AND status = 'PUBLISHED'
""")


async def publish_revision(connection: AsyncConnection, course_id: int, revision_id: int, now: datetime) -> None:
    """Put a revision in the place of the one that was published, which its learners keep."""
    await connection.execute(_KEEP, {"course_id": course_id})
    await connection.execute(_SUPERSEDE, {"course_id": course_id})
    await update_revision(connection, revision_id, {"status": RevisionStatus.PUBLISHED.value, "published_at": now})


_APPLY = tuple(
    text(statement)
    for statement in (
        """
        UPDATE courses c SET title = r.title, summary = r.summary, description = r.description, level = r.level,
            language = r.language,
            duration_minutes = CASE WHEN r.duration_minutes > 0 THEN r.duration_minutes ELSE coalesce(
                (SELECT (sum(duration_seconds) + 59) / 60 FROM lessons WHERE revision_id = r.id), 0) END
        FROM course_revisions r WHERE r.id = :revision_id AND c.id = r.course_id
        """,
        "DELETE FROM course_topics WHERE course_id = :course_id",
        """
        INSERT INTO course_topics (course_id, topic_id, position)
        SELECT :course_id, t.id, t.place - 1
        FROM course_revisions r, unnest(r.topic_ids) WITH ORDINALITY AS t (id, place)
        JOIN topics ON topics.id = t.id WHERE r.id = :revision_id
        """,
        "DELETE FROM course_skills WHERE course_id = :course_id",
        """
        INSERT INTO skills (name) SELECT DISTINCT s.name
        FROM course_revisions r, unnest(r.skills) AS s (name) WHERE r.id = :revision_id ORDER BY 1
        ON CONFLICT DO NOTHING
        """,
        """
        INSERT INTO course_skills (course_id, skill_id, position)
        SELECT :course_id, skills.id, s.place - 1
        FROM course_revisions r, unnest(r.skills) WITH ORDINALITY AS s (name, place)
        JOIN skills ON skills.name = s.name WHERE r.id = :revision_id
        """,
        "DELETE FROM course_prerequisites WHERE course_id = :course_id",
        """
        INSERT INTO course_prerequisites (course_id, prerequisite_id)
        SELECT :course_id, p.id FROM course_revisions r, unnest(r.prerequisite_ids) AS p (id)
        WHERE r.id = :revision_id
        """,
    )
)


async def apply_revision(connection: AsyncConnection, course_id: int, revision_id: int) -> None:
    """Make a course say what a revision says; a topic that is gone by now is left out.

    Raises:
        PrerequisiteCycle: the prerequisites close a cycle, even one whose other half is written at this moment.
    """
    try:
        for statement in _APPLY:
            await connection.execute(statement, {"course_id": course_id, "revision_id": revision_id})
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if getattr(cause, "constraint_name", None) != _ACYCLIC:
            raise
        raise PrerequisiteCycle from error


_CYCLE = text("""
    WITH RECURSIVE reached (id) AS (
        SELECT unnest(CAST(:prerequisite_ids AS bigint[]))
        UNION
        SELECT p.prerequisite_id FROM reached JOIN course_prerequisites p ON p.course_id = reached.id
    )
    SELECT EXISTS (SELECT FROM reached WHERE id = :course_id)
""")


async def would_close_cycle(connection: AsyncConnection, course_id: int, prerequisite_ids: Sequence[int]) -> bool:
    """Say whether a course would become a prerequisite of itself, by what is published now."""
    values = {"course_id": course_id, "prerequisite_ids": list(prerequisite_ids)}
    return bool((await connection.execute(_CYCLE, values)).scalar_one())


async def published_courses(connection: AsyncConnection, course_ids: Sequence[int]) -> set[int]:
    """Return which of the courses are published."""
    statement = select(courses.c.id).where(
        courses.c.id.in_(list(course_ids)), courses.c.status == CourseStatus.PUBLISHED.value
    )
    return set((await connection.execute(statement)).scalars())
