"""Staff's rules of recommendations: pins, boosts and exclusions, from one moment to another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.errors import CommandError, InvalidArgumentError, UnavailableError, UserErrorCode
from core.ids import decode_key
from database.queries import courses as course_queries, recommendation_rules as queries, topics as topic_queries
from database.queries.courses import CourseRow
from database.queries.recommendation_rules import MOST_LIVE, RuleRow
from database.queries.topics import TopicRow
from database.tables.accounts import Role
from database.tables.recommendations import (
    HIGHEST_PLACE,
    LEAST_WEIGHT,
    MOST_WEIGHT,
    RecommendationRuleKind,
    RecommendationSurface,
)
from resolvers.batches import aligned
from resolvers.commands import Act, transact
from resolvers.context import Context
from resolvers.pages import Count, Page, page, window
from resolvers.payloads import Payload
from resolvers.texts import optional, within
from security.audit import Subject
from security.policies import has_role

_LOG = logging.getLogger(__name__)

LONGEST_NOTE = 500
_RULE = ("input", "rule")
_FIRST_PLACE, _PLAIN_WEIGHT = 1, 2.0


@dataclass(frozen=True, slots=True)
class RecommendationRule:
    """What staff wants; ids are opaque.

    Attributes:
        kind: pin, boost or exclusion.
        course_id: the course that it is about; either this or `topic_id`.
        topic_id: the topic whose courses it is about.
        surface: where it holds; None for everywhere.
        around_course_id: only for lists around this course.
        around_topic_id: only for learners who chose this topic, and lists around a course on it.
        place: of a pinned course.
        weight: of a boost.
        starts_at: since when it holds; None for now.
        ends_at: until when; None for ever.
        note: why, for other staff.
    """

    kind: RecommendationRuleKind
    course_id: str | None = None
    topic_id: str | None = None
    surface: RecommendationSurface | None = None
    around_course_id: str | None = None
    around_topic_id: str | None = None
    place: int | None = None
    weight: float | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CreateRecommendationRule:
    """A rule to make."""

    rule: RecommendationRule


@dataclass(frozen=True, slots=True)
class UpdateRecommendationRule:
    """A rule to replace by another, under the same id."""

    rule_id: str
    rule: RecommendationRule


@dataclass(frozen=True, slots=True)
class DeleteRecommendationRule:
    """A rule to delete."""

    rule_id: str


@dataclass(frozen=True, kw_only=True)
class RecommendationRulePayload(Payload):
    """The answer of the commands about rules."""

    rule: RuleRow | None = None


async def recommendation_rules(
    context: Context,
    roots: Sequence[None],
    *,
    course_id: str | None = None,
    in_force: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> list[Page[RuleRow]]:
    """Return a page of rules, newest first.

    Raises:
        InvalidArgumentError: the cursor is of another list, the page is too large, or the id is of no course.
    """
    scope = f"recommendationRules:{course_id or ''}:{in_force}"
    asked = window(scope=scope, kinds=(int,), first=first, after=after)
    wanted: dict[str, Any] = {"now": context.clock()}
    if course_id is not None:
        wanted["course_id"] = decode_key(course_id, "Course")
        if wanted["course_id"] is None:
            raise InvalidArgumentError("`courseId` is not the id of a course.")
    values = {**wanted, "limit": asked.limit + 1}
    if asked.after is not None:
        (values["after_id"],) = asked.after
    statement = queries.page(course=course_id is not None, in_force=in_force, after=asked.after is not None)
    rows = await context.reader.fetch(statement, **values)

    async def count(context: Context, keys: Sequence[None]) -> list[int]:
        counted = queries.count(course=course_id is not None, in_force=in_force)
        (row,) = await context.reader.fetch(counted, **wanted)
        return [row.count] * len(keys)

    answer = page(rows, asked, scope=scope, key=lambda row: (row.id,), count=Count(count, None))
    return [answer] * len(roots)


async def by_ids(context: Context, keys: Sequence[int]) -> list[RuleRow | None]:
    """Return the rule of each key to moderators, and None to everybody else."""
    if has_role(context.identity, Role.MODERATOR) is not None:
        return [None] * len(keys)
    return aligned(await context.reader.fetch(queries.BY_IDS, ids=list(keys)), keys)


async def in_force(context: Context, rules: Sequence[RuleRow]) -> list[bool]:
    """Say of each rule whether it holds at this moment."""
    now = context.clock()
    return [rule.starts_at <= now and (rule.ends_at is None or now < rule.ends_at) for rule in rules]


async def course(context: Context, rules: Sequence[RuleRow]) -> list[CourseRow | None]:
    """Return the course that each rule is about."""
    return await _courses(context, [rule.course_id for rule in rules])


async def around_course(context: Context, rules: Sequence[RuleRow]) -> list[CourseRow | None]:
    """Return the course of each rule's condition."""
    return await _courses(context, [rule.around_course_id for rule in rules])


