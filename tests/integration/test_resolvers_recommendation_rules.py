"""Staff's rules of recommendations, on a real database: who makes them, what is refused, and who heeds them when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from app.server import following_rules
from app.wiring import Platform
from core.clock import ManualClock
from core.errors import CommandError, InvalidArgumentError, UserErrorCode
from core.ids import encode_id
from core.settings import Recommendations, Settings
from database.notifications import listening
from database.session import Database
from database.tables.accounts import Role
from database.tables.audit import audit_log
from database.tables.courses import courses
from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface
from resolvers import recommendation_explanations as explanations, recommendation_rules as resolvers
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.recommendation_rules import (
    CreateRecommendationRule,
    DeleteRecommendationRule,
    RecommendationRule,
    UpdateRecommendationRule,
)
from resolvers.recommendations import recommended_courses
from serving.constraints import ObstacleKind
from serving.rankings import ReasonKind
from serving.recommender import Recommender
from serving.rulebook import Rulebook
from tests.small_catalog import UNPUBLISHED

PIN, BOOST, EXCLUSION = RecommendationRuleKind
COURSE_9 = encode_id("Course", 9)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a process without recommendations by model."""
    return Settings(data_dir=tmp_path, recommendations=Recommendations.OFF)


@pytest_asyncio.fixture
async def staff(learner: Context, clock: ManualClock) -> Context:
    """A request of a moderator, in a process that recommends without a model."""
    recommender = Recommender(None, 1.0)
    await recommender.rulebook.load(learner.database, clock())
    learner.identity = replace(caller(learner), roles=frozenset({Role.MODERATOR.value}))
    learner.services = replace(learner.services, recommender=recommender)
    return learner


async def create(context: Context, **rule: Any) -> str:
    """Make a rule and return its opaque id."""
    made = await resolvers.create_recommendation_rule(context, CreateRecommendationRule(RecommendationRule(**rule)))
    assert made.rule is not None
    return encode_id("RecommendationRule", made.rule.id)


async def shown(context: Context, first: int = 25) -> list[int]:
    """Return the courses that the caller is recommended."""
    context.recommendations = 0
    (answer,) = await recommended_courses(context, [None], first=first)
    return [row.id for row in answer.nodes]


async def test_rule_is_heeded_at_once_where_it_was_made(staff: Context) -> None:
    """Made, replaced and deleted; each on record, without the note."""
    key = await create(staff, kind=PIN, course_id=COURSE_9, note="A secret of our staff")
    assert 9 == (await shown(staff))[0]
    changed = RecommendationRule(kind=EXCLUSION, course_id=COURSE_9)
    await resolvers.update_recommendation_rule(staff, UpdateRecommendationRule(key, changed))
    assert 9 not in await shown(staff)
    await resolvers.delete_recommendation_rule(staff, DeleteRecommendationRule(key))
    assert 9 in (await shown(staff))[1:]
    async with staff.database.transaction() as connection:
        rows = (await connection.execute(select(audit_log).order_by(audit_log.c.id))).all()[1:]
    verbs = ("create", "update", "delete")
    assert [f"{verb}_recommendation_rule" for verb in verbs] == [row.action for row in rows]
    assert ["RecommendationRule"] * 3 == [row.subject_type for row in rows]
    assert ["PIN", "EXCLUSION", None] == [row.details.get("kind") for row in rows]
    assert "secret" not in str([row.details for row in rows])


async def test_rule_is_heeded_by_every_other_process(
    staff: Context, clock: ManualClock, settings: Settings, database_url: str
) -> None:
    """A server that follows is notified, of rules and of courses that are archived, without a restart."""
    other = Recommender(None, 1.0, rulebook=Rulebook())
    parts = Platform(settings, clock, settings.data_dir, database_url, staff.database, None)
    await other.rulebook.load(staff.database, clock())
    async with listening(database_url) as notifications, following_rules(parts, other, notifications):
        await create(staff, kind=EXCLUSION, course_id=COURSE_9)
        await until(lambda: bool(other.rulebook.current and other.rulebook.current.staff))
        async with staff.database.transaction() as connection:
            await connection.execute(update(courses).where(courses.c.id == 8).values(status="ARCHIVED"))
        await until(lambda: bool(other.rulebook.current and 8 not in other.rulebook.current.courses))


async def until(holds: Any) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - there is no event for it.
            await asyncio.sleep(0.02)


