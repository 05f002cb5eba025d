"""What a learner has taken, and what they told us at onboarding: the reads of a recommendation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from database.rows import Row
from database.statements import Statement
from database.tables.courses import courses
from database.tables.enrollments import enrollments
from database.tables.learners import learners
from database.tables.preferences import learning_preference_topics, learning_preferences
from database.tables.recommendations import recommendation_dismissals
from database.tables.topics import topics

LONGEST = 5_000
MOST_DISMISSED = 500


class HistoryRow(Row):
    """An enrollment of a learner, withdrawn ones included."""

    course_id: int
    status: str
    enrolled_at: datetime


class PreferencesRow(Row):
    """The learning preferences of a learner, topics in the order they were chosen."""

    level: str
    goals: list[str]
    languages: list[str]
    topic_ids: list[int]


class WishesRow(PreferencesRow):
    """What a learner chose and what they turned away, always one row; without `saved`, preferences are null."""

    saved: bool
    dismissed_ids: list[int]


class LearnerRow(Row):
    """A learner."""

    id: int


class SourceRow(Row):
    """A learner or a course, and what it is called in the source that it was imported from, if it was."""

    id: int
    source_id: str | None


class TopicParentRow(Row):
    """A topic below another."""

    id: int
    parent_id: int


# The newest are read, so that a robot's history stays bounded.
HISTORY: Statement[HistoryRow] = Statement(
    select(enrollments.c.course_id, enrollments.c.status, enrollments.c.enrolled_at)
    .where(enrollments.c.learner_id == bindparam("learner_id", type_=BigInteger))
    .order_by(enrollments.c.enrolled_at.desc(), enrollments.c.id.desc())
    .limit(literal_column(str(LONGEST))),
    HistoryRow,
)

_CHOSEN = (
    select(func.array_agg(learning_preference_topics.c.topic_id, type_=ARRAY(BigInteger)).label("ids"))
    .where(learning_preference_topics.c.learner_id == learning_preferences.c.learner_id)
    .scalar_subquery()
)

PREFERENCES: Statement[PreferencesRow] = Statement(
    select(
        learning_preferences.c.level,
        learning_preferences.c.goals,
        learning_preferences.c.languages,
        func.coalesce(_CHOSEN, literal_column("'{}'::bigint[]", ARRAY(BigInteger))).label("topic_ids"),
    ).where(learning_preferences.c.learner_id == bindparam("learner_id", type_=BigInteger)),
    PreferencesRow,
)

# The newest are read, so that a recommendation's reads stay bounded.
_DISMISSED = func.array(
    select(recommendation_dismissals.c.course_id)
    .where(recommendation_dismissals.c.learner_id == bindparam("learner_id", type_=BigInteger))
    .order_by(recommendation_dismissals.c.dismissed_at.desc(), recommendation_dismissals.c.course_id)
    .limit(literal_column(str(MOST_DISMISSED)))
    .scalar_subquery(),
    type_=ARRAY(BigInteger),
)

# Preferences and dismissals in one statement: both are wanted by every recommendation.
WISHES: Statement[WishesRow] = Statement(
    select(
        learning_preferences.c.level,
        learning_preferences.c.goals,
        learning_preferences.c.languages,
        func.coalesce(_CHOSEN, literal_column("'{}'::bigint[]", ARRAY(BigInteger))).label("topic_ids"),
        learning_preferences.c.learner_id.is_not(None).label("saved"),
        _DISMISSED.label("dismissed_ids"),
    ).select_from(
        select(bindparam("learner_id", type_=BigInteger).label("id"))
        .subquery("asked")
        .outerjoin(
            learning_preferences,
            learning_preferences.c.learner_id == bindparam("learner_id", type_=BigInteger),
        )
    ),
    WishesRow,
)

LEARNER: Statement[LearnerRow] = Statement(
    select(learners.c.id).where(learners.c.id == bindparam("id", type_=BigInteger)), LearnerRow
)

IMPORTED_LEARNERS: Statement[LearnerRow] = Statement(
    select(learners.c.id).where(learners.c.source_id == bindparam("source_id", type_=Text)).order_by(learners.c.id),
    LearnerRow,
)

LEARNER_SOURCES: Statement[SourceRow] = Statement(
    select(learners.c.id, learners.c.source_id).order_by(learners.c.id), SourceRow
)

COURSE_SOURCES: Statement[SourceRow] = Statement(
    select(courses.c.id, courses.c.source_id).order_by(courses.c.id), SourceRow
)

TOPIC_PARENTS: Statement[TopicParentRow] = Statement(
    select(topics.c.id, topics.c.parent_id).where(topics.c.parent_id.is_not(None)), TopicParentRow
)

RECENT_LEARNERS: Statement[LearnerRow] = Statement(
    select(enrollments.c.learner_id.label("id"))
    .group_by(enrollments.c.learner_id)
    .order_by(func.max(enrollments.c.enrolled_at).desc(), enrollments.c.learner_id)
    .limit(bindparam("number", type_=BigInteger)),
    LearnerRow,
)