async def topic(context: Context, rules: Sequence[RuleRow]) -> list[TopicRow | None]:
    """Return the topic that each rule is about."""
    return await _topics(context, [rule.topic_id for rule in rules])


async def around_topic(context: Context, rules: Sequence[RuleRow]) -> list[TopicRow | None]:
    """Return the topic of each rule's condition."""
    return await _topics(context, [rule.around_topic_id for rule in rules])


async def create_recommendation_rule(
    context: Context,
    input: CreateRecommendationRule,  # noqa: A002 - the contract's name.
) -> RecommendationRulePayload:
    """Make a rule.

    Raises:
        CommandError: REQUIRED, INVALID, TOO_LONG, NOT_FOUND, or TOO_MANY when too many rules are not over.
    """
    async with transact(context, "create_recommendation_rule", Subject("RecommendationRule")) as act:
        values = await _values(act, input.rule)
        if await queries.live_count(act.connection, act.now) >= MOST_LIVE:
            raise CommandError(
                UserErrorCode.TOO_MANY, f"{MOST_LIVE} rules are in force or yet to come; end some of them first."
            )
        key = await queries.create(act.connection, values, act.now)
        act.subject = Subject("RecommendationRule", key)
        _tell(act, values)
    return await _done(context, key)


async def update_recommendation_rule(
    context: Context,
    input: UpdateRecommendationRule,  # noqa: A002 - the contract's name.
) -> RecommendationRulePayload:
    """Replace a rule by another; errors as for making one, and NOT_FOUND."""
    key = _key(input.rule_id)
    async with transact(context, "update_recommendation_rule", Subject("RecommendationRule", key)) as act:
        before = await queries.lock(act.connection, key)
        if before is None:
            raise _not_found()
        values = await _values(act, input.rule)
        if input.rule.starts_at is None:
            values["starts_at"] = before.starts_at
            _check_dates(values)
        await queries.change(act.connection, key, values, act.now)
        _tell(act, values)
    return await _done(context, key)


async def delete_recommendation_rule(
    context: Context,
    input: DeleteRecommendationRule,  # noqa: A002 - the contract's name.
) -> RecommendationRulePayload:
    """Delete a rule; the audit trail keeps what was done with it.

    Raises:
        CommandError: NOT_FOUND.
    """
    key = _key(input.rule_id)
    async with transact(context, "delete_recommendation_rule", Subject("RecommendationRule", key)) as act:
        if not await queries.remove(act.connection, key):
            raise _not_found()
    await _look(context)
    return RecommendationRulePayload()