async def test_following_goes_on_after_an_outage(staff: Context, clock: ManualClock, settings: Settings) -> None:
    """A look that fails is logged, and the next one finds the rule."""
    rulebook = Rulebook()
    recommender = Recommender(None, 1.0, rulebook=rulebook)
    load = rulebook.load
    failures: list[Any] = []

    async def broken(database: Database, now: Any) -> None:
        if not failures:
            failures.append(now)
            raise ConnectionError
        await load(database, now)

    rulebook.load = broken  # type: ignore[method-assign]  # The outage of this test.
    parts = Platform(settings, clock, settings.data_dir, "", staff.database, None)
    notifications = staff.services.notifications
    async with following_rules(parts, recommender, notifications):
        notifications.wake("recommendation-rules")
        await until(lambda: bool(failures))
        notifications.wake("recommendation-rules")
        await until(lambda: rulebook.current is not None)


@pytest.mark.parametrize(
    ("rule", "code", "field"),
    [
        ({"kind": PIN}, UserErrorCode.REQUIRED, "courseId"),
        ({"kind": BOOST, "course_id": COURSE_9, "topic_id": encode_id("Topic", 1)}, UserErrorCode.REQUIRED, "courseId"),
        ({"kind": PIN, "topic_id": encode_id("Topic", 1)}, UserErrorCode.INVALID, "topicId"),
        ({"kind": BOOST, "course_id": COURSE_9, "place": 1}, UserErrorCode.INVALID, "place"),
        ({"kind": PIN, "course_id": COURSE_9, "weight": 1.0}, UserErrorCode.INVALID, "weight"),
        ({"kind": PIN, "course_id": COURSE_9, "place": 51}, UserErrorCode.INVALID, "place"),
        ({"kind": BOOST, "course_id": COURSE_9, "weight": float("nan")}, UserErrorCode.INVALID, "weight"),
        ({"kind": BOOST, "course_id": COURSE_9, "weight": 11.0}, UserErrorCode.INVALID, "weight"),
        ({"kind": EXCLUSION, "course_id": encode_id("Course", 999)}, UserErrorCode.NOT_FOUND, "courseId"),
        ({"kind": EXCLUSION, "course_id": encode_id("Topic", 1)}, UserErrorCode.NOT_FOUND, "courseId"),
        ({"kind": EXCLUSION, "topic_id": encode_id("Topic", 999)}, UserErrorCode.NOT_FOUND, "topicId"),
        (
            {"kind": EXCLUSION, "course_id": COURSE_9, "around_course_id": "x"},
            UserErrorCode.NOT_FOUND,
            "aroundCourseId",
        ),
        ({"kind": EXCLUSION, "course_id": COURSE_9, "around_topic_id": "x"}, UserErrorCode.NOT_FOUND, "aroundTopicId"),
        ({"kind": EXCLUSION, "course_id": COURSE_9, "note": "x" * 501}, UserErrorCode.TOO_LONG, "note"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    staff: Context, rule: dict[str, Any], code: UserErrorCode, field: str
) -> None:
    """The code and the path say what to change."""
    with pytest.raises(CommandError) as refused:
        await create(staff, **rule)
    assert (code, ("input", "rule", field)) == (refused.value.code, refused.value.field)


async def test_rule_ends_after_it_has_started(staff: Context, clock: ManualClock) -> None:
    """As given, as of now, and as it was before."""
    now = clock()
    with pytest.raises(CommandError, match="ends after"):
        await create(staff, kind=EXCLUSION, course_id=COURSE_9, ends_at=now)
    later = now + timedelta(days=2)
    key = await create(staff, kind=EXCLUSION, course_id=COURSE_9, starts_at=later)
    ended = RecommendationRule(kind=EXCLUSION, course_id=COURSE_9, ends_at=now + timedelta(days=1))
    with pytest.raises(CommandError, match="ends after"):
        await resolvers.update_recommendation_rule(staff, UpdateRecommendationRule(key, ended))


async def test_rule_that_is_not_there_is_not_found(staff: Context) -> None:
    """By an id of no rule, and by one that was deleted."""
    rule = RecommendationRule(kind=EXCLUSION, course_id=COURSE_9)
    for key in ("nonsense", encode_id("Course", 9), encode_id("RecommendationRule", 99)):
        with pytest.raises(CommandError, match="no such rule"):
            await resolvers.update_recommendation_rule(staff, UpdateRecommendationRule(key, rule))
        with pytest.raises(CommandError, match="no such rule"):
            await resolvers.delete_recommendation_rule(staff, DeleteRecommendationRule(key))


async def test_too_many_rules_are_refused(staff: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are over do not count."""
    monkeypatch.setattr(resolvers, "MOST_LIVE", 1)
    await create(staff, kind=EXCLUSION, course_id=COURSE_9)
    with pytest.raises(CommandError) as refused:
        await create(staff, kind=EXCLUSION, course_id=COURSE_9)
    assert UserErrorCode.TOO_MANY is refused.value.code


async def test_rules_are_listed_newest_first(staff: Context, clock: ManualClock) -> None:
    """By course and by whether they hold, counted and paged; with what they speak of."""
    for course in (9, 8, 9):
        await create(
            staff,
            kind=EXCLUSION,
            course_id=encode_id("Course", course),
            surface=RecommendationSurface.HOME,
            around_course_id=encode_id("Course", 1),
            around_topic_id=encode_id("Topic", 2),
        )
    await create(staff, kind=BOOST, topic_id=encode_id("Topic", 3), starts_at=clock() + timedelta(days=1))
    (page,) = await resolvers.recommendation_rules(staff, [None], first=2)
    assert [True, 2] == [page.page_info.has_next_page, len(page.nodes)]
    after = page.page_info.end_cursor
    (rest,) = await resolvers.recommendation_rules(staff, [None], first=2, after=after)
    rules = [*page.nodes, *rest.nodes]
    assert [None, 9, 8, 9] == [rule.course_id for rule in rules]
    assert [4] == await page.count.many(staff, [page.count.key])
    assert [False, True, True, True] == await resolvers.in_force(staff, rules)
    assert [None, 9, 8, 9] == [row and row.id for row in await resolvers.course(staff, rules)]
    assert [3, None, None, None] == [row and row.id for row in await resolvers.topic(staff, rules)]
    assert [None, 1, 1, 1] == [row and row.id for row in await resolvers.around_course(staff, rules)]
    assert [None, 2, 2, 2] == [row and row.id for row in await resolvers.around_topic(staff, rules)]
    (some,) = await resolvers.recommendation_rules(staff, [None], course_id=COURSE_9, in_force=True)
    assert [9, 9] == [rule.course_id for rule in some.nodes]
    assert [2] == await some.count.many(staff, [some.count.key])
    (others,) = await resolvers.recommendation_rules(staff, [None], in_force=False)
    assert [None] == [rule.course_id for rule in others.nodes]
    with pytest.raises(InvalidArgumentError, match="cursor"):
        await resolvers.recommendation_rules(staff, [None], first=2, after=after, in_force=True)
    with pytest.raises(InvalidArgumentError, match="courseId"):
        await resolvers.recommendation_rules(staff, [None], course_id="x")
    key = rules[0].id
    assert [rules[0], None] == await resolvers.by_ids(staff, [key, 99])
    staff.identity = replace(caller(staff), roles=frozenset())
    assert [None] == await resolvers.by_ids(staff, [key])


async def explained(context: Context, course: int, **arguments: Any) -> Any:
    """Return why the caller is, or is not, shown a course."""
    user = encode_id("User", caller(context).account_id)
    (answer,) = await explanations.recommendation_explanation(
        context, [None], user_id=user, course_id=encode_id("Course", course), **arguments
    )
    return answer


async def test_administrator_is_told_why_a_course_is_not_shown(staff: Context) -> None:
    """With the rule, or the place and the reasons when it is; and that somebody asked is on record."""
    key = await create(staff, kind=EXCLUSION, course_id=COURSE_9)
    excluded = await explained(staff, 9)
    assert (False, None, None, None) == (excluded.shown, excluded.rank, excluded.score, excluded.retrievers)
    (obstacle,) = excluded.obstacles
    assert (ObstacleKind.EXCLUDED, key) == (obstacle.kind, encode_id("RecommendationRule", obstacle.rule.id))
    listed = await shown(staff)
    found = await explained(staff, 20)
    assert (True, listed.index(20) + 1, ()) == (found.shown, found.rank, tuple(found.obstacles))
    assert [ReasonKind.POPULAR] == [reason.kind for reason in found.reasons]
    hidden = await explained(staff, UNPUBLISHED)
    assert [ObstacleKind.UNPUBLISHED] == [one.kind for one in hidden.obstacles]
    beside = await explained(
        staff, 20, surface=RecommendationSurface.COURSE_PAGE, around_course_id=encode_id("Course", 20)
    )
    assert [ObstacleKind.ON_THIS_PAGE] == [one.kind for one in beside.obstacles]
    assert await explained(staff, 999) is None
    with pytest.raises(InvalidArgumentError, match="aroundCourseId"):
        await explained(staff, 20, around_course_id="x")
    async with staff.database.transaction() as connection:
        asked = select(audit_log.c.details).where(audit_log.c.action == "explain_recommendation")
        assert [9, 20, UNPUBLISHED, 20] == [row.details["course_id"] for row in await connection.execute(asked)]
