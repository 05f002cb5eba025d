"""The rules that people need hold in every list, whatever has ranked it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise, product

import pytest
import pytest_asyncio
from sqlalchemy import insert, update

from core.clock import ManualClock
from database.session import Database
from database.tables.courses import course_neighbors, course_statistics, courses
from database.tables.recommendations import RecommendationSurface
from serving.arrangement import TOPIC_SHARE, TOPIC_SPREAD
from serving.constraints import ObstacleKind
from serving.exploration import Exploration
from serving.rankings import RankedList, Reason, ReasonKind, RecommendationRequest, Strategy
from serving.recommender import Recommender
from serving.rulebook import Rulebook
from tests.ruled_platform import (
    ARCHIVED,
    COMPLETED,
    COURSES,
    DRAFT,
    LANGUAGES,
    TOPICS,
    ShuffledModel,
    add_rule,
    prerequisites,
    write_platform,
)

NEEDS: dict[int, set[int]] = {}
for course, needed in prerequisites():
    NEEDS.setdefault(course, set()).add(needed)
FIRST_OF_SEQUENCES = frozenset(range(1, COURSES - 3)) - NEEDS.keys()
SURFACES = (None, *RecommendationSurface)


def before(course: int) -> set[int]:
    """Return all that a course builds upon."""
    return {each for needed in NEEDS.get(course, ()) for each in (needed, *before(needed))}


@dataclass
class Setting:
    """One platform, asked in one strategy."""

    database: Database
    clock: ManualClock
    rulebook: Rulebook
    diversity: float = 0.0

    async def ask(
        self,
        model: ShuffledModel | None,
        learner: int | None,
        surface: RecommendationSurface | None = None,
        around: int | None = None,
        *,
        limit: int = 100,
        allowed: frozenset[int] | None = None,
    ) -> RankedList:
        """Return a learner's list, which costs at most four statements."""
        recommender = Recommender(model, 10.0, rulebook=self.rulebook, diversity=self.diversity)
        request = RecommendationRequest(learner, self.clock(), limit, allowed, surface, around)
        async with self.database.reader() as reader:
            ranked = await recommender.recommend(reader, request)
            assert reader.statements <= 4
        return ranked

    async def listed(
        self, learner: int | None, surface: RecommendationSurface | None = None, around: int | None = None
    ) -> list[int]:
        """Return the courses of a list of the model."""
        return [one.course_id for one in (await self.ask(ShuffledModel(), learner, surface, around)).courses]

    async def rule(self, kind: str, **columns: object) -> int:
        """Make a rule that holds from now on, and read it."""
        key = await add_rule(self.database, kind, columns.pop("starts_at", self.clock()), **columns)  # type: ignore[arg-type]
        await self.rulebook.look(self.database, self.clock())
        return key


@pytest_asyncio.fixture
async def setting(database: Database, clock: ManualClock) -> Setting:
    """The platform with sequences, and its rules read."""
    await write_platform(database)
    rulebook = Rulebook()
    await rulebook.load(database, clock())
    return Setting(database, clock, rulebook)


