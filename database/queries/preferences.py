"""Statements about learning preferences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.topics import TopicRow
from database.rows import Row
from database.statements import Statement
from database.tables.preferences import learning_preference_topics, learning_preferences
from database.tables.topics import topics


class LearningPreferencesRow(Row):
    """What a learner told us at onboarding."""

    learner_id: int
    goals: list[str]
    level: str
    weekly_minutes: int | None
    languages: list[str]
    saved_at: datetime


class PreferredTopicRow(TopicRow):
    """A topic that the learner `learner_id` chose."""

    learner_id: int


_LEARNER_IDS = any_(bindparam("learner_ids", type_=ARRAY(BigInteger)))

BY_LEARNERS = Statement(
    select(
        learning_preferences.c.learner_id,
        learning_preferences.c.goals,
        learning_preferences.c.level,
        learning_preferences.c.weekly_minutes,
        learning_preferences.c.languages,
        learning_preferences.c.saved_at,
    ).where(learning_preferences.c.learner_id == _LEARNER_IDS),
    LearningPreferencesRow,
)

TOPICS_OF_LEARNERS = Statement(
    select(
        learning_preference_topics.c.learner_id,
        topics.c.id,
        topics.c.slug,
        topics.c.name,
        topics.c.labels,
        topics.c.parent_id,
    )
    .join_from(learning_preference_topics, topics)
    .where(learning_preference_topics.c.learner_id == _LEARNER_IDS)
    .order_by(learning_preference_topics.c.learner_id, learning_preference_topics.c.position, topics.c.id),
    PreferredTopicRow,
)


async def save(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Write the preferences of the learner `values["learner_id"]`, over those saved before."""
    statement = insert_or(learning_preferences).values(values)
    replaced = {name: statement.excluded[name] for name in values if name != "learner_id"}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[learning_preferences.c.learner_id], set_=replaced)
    )


async def replace_topics(connection: AsyncConnection, learner_id: int, topic_ids: Sequence[int]) -> None:
    """Make `topic_ids`, in this order, the topics of a learner's saved preferences."""
    await connection.execute(
        delete(learning_preference_topics).where(learning_preference_topics.c.learner_id == learner_id)
    )
    if topic_ids:
        await connection.execute(
            insert(learning_preference_topics),
            [
                {"learner_id": learner_id, "topic_id": topic_id, "position": position}
                for position, topic_id in enumerate(topic_ids)
            ],
        )


async def existing_topics(connection: AsyncConnection, topic_ids: Sequence[int]) -> set[int]:
    """Return those of `topic_ids` that exist, locked against removal."""
    statement = select(topics.c.id).where(topics.c.id.in_(topic_ids)).with_for_update(read=True, key_share=True)
    return set((await connection.execute(statement)).scalars())
