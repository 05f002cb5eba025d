"""What a learner told us at onboarding."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ARRAY, CheckConstraint, Column, Integer, SmallInteger, Table, Text

from database.tables.base import metadata, moment, one_of, reference
from database.tables.courses import CourseLevel


class LearningGoal(StrEnum):
    """Why a learner is here."""

    CHANGE_CAREER = "CHANGE_CAREER"
    ADVANCE_CAREER = "ADVANCE_CAREER"
    PREPARE_FOR_EXAM = "PREPARE_FOR_EXAM"
    BUILD_A_PROJECT = "BUILD_A_PROJECT"
    TEACH_OTHERS = "TEACH_OTHERS"
    CURIOSITY = "CURIOSITY"


learning_preferences = Table(
    "learning_preferences",
    metadata,
    reference("learner_id", "learners.id", primary_key=True, autoincrement=False),
    Column("goals", ARRAY(Text), nullable=False),
    Column("level", Text, nullable=False),
    Column("weekly_minutes", Integer),
    Column("languages", ARRAY(Text), nullable=False, comment="BCP 47 tags, lower case, most wanted first"),
    moment("saved_at"),
    one_of("level", CourseLevel),
    CheckConstraint("weekly_minutes BETWEEN 1 AND 10080", name="weekly_minutes"),
)

learning_preference_topics = Table(
    "learning_preference_topics",
    metadata,
    reference("learner_id", "learning_preferences.learner_id", primary_key=True),
    reference("topic_id", "topics.id", primary_key=True, index=True),
    Column("position", SmallInteger, nullable=False, server_default="0"),
)