def check(ranked: RankedList, learner: int | None, around: int | None = None) -> None:
    """Check all rules of a list against what the platform was made of."""
    listed = [course.course_id for course in ranked.courses]
    done = set() if learner is None else {COMPLETED[learner]}
    mastered = done | {each for course in done for each in before(course)}
    assert len(set(listed)) == len(listed)
    assert {DRAFT, ARCHIVED, around}.isdisjoint(listed)
    if learner is not None:
        assert {learner, 10 + learner, 20 + learner, 30 + learner, *mastered}.isdisjoint(listed)
    if learner in {2, 3, 4}:
        read = {"en", "pt-br"} if learner == 4 else {"en"}
        assert {LANGUAGES[course // 8 % 3] for course in listed} <= read
    for place, course in enumerate(listed):
        missing = NEEDS.get(course, set()) - mastered - {DRAFT, ARCHIVED}
        assert missing <= set(listed[:place]), f"{course} stands before {missing}"
    assert all(one.score >= other.score for one, other in pairwise(ranked.courses))
    for one in ranked.courses:
        for reason in one.reasons:
            assert is_true(reason, one.course_id, learner, listed), (one, reason)


async def test_new_course_is_shown_by_all_rules_and_its_exposure_says_so(setting: Setting, clock: ManualClock) -> None:
    """In every strategy, below the fourth place, once, and to nobody who may not be shown it."""
    fresh = (45, 46, 49, 53)
    async with setting.database.transaction() as connection:
        await connection.execute(update(courses).where(courses.c.id.in_(fresh)).values(published_at=clock()))
        few = update(course_statistics).where(course_statistics.c.course_id.in_(fresh))
        await connection.execute(few.values(enrollment_count=3))
    await setting.rulebook.load(setting.database, clock())
    assert set(fresh) == set(setting.rulebook.current.new if setting.rulebook.current else ())
    found = []
    for learner, model in product(range(1, 7), (ShuffledModel(), None)):
        recommender = Recommender(model, 10.0, rulebook=setting.rulebook, exploration=Exploration(1.0))
        async with setting.database.reader() as reader:
            ranked = await recommender.recommend(reader, RecommendationRequest(learner, clock(), 100))
        check(ranked, learner)
        new = [(n, one) for n, one in enumerate(ranked.courses, 1) if Reason(ReasonKind.NEW_COURSE) in one.reasons]
        assert len(new) <= 1
        found += [(n, one.course_id) for n, one in new]
    assert len(found) > 3
    assert all(n > 4 and key in {45, 49, 53} for n, key in found)


def is_true(reason: Reason, course: int, learner: int | None, listed: list[int]) -> bool:
    """Say whether a reason is so, by what the platform was made of."""
    kind = reason.kind
    if kind is ReasonKind.MATCHES_GOAL:
        return learner in {2, 4} and reason.topic_id == 2 == TOPICS[course % 3]
    if kind is ReasonKind.POPULAR:
        return course * 37 % 101 > 0
    if kind is ReasonKind.PREPARES_FOR:
        return reason.course_id in listed and course in before(reason.course_id or 0)
    if kind is ReasonKind.NEXT_IN_SEQUENCE:
        return learner is not None and (reason.course_id == COMPLETED[learner]) and COMPLETED[learner] in NEEDS[course]
    if kind is ReasonKind.NEW_COURSE:
        return course in {45, 46, 49, 53}
    # The model of this test says the newest course, which each learner takes.
    return kind is ReasonKind.STAFF_PICK or reason.course_id == learner


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("strategy", list(Strategy))
async def test_rules_hold_in_every_strategy_and_on_every_surface(
    setting: Setting, strategy: Strategy, surface: RecommendationSurface | None
) -> None:
    """Nothing taken, left, dismissed, unpublished, unreadable or below a completed course; prerequisites first."""
    model = ShuffledModel() if strategy is Strategy.MODEL else None
    asked = {Strategy.MODEL: (1, 2, 3, 4, 5, 6), Strategy.PREFERENCE: (2, 3, 4), Strategy.POPULARITY: (1, 5, 6, None)}
    for learner in asked[strategy]:
        for around in (None, 40):
            ranked = await setting.ask(model, learner, surface, around)
            assert strategy is ranked.strategy
            assert len(ranked.courses) >= 5
            check(ranked, learner, around)
            for limit in (1, 7):
                assert (
                    ranked.courses[:limit] == (await setting.ask(model, learner, surface, around, limit=limit)).courses
                )


async def test_varied_lists_keep_all_rules(setting: Setting) -> None:
    """In every strategy and on every surface, and short lists are still the beginning of long ones."""
    plain = await setting.ask(None, 4)
    setting.diversity = 0.5
    varied = await setting.ask(None, 4)
    assert plain.courses[:6] != varied.courses[:6]
    assert {one.course_id for one in plain.courses} == {one.course_id for one in varied.courses}
    models = ((ShuffledModel(), 1), (None, 4), (None, None))
    for (model, learner), surface, around in product(models, SURFACES, (None, 40)):
        ranked = await setting.ask(model, learner, surface, around)
        check(ranked, learner, around)
        for limit in (1, 7):
            few = await setting.ask(model, learner, surface, around, limit=limit)
            assert ranked.courses[:limit] == few.courses


async def test_rules_hold_with_a_filter(setting: Setting) -> None:
    """What a filter leaves out is no way around a prerequisite."""
    allowed = frozenset({6, 7, 8, 9, 13, 14})
    ranked = await setting.ask(None, None, allowed=allowed)
    assert {9, 13, 14} == {course.course_id for course in ranked.courses}
    check(ranked, None)


async def test_what_comes_before_says_for_what_it_prepares(setting: Setting) -> None:
    """A prerequisite that was moved up names the course that follows it, which does build upon it."""
    ranked = await setting.ask(None, None)
    listed = [course.course_id for course in ranked.courses]
    found = [
        (course.course_id, reason.course_id)
        for course in ranked.courses
        for reason in course.reasons
        if reason.kind is ReasonKind.PREPARES_FOR
    ]
    assert found
    for course, prepared in found:
        assert prepared is not None
        assert course in before(prepared)
        assert listed.index(course) < listed.index(prepared)


async def test_the_course_after_a_completed_one_leads_after_its_completion(setting: Setting) -> None:
    """Learner 1 completed 15; 16 builds upon it, and courses on its topic follow."""
    for around in (15, None):
        ranked = await setting.ask(ShuffledModel(), 1, RecommendationSurface.AFTER_COMPLETION, around)
        listed = [course.course_id for course in ranked.courses]
        assert 16 == listed[0]
        assert Reason(ReasonKind.NEXT_IN_SEQUENCE, course_id=15) == ranked.courses[0].reasons[0]
        # All topics have the same parent; the filter of sequences may bring a prerequisite between them.
        assert setting.rulebook.current is not None
        assert setting.rulebook.current.courses[listed[1]].topics & setting.rulebook.current.courses[15].topics


async def test_what_is_taken_together_leads_beside_a_course(setting: Setting) -> None:
    """The neighbors of the page's course come first, in the learner's own order, as far as they may be shown."""
    async with setting.database.transaction() as connection:
        row = {"course_id": 40, "neighbor_ids": [9, 29, 1, 21, 53]}
        await connection.execute(insert(course_neighbors), row)
    assert {9, 29, 53} != set((await setting.listed(1))[:3])
    assert {9, 29, 53} == set((await setting.listed(1, RecommendationSurface.COURSE_PAGE, 40))[:3])


async def test_topics_are_spread_at_home(setting: Setting) -> None:
    """At most three of ten in a row are on one main topic, as long as there are others."""
    await setting.rule("BOOST", topic_id=TOPICS[0], weight=10.0)

    async def topics(surface: RecommendationSurface | None) -> list[int]:
        ranked = await setting.ask(None, None, surface, allowed=FIRST_OF_SEQUENCES)
        return [TOPICS[course.course_id % 3] for course in ranked.courses]

    assert TOPIC_SHARE < (await topics(None))[:5].count(TOPICS[0])
    home = await topics(RecommendationSurface.HOME)
    assert TOPIC_SHARE == home[: TOPIC_SPREAD - 1].count(TOPICS[0])
    assert sorted(home) == sorted(await topics(None))


async def test_pinned_course_stands_in_its_place(setting: Setting) -> None:
    """For every learner who may be shown it, in every strategy, and only while the rule holds."""
    await setting.rule("PIN", course_id=58, place=2, ends_at=setting.clock() + timedelta(days=1))
    for model in (ShuffledModel(), None):
        for learner in (1, 5, None):
            ranked = await setting.ask(model, learner)
            assert 58 == ranked.courses[1].course_id
            assert Reason(ReasonKind.STAFF_PICK) == ranked.courses[1].reasons[0]
            check(ranked, learner)
    # Learner 3 reads English, and course 58 is in another language.
    assert 58 not in await setting.listed(3)
    setting.clock.now += timedelta(days=1)
    assert 58 != (await setting.listed(1))[1]


async def test_rule_begins_when_it_says(setting: Setting) -> None:
    """Nobody has to do anything at that moment."""
    await setting.rule("EXCLUSION", course_id=9, starts_at=setting.clock() + timedelta(hours=1))
    assert 9 in await setting.listed(1)
    setting.clock.now += timedelta(hours=1)
    assert 9 not in await setting.listed(1)


async def test_boost_moves_a_course_up_and_down(setting: Setting) -> None:
    """The rank is divided by the weight."""

    async def listed() -> list[int]:
        ranked = await setting.ask(None, None, allowed=FIRST_OF_SEQUENCES)
        return [course.course_id for course in ranked.courses]

    plain = await listed()
    up, down = plain[9], plain[1]
    # Place 10 divided by 3 is between places 3 and 4, and place 2 divided by a quarter is place 8.
    await setting.rule("BOOST", course_id=up, weight=3.0)
    await setting.rule("BOOST", course_id=down, weight=0.25)
    expected = [key for key in plain if key not in {up, down}]
    expected.insert(2, up)
    expected.insert(7, down)
    assert expected == await listed()


async def test_exclusion_holds_on_its_surface_and_under_its_condition(setting: Setting) -> None:
    """A rule of one surface does not touch another; one around a topic concerns who chose it."""
    await setting.rule("EXCLUSION", course_id=9, surface="HOME")
    assert 9 not in await setting.listed(1, RecommendationSurface.HOME)
    assert 9 in await setting.listed(1)
    await setting.rule("EXCLUSION", course_id=53, around_course_id=40)
    assert 53 not in await setting.listed(1, RecommendationSurface.COURSE_PAGE, 40)
    assert 53 in await setting.listed(1, RecommendationSurface.COURSE_PAGE, 41)
    await setting.rule("EXCLUSION", course_id=5, around_topic_id=2)
    assert 5 not in await setting.listed(2)
    assert 5 in await setting.listed(3)


async def test_excluded_topic_takes_its_courses_and_what_builds_upon_them(setting: Setting) -> None:
    """Also those of topics below; and what needs an excluded course first cannot be shown."""
    await setting.rule("EXCLUSION", topic_id=3)
    for model in (ShuffledModel(), None):
        ranked = await setting.ask(model, 1)
        listed = {course.course_id for course in ranked.courses}
        assert listed
        assert not {course for course in listed if TOPICS[course % 3] == 3}
        check(ranked, 1)
    await setting.rule("EXCLUSION", topic_id=1)
    assert [] == await setting.listed(1)


async def test_exclusion_is_stronger_than_a_pin(setting: Setting) -> None:
    """Two rules that contradict each other show the course to nobody."""
    await setting.rule("PIN", course_id=9, place=1)
    await setting.rule("EXCLUSION", course_id=9)
    assert 9 not in await setting.listed(1)


async def test_archived_course_is_gone_when_the_rules_are_read(setting: Setting) -> None:
    """Whatever the model's features say of it."""
    assert 9 in await setting.listed(1)
    async with setting.database.transaction() as connection:
        await connection.execute(update(courses).where(courses.c.id == 9).values(status="ARCHIVED"))
    await setting.rulebook.load(setting.database, setting.clock())
    assert 9 not in await setting.listed(1)


async def test_each_missing_course_has_its_obstacle(setting: Setting) -> None:
    """Every course is in the list, or what keeps it out is told, for every learner."""
    rule = await setting.rule("EXCLUSION", course_id=9)
    recommender = Recommender(ShuffledModel(), 10.0, rulebook=setting.rulebook)
    for learner in (1, 2):
        listed = await setting.listed(learner)
        request = RecommendationRequest(learner, setting.clock(), 0)
        kinds: dict[int, list[ObstacleKind]] = {}
        async with setting.database.reader() as reader:
            for course in range(1, COURSES + 1):
                found = await recommender.explain(reader, request, course)
                kinds[course] = [one.kind for one in found.obstacles]
                assert (course in listed) is (found.rank is not None)
                assert (found.rank is None) is bool(found.obstacles)
                if found.rank is not None:
                    assert course == listed[found.rank - 1]
                    assert ("chance",) == found.retrievers
                assert [rule] * (course == 9) == [one.rule_id for one in found.obstacles if one.rule_id is not None]
        assert ObstacleKind.TAKEN in kinds[learner]
        assert ObstacleKind.TAKEN in kinds[COMPLETED[learner]]
        assert ObstacleKind.LEFT in kinds[10 + learner]
        assert ObstacleKind.DISMISSED in kinds[20 + learner]
        assert ObstacleKind.BELOW_COMPLETED in kinds[COMPLETED[learner] - 1]
        assert ObstacleKind.EXCLUDED in kinds[9]
        assert [ObstacleKind.UNPUBLISHED] == kinds[DRAFT][:1]
        assert [ObstacleKind.PREREQUISITE] == kinds[learner + 1 if learner == 1 else 3]
        assert (learner == 2) is (ObstacleKind.LANGUAGE in kinds[41])
