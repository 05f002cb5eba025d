"""Learning preferences on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.clock import ManualClock
from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.ids import encode_id
from database.tables.courses import CourseLevel
from database.tables.events import events
from database.tables.preferences import LearningGoal
from resolvers import accounts, preferences
from resolvers.context import Context
from resolvers.preferences import SaveLearningPreferences
from tests.small_accounts import trail

TOPICS = tuple(encode_id("Topic", key) for key in (3, 1))
FULL = SaveLearningPreferences(
    topic_ids=(*TOPICS, TOPICS[0]),
    goals=(LearningGoal.CURIOSITY, LearningGoal.TEACH_OTHERS, LearningGoal.CURIOSITY),
    level=CourseLevel.BEGINNER,
    weekly_minutes=90,
    languages=("es", "pt-BR", "ES"),
)


async def test_preferences_are_saved_with_their_event(learner: Context, clock: ManualClock) -> None:
    """Lists keep their order and lose repetitions; the event tells the lake the same, in ids."""
    row = (await preferences.save_learning_preferences(learner, FULL)).learning_preferences
    assert row is not None
    assert (["CURIOSITY", "TEACH_OTHERS"], "BEGINNER", 90, ["es", "pt-br"], clock()) == (
        row.goals,
        row.level,
        row.weekly_minutes,
        row.languages,
        row.saved_at,
    )
    (topics,) = await preferences.topics(learner, [row])
    assert [3, 1] == [topic.id for topic in topics]
    async with learner.database.transaction() as connection:
        (event,) = (await connection.execute(select(events))).all()
    assert learner.identity is not None
    assert ("preferences_saved", learner.identity.learner_id) == (event.kind, event.learner_id)
    assert {
        "topic_ids": [3, 1],
        "goals": ["CURIOSITY", "TEACH_OTHERS"],
        "level": "BEGINNER",
        "weekly_minutes": 90,
        "languages": ["es", "pt-br"],
    } == event.payload
    assert ("save_learning_preferences", "done", "Learner", learner.identity.account_id) == (
        await trail(learner.database)
    )[-1]


async def test_saving_again_replaces_everything(learner: Context, clock: ManualClock) -> None:
    """What is left out is forgotten."""
    await preferences.save_learning_preferences(learner, FULL)
    clock.now += timedelta(days=1)
    saved = await preferences.save_learning_preferences(learner, SaveLearningPreferences(topic_ids=()))
    row = saved.learning_preferences
    assert row is not None
    assert ([], "ALL_LEVELS", None, [], clock()) == (
        row.goals,
        row.level,
        row.weekly_minutes,
        row.languages,
        row.saved_at,
    )
    assert [[]] == await preferences.topics(learner, [row])


async def test_viewer_has_none_until_onboarding(learner: Context) -> None:
    """Null before they are saved, and what was saved after."""
    (viewer,) = await accounts.viewer(learner, [None])
    assert viewer is not None
    assert [None] == await preferences.learning_preferences(learner, [viewer])
    saved = await preferences.save_learning_preferences(learner, FULL)
    assert [saved.learning_preferences] * 2 == await preferences.learning_preferences(learner, [viewer, viewer])


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (SaveLearningPreferences((encode_id("Topic", 99),)), UserErrorCode.NOT_FOUND, "topicIds"),
        (SaveLearningPreferences((encode_id("Course", 1),)), UserErrorCode.NOT_FOUND, "topicIds"),
        (SaveLearningPreferences(("nonsense",)), UserErrorCode.NOT_FOUND, "topicIds"),
        (SaveLearningPreferences(TOPICS[:1] * 21), UserErrorCode.TOO_MANY, "topicIds"),
        (SaveLearningPreferences((), goals=[LearningGoal.CURIOSITY] * 7), UserErrorCode.TOO_MANY, "goals"),
        (SaveLearningPreferences((), languages=["en"] * 11), UserErrorCode.TOO_MANY, "languages"),
        (SaveLearningPreferences((), languages=["english"]), UserErrorCode.INVALID, "languages"),
        (SaveLearningPreferences((), languages=["en\0"]), UserErrorCode.INVALID, "languages"),
        (SaveLearningPreferences((), weekly_minutes=0), UserErrorCode.INVALID, "weeklyMinutes"),
        (SaveLearningPreferences((), weekly_minutes=10_081), UserErrorCode.INVALID, "weeklyMinutes"),
    ],
)
async def test_wrong_preferences_are_refused(
    learner: Context, given: SaveLearningPreferences, code: UserErrorCode, field: str
) -> None:
    """Each refusal names its field, and what was saved before stays."""
    before = (await preferences.save_learning_preferences(learner, FULL)).learning_preferences
    with pytest.raises(CommandError) as refused:
        await preferences.save_learning_preferences(learner, given)
    assert (code, ("input", field)) == (refused.value.code, refused.value.field)
    (viewer,) = await accounts.viewer(learner, [None])
    assert viewer is not None
    assert [before] == await preferences.learning_preferences(learner, [viewer])


async def test_stranger_has_no_preferences(stranger: Context) -> None:
    """Even if a policy were forgotten, the command asks who is there."""
    with pytest.raises(UnauthenticatedError):
        await preferences.save_learning_preferences(stranger, FULL)
