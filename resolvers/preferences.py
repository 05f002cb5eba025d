"""Learning preferences: what a learner wants, as they told us at onboarding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.queries import events as event_queries, preferences as queries
from database.queries.preferences import LearningPreferencesRow, PreferredTopicRow
from database.tables.courses import CourseLevel
from database.tables.events import EventKind
from database.tables.preferences import LearningGoal
from resolvers.accounts import Viewer
from resolvers.batches import grouped
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from security.audit import Subject

_MOST_TOPICS = 20
_MOST_LANGUAGES = 10
_MOST_MINUTES = 7 * 24 * 60
# The shape of BCP 47 tags: a language, then any subtags. Whether a tag is registered is not asked.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,4}")


@dataclass(frozen=True, slots=True)
class SaveLearningPreferences:
    """Preferences as a client sends them: all of them at once.

    Attributes:
        topic_ids: opaque ids, most wanted first; repetitions count once.
        goals: why they learn.
        level: how much they know already.
        weekly_minutes: how long they learn each week; None when they did not say.
        languages: BCP 47 tags, most wanted first.
    """

    topic_ids: Sequence[str]
    goals: Sequence[LearningGoal] = ()
    level: CourseLevel = CourseLevel.ALL_LEVELS
    weekly_minutes: int | None = None
    languages: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class SaveLearningPreferencesPayload(Payload):
    """The answer of `save_learning_preferences`."""

    learning_preferences: LearningPreferencesRow | None = None


@dataclass(frozen=True, slots=True)
class _Checked:
    topic_ids: list[int]
    goals: list[str]
    level: str
    weekly_minutes: int | None
    languages: list[str]


async def save_learning_preferences(
    context: Context,
    input: SaveLearningPreferences,  # noqa: A002 - the contract's name.
) -> SaveLearningPreferencesPayload:
    """Write the caller's preferences over those saved before.

    Raises:
        CommandError: NOT_FOUND for a topic that does not exist, TOO_MANY or INVALID.
    """
    identity = caller(context)
    checked = _checked(input)
    async with transact(context, "save_learning_preferences", Subject("Learner", identity.learner_id)) as act:
        if len(await queries.existing_topics(act.connection, checked.topic_ids)) < len(checked.topic_ids):
            raise _unknown_topic()
        await _save(act, identity.learner_id, checked)
    rows = await context.reader.fetch(queries.BY_LEARNERS, learner_ids=[identity.learner_id])
    return SaveLearningPreferencesPayload(learning_preferences=rows[0])


async def learning_preferences(context: Context, viewers: Sequence[Viewer]) -> list[LearningPreferencesRow | None]:
    """Return the preferences of each viewer; None until onboarding is done."""
    keys = list({viewer.learner_id for viewer in viewers})
    rows = {row.learner_id: row for row in await context.reader.fetch(queries.BY_LEARNERS, learner_ids=keys)}
    return [rows.get(viewer.learner_id) for viewer in viewers]


async def topics(context: Context, preferences: Sequence[LearningPreferencesRow]) -> list[list[PreferredTopicRow]]:
    """Return the topics of each learner's preferences, most wanted first."""
    keys = [row.learner_id for row in preferences]
    rows = await context.reader.fetch(queries.TOPICS_OF_LEARNERS, learner_ids=list(set(keys)))
    return grouped(rows, "learner_id", keys)


async def _save(act: Act, learner_id: int, checked: _Checked) -> None:
    told = {
        "goals": checked.goals,
        "level": checked.level,
        "weekly_minutes": checked.weekly_minutes,
        "languages": checked.languages,
    }
    await queries.save(act.connection, {"learner_id": learner_id, **told, "saved_at": act.now})
    await queries.replace_topics(act.connection, learner_id, checked.topic_ids)
    await event_queries.insert(
        act.connection,
        EventKind.PREFERENCES_SAVED,
        learner_id=learner_id,
        occurred_at=act.now,
        recorded_at=act.now,
        payload={"topic_ids": checked.topic_ids, **told},
    )
    act.details["topics"] = len(checked.topic_ids)


def _checked(given: SaveLearningPreferences) -> _Checked:
    languages = list(dict.fromkeys(tag.lower() for tag in given.languages))
    _refuse_more(given.topic_ids, _MOST_TOPICS, "topicIds")
    _refuse_more(given.goals, len(LearningGoal), "goals")
    _refuse_more(given.languages, _MOST_LANGUAGES, "languages")
    if not all(_LANGUAGE.fullmatch(tag) for tag in languages):
        raise _invalid("A language is a BCP 47 tag, such as `en` or `pt-BR`.", "languages")
    if given.weekly_minutes is not None and not 1 <= given.weekly_minutes <= _MOST_MINUTES:
        raise _invalid(f"A week has 1 to {_MOST_MINUTES} minutes.", "weeklyMinutes")
    topic_ids: list[int] = []
    for text in dict.fromkeys(given.topic_ids):
        key = decode_key(text, "Topic")
        if key is None:
            raise _unknown_topic()
        topic_ids.append(key)
    return _Checked(
        topic_ids=topic_ids,
        goals=list(dict.fromkeys(goal.value for goal in given.goals)),
        level=given.level.value,
        weekly_minutes=given.weekly_minutes,
        languages=languages,
    )


def _refuse_more(values: Sequence[object], most: int, name: str) -> None:
    if len(values) > most:
        raise CommandError(UserErrorCode.TOO_MANY, f"`{name}` may hold at most {most} values.", ("input", name))


def _invalid(message: str, name: str) -> CommandError:
    return CommandError(UserErrorCode.INVALID, message, ("input", name))


def _unknown_topic() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "One of the topics does not exist.", ("input", "topicIds"))
