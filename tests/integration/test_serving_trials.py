"""A candidate beside the live release: who is shown whose lists, and that its failures are nobody's but its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from core.clock import ManualClock
from core.errors import UnavailableError
from core.settings import Recommendations
from database.session import Database
from database.tables.events import events
from database.tables.models import TrialKind
from serving.breaker import Breaker, BusyError, DeclinedError
from serving.exposures import Exposures
from serving.lists import RankedLists
from serving.rankings import ListPage, RankedList, Reason, ReasonKind, RecommendationRequest, Strategy
from serving.recommender import Recommender
from serving.rollout import EVERYBODY, Rollout
from serving.rulebook import Rulebook
from serving.trials import Trial
from serving.valkey import valkey
from tests.ruled_platform import ShuffledModel, write_platform

HALF = 50.0
LEARNERS = range(1, 7)


class Candidate(ShuffledModel):
    """Another model, with reasons of its own."""

    def explain(self, *_: Any) -> list[tuple[Reason, ...]]:
        """Say that every course is popular."""
        return [(Reason(ReasonKind.POPULAR),) for _ in _[-1]]

    def retrieved_by(self, *_: Any) -> tuple[str, ...]:
        """Name what finds every course."""
        return ("candidates",)


@dataclass
class Setting:
    """One platform with a live release `v1` and a candidate `v2`, asked by one server after the other."""

    database: Database
    clock: ManualClock
    store: Any
    rulebook: Rulebook = field(default_factory=Rulebook)
    live: ShuffledModel = field(default_factory=ShuffledModel)
    candidate: Candidate = field(default_factory=lambda: Candidate(seed=2))
    trial: Trial | None = None
    breaker: Breaker = field(default_factory=Breaker)
    rollout: Rollout = EVERYBODY
    deadline: float = 10.0

    def try_it(self, kind: TrialKind = TrialKind.CANARY, percent: float = HALF, **changed: Any) -> Trial:
        """Try the candidate."""
        self.trial = replace(Trial(kind, "v2", percent, self.candidate), **changed)
        return self.trial

    def server(self, exposures: Exposures | None = None) -> Recommender:
        """Return a server."""
        return Recommender(
            self.live,
            self.deadline,
            self.breaker,
            rulebook=self.rulebook,
            rollout=self.rollout,
            lists=RankedLists(self.store, timedelta(minutes=30)),
            exposures=exposures,
            trial=lambda: self.trial,
        )

    async def ask(self, learner: int, server: Recommender | None = None) -> RankedList:
        """Return a learner's list."""
        async with self.database.reader() as reader:
            request = RecommendationRequest(learner, self.clock(), 10)
            return await (server or self.server()).recommend(reader, request)

    async def page(self, learner: int, start: int = 0, limit: int = 5, list_id: UUID | None = None) -> ListPage:
        """Return a page of a learner's list."""
        async with self.database.reader() as reader:
            request = RecommendationRequest(learner, self.clock(), limit)
            return await self.server().page(reader, request, start, list_id)

    def sides(self) -> tuple[int, int]:
        """Return somebody who is in the canary, and somebody who is not."""
        assert self.trial is not None
        inside = [learner for learner in LEARNERS if self.trial.takes(learner)]
        return inside[0], next(learner for learner in LEARNERS if learner not in inside)


@pytest_asyncio.fixture
async def setting(database: Database, clock: ManualClock, valkey_url: str) -> AsyncIterator[Setting]:
    """The platform with sequences, without a trial."""
    await write_platform(database)
    async with valkey(valkey_url, patience=5.0) as store:
        await store._client.flushdb()
        made = Setting(database, clock, store)
        await made.rulebook.load(database, clock())
        yield made


async def test_share_is_shown_the_candidates_lists_and_everybody_else_the_live_ones(setting: Setting) -> None:
    """With its version, and only the release that is shown is asked; the same learners each time."""
    trial = setting.try_it()
    for _ in range(2):
        for learner in LEARNERS:
            setting.candidate.asked = setting.live.asked = 0
            ranked = await setting.ask(learner)
            expected = "v2" if trial.takes(learner) else "v1"
            assert (Strategy.MODEL, expected, None) == (ranked.strategy, ranked.model_version, ranked.fallback_cause)
            assert trial.takes(learner) is bool(setting.candidate.asked) is not bool(setting.live.asked)
    assert {True, False} == {trial.takes(learner) for learner in LEARNERS}