async def _values(act: Act, rule: RecommendationRule) -> dict[str, Any]:
    """Return the columns of a rule, checked."""
    if (rule.course_id is None) == (rule.topic_id is None):
        raise CommandError(UserErrorCode.REQUIRED, "Give either `courseId` or `topicId`.", (*_RULE, "courseId"))
    pins, boosts = rule.kind is RecommendationRuleKind.PIN, rule.kind is RecommendationRuleKind.BOOST
    if pins and rule.course_id is None:
        raise CommandError(UserErrorCode.INVALID, "Only a course can be pinned.", (*_RULE, "topicId"))
    if rule.place is not None and not pins:
        raise CommandError(UserErrorCode.INVALID, "Only a pin has a place.", (*_RULE, "place"))
    if rule.weight is not None and not boosts:
        raise CommandError(UserErrorCode.INVALID, "Only a boost has a weight.", (*_RULE, "weight"))
    within(rule.place, 1, HIGHEST_PLACE, (*_RULE, "place"))
    within(rule.weight, LEAST_WEIGHT, MOST_WEIGHT, (*_RULE, "weight"))
    values = {
        "kind": rule.kind.value,
        "course_id": await _course_key(act, rule.course_id, "courseId"),
        "topic_id": await _topic_key(act, rule.topic_id, "topicId"),
        "surface": None if rule.surface is None else rule.surface.value,
        "around_course_id": await _course_key(act, rule.around_course_id, "aroundCourseId"),
        "around_topic_id": await _topic_key(act, rule.around_topic_id, "aroundTopicId"),
        "place": (rule.place or _FIRST_PLACE) if pins else None,
        "weight": (rule.weight or _PLAIN_WEIGHT) if boosts else None,
        "starts_at": rule.starts_at or act.now,
        "ends_at": rule.ends_at,
        "note": optional(rule.note, LONGEST_NOTE, (*_RULE, "note")),
    }
    _check_dates(values)
    return values


def _check_dates(values: dict[str, Any]) -> None:
    if values["ends_at"] is not None and values["ends_at"] <= values["starts_at"]:
        raise CommandError(UserErrorCode.INVALID, "A rule ends after it has started.", (*_RULE, "endsAt"))


async def _course_key(act: Act, value: str | None, name: str) -> int | None:
    key = None if value is None else decode_key(value, "Course")
    if value is not None and (key is None or not await queries.exists_course(act.connection, key)):
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such course.", (*_RULE, name))
    return key


async def _topic_key(act: Act, value: str | None, name: str) -> int | None:
    key = None if value is None else decode_key(value, "Topic")
    if value is not None and (key is None or not await queries.exists_topic(act.connection, key)):
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such topic.", (*_RULE, name))
    return key


def _tell(act: Act, values: dict[str, Any]) -> None:
    """Put on record what the rule says; the note is free text, and stays out."""
    for name in ("kind", "course_id", "topic_id", "surface", "around_course_id", "around_topic_id", "place"):
        if values[name] is not None:
            act.details[name] = values[name]
    if values["weight"] is not None:
        act.details["weight"] = str(values["weight"])
    for name in ("starts_at", "ends_at"):
        if values[name] is not None:
            act.details[name] = values[name].strftime("%Y-%m-%dT%H:%M:%SZ")


async def _done(context: Context, key: int) -> RecommendationRulePayload:
    await _look(context)
    return RecommendationRulePayload(rule=await context.reader.fetch_first(queries.BY_IDS, ids=[key]))


async def _look(context: Context) -> None:
    """Heed the rules at once in this process; the others are notified."""
    try:
        await context.services.recommender.rulebook.look(context.database, context.clock())
    except UnavailableError as error:
        _LOG.warning("The rules of recommendations are read later: %s", error)


async def _courses(context: Context, keys: Sequence[int | None]) -> list[CourseRow | None]:
    wanted = sorted({key for key in keys if key is not None})
    rows = await context.reader.fetch(course_queries.BY_IDS, ids=wanted) if wanted else []
    found = {row.id: row for row in rows}
    return [None if key is None else found.get(key) for key in keys]


async def _topics(context: Context, keys: Sequence[int | None]) -> list[TopicRow | None]:
    wanted = sorted({key for key in keys if key is not None})
    rows = await context.reader.fetch(topic_queries.BY_IDS, ids=wanted) if wanted else []
    found = {row.id: row for row in rows}
    return [None if key is None else found.get(key) for key in keys]


def _key(rule_id: str) -> int:
    key = decode_key(rule_id, "RecommendationRule")
    if key is None:
        raise _not_found()
    return key


def _not_found() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such rule.", ("input", "ruleId"))
