"""Statements about everything that is held about one person: to hand it out, and to erase it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries import erasures, reviews as review_queries
from database.tables.accounts import accounts, sessions
from database.tables.attempts import attempt_answers, attempts
from database.tables.audit import audit_log
from database.tables.courses import course_instructors, course_statistics, instructors
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.events import events
from database.tables.learners import learners
from database.tables.preferences import learning_preference_topics, learning_preferences
from database.tables.progress import lesson_progress, progress_reports
from database.tables.recommendations import (
    recommendation_dismissals,
    recommendation_exposures,
    recommendation_feedback,
)
from database.tables.reviews import reviews

# Of each kind of rows, the newest: nobody's document may fill the memory of a server.
MOST_ROWS = 50_000
FORMER_INSTRUCTOR = "Former instructor"


async def collect(
    connection: AsyncConnection, *, account_id: int, learner_id: int, email_subject: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows about a person by kind, newest first and at most `MOST_ROWS` of each: one statement a kind.

    Args:
        connection: a transaction.
        account_id: their account; ciphertexts, hashes and keys are left out.
        learner_id: the learner that they are.
        email_subject: what the audit trail calls attempts to sign in with their address.
    """
    statements = _statements(account_id, learner_id, email_subject)
    found = {}
    for kind, statement in statements.items():
        rows = await connection.execute(statement.limit(MOST_ROWS))
        found[kind] = [{str(name): value for name, value in row.items()} for row in rows.mappings()]
    return found


def _statements(account_id: int, learner_id: int, email_subject: str) -> Mapping[str, Select[Any]]:
    mine = select(enrollments.c.id).where(enrollments.c.learner_id == learner_id)
    my_attempts = select(attempts.c.id).where(attempts.c.enrollment_id.in_(mine))
    # Who graded or hid is another person, and is not told.
    answers = [column for column in attempt_answers.c if column.name != "graded_by"]
    said = [column for column in reviews.c if column.name not in {"hidden_by", "hidden_reason"}]
    return {
        "learner": select(learners).where(learners.c.id == learner_id),
        "sessions": select(sessions.c.id, sessions.c.created_at, sessions.c.expires_at, sessions.c.revoked_at)
        .where(sessions.c.account_id == account_id)
        .order_by(sessions.c.created_at.desc()),
        "preferences": select(learning_preferences).where(learning_preferences.c.learner_id == learner_id),
        "preferredTopics": select(learning_preference_topics).where(
            learning_preference_topics.c.learner_id == learner_id
        ),
        "enrollments": select(enrollments)
        .where(enrollments.c.learner_id == learner_id)
        .order_by(enrollments.c.enrolled_at.desc()),
        "lessonProgress": select(lesson_progress)
        .where(lesson_progress.c.enrollment_id.in_(mine))
        .order_by(lesson_progress.c.position_at.desc()),
        "progressReports": select(progress_reports)
        .where(progress_reports.c.learner_id == learner_id)
        .order_by(progress_reports.c.recorded_at.desc()),
        "attempts": select(attempts).where(attempts.c.enrollment_id.in_(mine)).order_by(attempts.c.started_at.desc()),
        "answers": select(*answers)
        .where(attempt_answers.c.attempt_id.in_(my_attempts))
        .order_by(attempt_answers.c.saved_at.desc()),
        "reviews": select(*said).where(reviews.c.learner_id == learner_id).order_by(reviews.c.created_at.desc()),
        "recommendationFeedback": select(recommendation_feedback)
        .where(recommendation_feedback.c.learner_id == learner_id)
        .order_by(recommendation_feedback.c.recorded_at.desc()),
        "recommendationExposures": select(recommendation_exposures)
        .where(recommendation_exposures.c.learner_id == learner_id)
        .order_by(recommendation_exposures.c.recorded_at.desc()),
        "dismissals": select(recommendation_dismissals)
        .where(recommendation_dismissals.c.learner_id == learner_id)
        .order_by(recommendation_dismissals.c.dismissed_at.desc()),
        "events": select(
            events.c.id,
            events.c.kind,
            events.c.course_id,
            events.c.recommendation_id,
            events.c.payload,
            events.c.occurred_at,
            events.c.recorded_at,
        )
        .where(events.c.learner_id == learner_id)
        .order_by(events.c.occurred_at.desc()),
        "instructorProfiles": select(instructors).where(instructors.c.account_id == account_id),
        "authoredCourses": select(course_instructors.c.course_id)
        .join_from(course_instructors, instructors)
        .where(instructors.c.account_id == account_id),
        "auditTrail": select(
            audit_log.c.id, audit_log.c.occurred_at, audit_log.c.action, audit_log.c.subject_type, audit_log.c.outcome
        )
        .where(
            or_(
                audit_log.c.actor_account_id == account_id,
                tuple_(audit_log.c.subject_type, audit_log.c.subject_id).in_(
                    [("Account", str(account_id)), ("SignInEmail", email_subject)]
                ),
            )
        )
        .order_by(audit_log.c.occurred_at.desc()),
    }


async def erase(
    connection: AsyncConnection,
    *,
    account_id: int,
    learner_id: int,
    now: datetime,
    source_index: Callable[[str, str], bytes],
) -> None:
    """Delete an account, the learner that it is and all that is held about them, and leave a tombstone.

    Whoever writes for the learner at the same time holds a lock on the learner or on an enrollment of theirs: waiting
    for both first makes what they write visible here, and keeps later ones out.

    Args:
        connection: a transaction.
        account_id: their account.
        learner_id: the learner that they are.
        now: the moment.
        source_index: gives the keyed hash of a source and an id there, by which an import knows them again.
    """
    locked = select(learners.c.source, learners.c.source_id).where(learners.c.id == learner_id).with_for_update()
    source, source_id = (await connection.execute(locked)).one()
    mine = enrollments.c.learner_id == learner_id
    await connection.execute(select(enrollments.c.id).where(mine).order_by(enrollments.c.id).with_for_update())
    await _correct_counters(connection, learner_id)
    await review_queries.forget_learner(connection, learner_id)
    await connection.execute(
        update(instructors)
        .where(instructors.c.account_id == account_id)
        .values(account_id=None, display_name=FORMER_INSTRUCTOR)
    )
    await connection.execute(delete(accounts).where(accounts.c.id == account_id))
    # Preferences, enrollments, progress, attempts, answers, feedback and dismissals go with the learner.
    await connection.execute(delete(learners).where(learners.c.id == learner_id))
    await connection.execute(delete(events).where(events.c.learner_id == learner_id))
    index = None if source is None else source_index(source, source_id)
    await erasures.add(connection, learner_id, now, source=source, source_index=index)


async def _correct_counters(connection: AsyncConnection, learner_id: int) -> None:
    """Take the learner out of the enrollment counters, all of their courses locked in the order of their keys."""
    concerned = or_(
        course_statistics.c.course_id.in_(
            select(enrollments.c.course_id).where(enrollments.c.learner_id == learner_id)
        ),
        course_statistics.c.course_id.in_(select(reviews.c.course_id).where(reviews.c.learner_id == learner_id)),
    )
    await connection.execute(
        select(course_statistics.c.course_id).where(concerned).order_by(course_statistics.c.course_id).with_for_update()
    )
    counted = exists().where(
        enrollments.c.course_id == course_statistics.c.course_id,
        enrollments.c.learner_id == learner_id,
        enrollments.c.status != EnrollmentStatus.WITHDRAWN.value,
    )
    await connection.execute(
        update(course_statistics)
        .where(counted)
        .values(enrollment_count=func.greatest(course_statistics.c.enrollment_count - 1, 0))
    )