async def test_what_is_told_of_a_list_is_told_by_the_release_that_ranked_it(setting: Setting) -> None:
    """Its reasons, what is or is not in it and why, and what is logged of it for training."""
    setting.try_it()
    exposures = Exposures(setting.database, 1.0)
    reasons = {"v1": ReasonKind.BECAUSE_YOU_TOOK, "v2": ReasonKind.POPULAR}
    for learner, version in zip(setting.sides(), ("v2", "v1"), strict=True):
        server = setting.server(exposures)
        async with setting.database.reader() as reader:
            request = RecommendationRequest(learner, setting.clock(), 5)
            page = await server.page(reader, request, 0)
            best = page.courses[0][1]
            found = await server.explain(reader, request, best.course_id)
        assert version == page.model_version == found.model_version
        assert {reasons[version]} == {course.reasons[-1].kind for _, course in page.courses}
        assert (1, best.reasons) == (found.rank, found.course.reasons if found.course else ())
        assert {"v1": ("chance",), "v2": ("candidates",)}[version] == found.retrievers
        await exposures.settled()
        async with setting.database.transaction() as connection:
            query = select(events.c.payload).where(events.c.recommendation_id == page.list_id)
            assert [version] * 5 == [row["model"] for row in (await connection.execute(query)).scalars()]


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (UnavailableError("no features"), 2),
        (ZeroDivisionError(), 2),
        (BusyError("too many"), 4),
        (DeclinedError("no history"), 4),
    ],
)
async def test_candidate_that_fails_gives_way_to_the_live_release_and_pauses_itself_alone(
    setting: Setting, failure: Exception, tries: int
) -> None:
    """Nobody sees an error or a worse strategy, the live release is not paused, and the candidate is tried again."""

    async def fail(*_: Any) -> Any:
        setting.candidate.asked += 1
        raise failure

    works, setting.candidate.rank = setting.candidate.rank, fail  # type: ignore[method-assign,assignment]  # The outage.
    setting.try_it(breaker=Breaker(2, timedelta(seconds=5)))
    setting.breaker = Breaker(1, timedelta(days=1))
    inside, outside = setting.sides()
    for _ in range(4):
        for learner in (inside, outside):
            ranked = await setting.ask(learner)
            assert (Strategy.MODEL, "v1", None) == (ranked.strategy, ranked.model_version, ranked.fallback_cause)
    assert tries == setting.candidate.asked
    setting.candidate.rank = works  # type: ignore[method-assign]
    setting.clock.now += timedelta(seconds=6)
    assert "v2" == (await setting.ask(inside)).model_version


async def test_candidate_that_hangs_leaves_the_live_release_its_time(setting: Setting) -> None:
    """Within the deadline of both, whoever is in the canary gets the live list; then it is paused."""
    never = asyncio.Event()

    async def hang(*_: Any) -> Any:
        setting.candidate.asked += 1
        await never.wait()

    works = setting.live.rank

    async def unhurried(*arguments: Any) -> Any:
        # Whoever has no time left does not come beyond this.
        await asyncio.sleep(0)
        return await works(*arguments)

    setting.candidate.rank = hang  # type: ignore[method-assign,assignment]  # The outage of this test.
    setting.live.rank = unhurried  # type: ignore[method-assign,assignment]
    setting.try_it(breaker=Breaker(2, timedelta(seconds=5)))
    setting.deadline = 0.5
    inside, _ = setting.sides()
    server = setting.server()
    assert ["v1"] * 4 == [(await setting.ask(inside, server)).model_version for _ in range(4)]
    assert 2 == setting.candidate.asked


@pytest.mark.parametrize("cause", ["not loaded", "stale"])
async def test_candidate_that_is_not_ready_is_not_asked(setting: Setting, cause: str) -> None:
    """The live lists are shown, and kept: the same page is the same list."""
    setting.try_it()
    inside, _ = setting.sides()
    if cause == "stale":
        setting.candidate.cause = "the features are stale"
    else:
        setting.try_it(model=None)
    pages = [await setting.page(inside) for _ in range(2)]
    assert ["v1", "v1"] == [page.model_version for page in pages]
    assert pages[0].list_id == pages[1].list_id
    assert 0 == setting.candidate.asked


async def test_when_both_fail_the_next_strategy_answers(setting: Setting) -> None:
    """As without a trial, with the cause of the live release."""

    async def fail(*_: Any) -> Any:
        raise UnavailableError("no store")

    setting.try_it(percent=100.0)
    setting.candidate.rank = setting.live.rank = fail  # type: ignore[method-assign,assignment]  # The outage of this test.
    ranked = await setting.ask(1)
    assert (Strategy.POPULARITY, "unavailable: no store") == (ranked.strategy, ranked.fallback_cause)


@pytest.mark.parametrize("phase", [Recommendations.SHADOW, Recommendations.PERCENT])
async def test_who_does_not_see_the_model_does_not_see_a_candidate(setting: Setting, phase: Recommendations) -> None:
    """A canary is a share of those who see the model's lists."""
    setting.try_it(percent=100.0)
    setting.rollout = Rollout(phase, HALF)
    for learner in LEARNERS:
        server = setting.server()
        sees = phase is Recommendations.PERCENT and setting.rollout.is_assigned(learner)
        assert ("v2" if sees else None) == (await setting.ask(learner, server)).model_version
        await server.close()


async def test_candidate_in_shadow_is_compared_and_never_shown(setting: Setting) -> None:
    """The share of the first ten that both have is measured by version, under the same rules."""
    setting.try_it(TrialKind.SHADOW, 100.0)
    server = setting.server()
    measured: list[tuple[float, Any]] = []

    def collect(share: float, attributes: Any) -> None:
        measured.append((share, attributes))

    server.beside._overlap.record = collect  # type: ignore[method-assign,assignment]  # What a collector gets.
    shown = await setting.ask(1, server)
    assert "v1" == shown.model_version
    await server.beside.settled()
    setting.try_it(percent=100.0)
    would = await setting.ask(1)
    assert "v2" == would.model_version
    both = {one.course_id for one in would.courses} & {one.course_id for one in shown.courses}
    assert [(len(both) / 10, {"of": "candidate", "version": "v2"})] == measured


async def test_shadow_is_skipped_while_somebody_waits_and_fails_alone(setting: Setting) -> None:
    """It is counted, one is compared at a time, and lists that no release ranked are not compared."""
    setting.try_it(TrialKind.SHADOW, is_idle=lambda: False)
    server = setting.server()
    outcomes: Counter[str] = Counter()

    def count(_: int, attributes: Any) -> None:
        outcomes[attributes["outcome"]] += 1

    server.beside._outcomes.add = count  # type: ignore[method-assign,assignment]  # What a collector gets.
    await setting.ask(1, server)
    await server.beside.settled()
    setting.try_it(TrialKind.SHADOW, model=None)
    await setting.ask(1, server)
    await server.beside.settled()
    never = asyncio.Event()

    async def hang(*_: Any) -> Any:
        await never.wait()

    setting.candidate.rank = hang  # type: ignore[method-assign,assignment]  # The outage of this test.
    setting.try_it(TrialKind.SHADOW)
    for _ in range(3):
        assert "v1" == (await setting.ask(1, server)).model_version
    setting.live.cause = "no model is loaded"
    assert Strategy.POPULARITY is (await setting.ask(1, server)).strategy
    assert {"busy": 3, "unavailable": 1} == outcomes
    await server.close()


async def test_learner_whose_release_changes_gets_a_new_list_at_the_next_first_page(setting: Setting) -> None:
    """Into the canary, out of it, and by a promotion; until then the same page is the same list."""
    setting.try_it()
    inside, outside = setting.sides()
    seen = []
    for change in (lambda: None, lambda: setting.try_it(percent=100.0), lambda: setting.try_it(percent=0.01)):
        change()
        pages = [await setting.page(outside) for _ in range(2)]
        assert pages[0].list_id == pages[1].list_id
        seen.append((pages[0].list_id, pages[0].model_version))
    assert ["v1", "v2", "v1"] == [version for _, version in seen]
    # Back under the live release, its list is still there.
    assert seen[0][0] == seen[2][0] != seen[1][0]
    setting.try_it()
    first = await setting.page(inside)
    setting.trial = None
    setting.live.swap(2)
    # Promoted, the release that ranked the list is the same, and so is the list.
    assert (first.list_id, "v2") == ((page := await setting.page(inside)).list_id, page.model_version)


async def test_list_goes_on_with_the_release_that_it_began_with(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While that one is in use, whoever is in the canary by now; and no course comes twice."""
    monkeypatch.setattr("serving.lists.PART", 5)
    setting.try_it()
    inside, outside = setting.sides()
    firsts = {learner: await setting.page(learner) for learner in (inside, outside)}
    assert ["v2", "v1"] == [page.model_version for page in firsts.values()]
    # The first request has made two parts, so that the third page is of a part that is made by now.
    for learner, first in firsts.items():
        setting.try_it(percent=0.01 if learner == inside else 100.0)
        pages = [first, *[await setting.page(learner, start, 5, first.list_id) for start in (5, 10)]]
        assert [(first.list_id, first.model_version)] * 3 == [(page.list_id, page.model_version) for page in pages]
        ids = [course.course_id for page in pages for _, course in page.courses]
        assert 15 == len(set(ids)) == len(ids)


async def test_page_holds_what_one_version_ranked(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the release that a list began with is gone, the page ends, and the next one tells the other version."""
    monkeypatch.setattr("serving.lists.PART", 4)
    setting.try_it(percent=100.0)
    first = await setting.page(1, limit=3)
    setting.trial = None
    second = await setting.page(1, first.end, 6, first.list_id)
    third = await setting.page(1, second.end, 6, first.list_id)
    assert [("v2", 0, 3), ("v2", 3, 4), ("v1", 4, 10)] == [
        (page.model_version, page.start, page.end) for page in (first, second, third)
    ]
    assert first.more
    assert second.more
    ids = [course.course_id for page in (first, second, third) for _, course in page.courses]
    assert 10 == len(set(ids)) == len(ids)


async def test_what_stood_in_for_the_candidate_is_not_taken_for_its_list(setting: Setting) -> None:
    """Once it ranks again, its own list is shown; and that is kept."""

    async def busy(*_: Any) -> Any:
        raise BusyError("too many")

    setting.try_it(percent=100.0)
    works, setting.candidate.rank = setting.candidate.rank, busy  # type: ignore[method-assign,assignment]  # The outage.
    first = await setting.page(1)
    setting.candidate.rank = works  # type: ignore[method-assign]
    pages = [await setting.page(1) for _ in range(2)]
    assert ["v1", "v2", "v2"] == [page.model_version for page in (first, *pages)]
    assert pages[0].list_id == pages[1].list_id != first.list_id
