"""The engine: follows releases and features without a restart, and refuses what does not fit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import update

from app.releases import promote
from core.clock import ManualClock
from core.errors import InvalidArgumentError, UnavailableError
from core.settings import RankingSettings
from database.queries import releases
from database.queries.history import HISTORY
from database.session import Database, Reader
from database.tables.courses import courses as course_table
from features.similarity import membership
from resolvers.context import Context, Services
from resolvers.pages import encode_cursor
from resolvers.recommendations import LAST_RANK, MOST_LISTS, RecommendedCourses, recommended_courses
from security.policies import Identity
from serving import candidates, loaded
from serving.artifact import RANKER, write_release
from serving.breaker import BusyError, Patience
from serving.engine import MOST_ASKING, RankingEngine
from serving.ranker import rank
from serving.recommender import RankedList, RecommendationRequest, Recommender, Strategy
from serving.releases import ReleaseHolder
from tests.simulated_history import PARENTS, simulated_courses
from tests.simulated_ranking import IDS, NOW, Matrix, matrix, release, trained
from tests.small_platform import add_course, add_learner, add_preferences, add_topics

SETTINGS = RankingSettings(refresh_interval=0.01, stale_after=86_400.0)
METRICS = {"protocol": "time-split", "learners": 9, "data_fingerprint": "f"}


@dataclass
class Matrices:
    """Holds what a test puts in."""

    current: Matrix | None
    lost: Mapping[str, str] = field(default_factory=dict)

    async def refresh_if_newer(self) -> None:
        """Leave it as it is."""


@dataclass
class Stored:
    """Learner features of one learner, or an outage."""

    failure: Exception | None = None
    hangs: bool = False
    count: float = 2.0

    async def read(self, learner_id: int) -> Mapping[str, float]:
        """Return what a learner of two courses has."""
        if self.failure is not None:
            raise self.failure
        if self.hangs:
            await asyncio.Event().wait()
        return {"learner_enrollment_count": self.count, "another": float(learner_id)}


@dataclass
class Setting:
    """One installation."""

    database: Database
    models_dir: Path
    matrices: Matrices
    stored: Stored
    engine: RankingEngine
    clock: ManualClock
    released: threading.Event = field(default_factory=threading.Event)

    async def publish(self, version: str, ndcg: float) -> None:
        """Write a release, register it and make it live."""
        manifest = release().manifest.model_copy(update={"version": version})
        model = trained()
        self.models_dir.mkdir(exist_ok=True)
        digest = write_release(
            self.models_dir / version, manifest, model.ensemble, release().course_ids, model.similarities
        )
        rankers = {"model": {"ndcg": ndcg}, "popularity": {"ndcg": 0.1}}
        async with self.database.transaction() as connection:
            await releases.register(
                connection,
                {
                    "version": version,
                    "location": version,
                    "digest": digest,
                    "feature_service": "ranking_v1",
                    "metrics": {**METRICS, "rankers": rankers},
                    "training_rows": 1,
                    "created_at": self.clock(),
                },
            )
        await promote(self.database, self.models_dir, version, force=True, reason="A test.", now=self.clock())

    async def ask(self, **changes: object) -> RankedList:
        """Ask for the learner of two courses."""
        whole = {"learner_id": 1, "now": self.clock(), "limit": 5, **changes}
        async with self.database.reader() as reader:
            return await Recommender(self.engine, 10.0).recommend(reader, RecommendationRequest(**whole))  # type: ignore[arg-type]  # As given.


def hold_the_ranking(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the thread that ranks stand until the test releases it."""

    def held(*arguments: Any) -> Any:
        setting.released.wait()
        return rank(*arguments)

    monkeypatch.setattr(loaded, "rank", held)


def context(setting: Setting, reader: Reader) -> Context:
    """Return a request of the learner of two courses."""
    unused: Any = None
    return Context(
        reader=reader,
        database=setting.database,
        clock=setting.clock,
        identity=Identity(account_id=1, learner_id=1, roles=frozenset(), session_id=UUID(int=2)),
        request_id=UUID(int=1),
        services=Services(unused, unused, unused, Recommender(setting.engine, 10.0)),
    )


async def page(setting: Setting, first: int, after: str | None = None) -> RecommendedCourses:
    """Return a page of the learner's list, in a request of its own."""
    async with setting.database.reader() as reader:
        (answer,) = await recommended_courses(context(setting, reader), [None], first=first, after=after)
    assert Strategy.MODEL is answer.strategy
    return answer


async def walked(setting: Setting, first: int) -> list[int]:
    """Return the courses of all pages."""
    met: list[int] = []
    after: str | None = None
    while True:
        answer = await page(setting, first, after)
        met += [row.id for row in answer.nodes]
        if not answer.page_info.has_next_page:
            return met
        after = answer.page_info.end_cursor
        assert after is not None


@pytest_asyncio.fixture
async def setting(database: Database, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Setting]:
    """The simulated courses in the database, a learner of two of them, and no release."""
    await add_topics(database, {100: None, 101: None, **PARENTS})
    courses = simulated_courses()
    for course_id, topics in zip(courses["course_id"].tolist(), courses["topic_ids"].tolist(), strict=True):
        await add_course(database, course_id, on=topics)
    await add_learner(database, 1, taken=[40, 100], until=NOW - timedelta(days=1))
    matrices, stored = Matrices(matrix()), Stored()
    holder = ReleaseHolder(database, tmp_path / "models")
    engine = RankingEngine(database, holder, matrices, stored, SETTINGS)
    made = Setting(database, tmp_path / "models", matrices, stored, engine, clock)
    yield made
    made.released.set()
    engine.close()


async def test_a_release_that_goes_live_is_followed(setting: Setting) -> None:
    """No release: popularity. After the first, and after the next, its version answers."""
    await setting.engine.refresh()
    ranked = await setting.ask()
    assert (Strategy.POPULARITY, "unready: no model is loaded") == (ranked.strategy, ranked.fallback_cause)
    for version, ndcg in (("v1", 0.2), ("v2", 0.3)):
        await setting.publish(version, ndcg)
        await setting.engine.refresh()
        ranked = await setting.ask()
        assert (Strategy.MODEL, version) == (ranked.strategy, ranked.model_version)
        assert 5 == len(ranked.courses)
        assert version == setting.engine.version


async def test_a_course_just_taken_is_gone_from_the_next_answer(setting: Setting) -> None:
    """The history is read for each answer, whatever the features know."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    first = (await setting.ask()).courses[0].course_id
    await add_learner(setting.database, 2, taken=[40, 100, first], until=NOW - timedelta(minutes=1))
    assert first not in [course.course_id for course in (await setting.ask(learner_id=2)).courses]


async def test_chosen_topics_are_reasons_of_the_model_too(setting: Setting) -> None:
    """A course on a topic below a chosen one says that it matches."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    await add_preferences(setting.database, 1, on=[100, 101])
    reasons = [reason for course in (await setting.ask()).courses for reason in course.reasons]
    assert {100, 101} & {reason.topic_id for reason in reasons}


async def test_a_damaged_release_is_refused_and_the_old_one_stays(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    """A live release whose files do not have their digests is logged once and never answers."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    await setting.publish("v2", 0.3)
    (setting.models_dir / "v2" / RANKER).write_bytes(b"")
    await setting.engine.refresh()
    await setting.engine.refresh()
    assert "v1" == (await setting.ask()).model_version
    assert 1 == len([record for record in caplog.records if "refused" in record.message])


async def test_features_that_do_not_fit_are_refused_and_the_old_ones_stay(setting: Setting) -> None:
    """After a feature view lost a column, the release goes on with the matrix that it fits."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    setting.matrices.current = matrix(names=("course_first_enrolled_at", "renamed", "course_enrollments_30d"))
    await setting.engine.refresh()
    ranked = await setting.ask()
    assert (Strategy.MODEL, "v1") == (ranked.strategy, ranked.model_version)


async def test_stale_features_do_not_rank(setting: Setting) -> None:
    """Features older than the setting allows give way to popularity, which says why."""
    await setting.publish("v1", 0.2)
    setting.matrices.current = replace(matrix(), features_as_of=setting.clock() - timedelta(days=2))
    await setting.engine.refresh()
    ranked = await setting.ask()
    assert Strategy.POPULARITY is ranked.strategy
    assert "stale" in (ranked.fallback_cause or "")


async def test_without_learner_features_the_next_strategy_answers(setting: Setting) -> None:
    """The online store being away is told as the cause."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    setting.stored.failure = UnavailableError("The online store cannot be reached.")
    ranked = await setting.ask()
    assert "unavailable: The online store cannot be reached." == ranked.fallback_cause


async def test_whoever_asks_before_there_is_a_model_is_told(setting: Setting) -> None:
    """Asked directly, an engine without a model is unavailable."""
    request = RecommendationRequest(learner_id=1, now=setting.clock(), limit=1)
    with pytest.raises(UnavailableError, match="No model"):
        await setting.engine.rank(request, [], None, Patience())
    with pytest.raises(UnavailableError, match="No model"):
        setting.engine.explain(request, [], None, [10])
    with pytest.raises(UnavailableError, match="No model"):
        setting.engine.retrieved_by(request, [], None, 10)
    with pytest.raises(UnavailableError, match="No model"):
        await setting.engine.vectors(request, [], None, [10])


async def test_course_is_explained_and_logged_as_it_was_ranked(setting: Setting) -> None:
    """Where it stands, what found it, and the vectors of the release, without courses that have no features."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    request = RecommendationRequest(learner_id=1, now=setting.clock(), limit=5)
    async with setting.database.reader() as reader:
        recommender = Recommender(setting.engine, 10.0)
        best = (await recommender.recommend(reader, request)).courses[0]
        found = await recommender.explain(reader, request, best.course_id)
        assert (1, best, ()) == (found.rank, found.course, found.obstacles)
        assert found.retrievers
        history = await reader.fetch(HISTORY, learner_id=1)
    vectors = await setting.engine.vectors(request, history, None, [best.course_id, 99_999])
    assert ("v1", [best.course_id]) == (vectors.version, list(vectors.rows))
    assert len(vectors.names) == len(vectors.rows[best.course_id])


async def test_only_what_is_readable_is_ranked(setting: Setting) -> None:
    """What rules know of languages and of courses that were archived is heeded before candidates are chosen."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    some = frozenset(IDS[:20].tolist())
    for _ in range(2):
        ranked = await setting.ask(readable=some, hidden=frozenset({10}), limit=100)
        assert some - {10, 40, 100} == {course.course_id for course in ranked.courses}


async def test_watching_goes_on_after_a_failure(setting: Setting) -> None:
    """A look that fails is logged, and the next one finds the release."""
    broken = True

    async def refresh_if_newer() -> None:
        nonlocal broken
        if broken:
            broken = False
            raise ConnectionError

    setting.matrices.refresh_if_newer = refresh_if_newer  # type: ignore[method-assign]  # The outage of this test.
    await setting.publish("v1", 0.2)
    watching = asyncio.create_task(setting.engine.watch())
    async with asyncio.timeout(20):
        while setting.engine.version is None:  # noqa: ASYNC110 - the engine has no event for it.
            await asyncio.sleep(0.01)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert not broken


async def test_pages_joined_are_every_course_once(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far beyond the candidates, no page repeats or loses a course."""
    monkeypatch.setattr(candidates, "QUOTAS", dict.fromkeys(candidates.QUOTAS, 4))
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    whole = await walked(setting, 100)
    assert sorted(set(IDS.tolist()) - {40, 100}) == sorted(whole)
    for first in (7, 20):
        assert whole == await walked(setting, first)


async def test_a_page_of_archived_courses_is_not_the_last_one(setting: Setting) -> None:
    """Its edges are gone, and its cursor leads on to the next page."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    whole = await walked(setting, 20)
    async with setting.database.transaction() as connection:
        gone = update(course_table).where(course_table.c.id.in_(whole[:20])).values(status="ARCHIVED")
        await connection.execute(gone)
    empty = await page(setting, 20)
    assert [] == empty.nodes
    assert empty.page_info.has_next_page
    assert encode_cursor("recommendedCourses", (20,)) == empty.page_info.end_cursor
    assert whole[20:] == await walked(setting, 20)


@pytest.mark.parametrize("place", [-1, LAST_RANK + 1, 2**62])
async def test_a_cursor_of_no_place_is_refused(setting: Setting, place: int) -> None:
    """No list is so long, and none starts before its beginning."""
    cursor = encode_cursor("recommendedCourses", (place,))
    with pytest.raises(InvalidArgumentError, match="cursor"):
        await page(setting, 5, cursor)


async def test_one_request_may_ask_for_a_few_lists(setting: Setting) -> None:
    """One more is refused, and only in that request."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    async with setting.database.reader() as reader:
        request = context(setting, reader)
        for _ in range(MOST_LISTS):
            await recommended_courses(request, [None], first=1)
        with pytest.raises(InvalidArgumentError, match="at most 5"):
            await recommended_courses(request, [None], first=1)
    assert 1 == len((await page(setting, 1)).edges)


async def test_many_at_once_do_not_pause_the_model(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one ranking takes long, only that one counts as a failure: whoever stands in line is just too late."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    recommender = Recommender(setting.engine, 2.0)
    hold_the_ranking(setting, monkeypatch)

    async def ask() -> str | None:
        async with setting.database.reader() as reader:
            request = RecommendationRequest(learner_id=1, now=setting.clock(), limit=5)
            return (await recommender.recommend(reader, request)).fallback_cause

    causes = Counter(await asyncio.gather(*(ask() for _ in range(40))))
    assert {"deadline": 1, "busy": 39} == causes
    setting.released.set()
    async with asyncio.timeout(20):
        while (cause := await ask()) is not None:
            assert "paused" != cause


async def test_a_part_that_is_really_slow_pauses_the_model(setting: Setting) -> None:
    """An online store that hangs costs three requests the deadline, and the next ones nothing."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    setting.stored.hangs = True
    recommender = Recommender(setting.engine, 0.25)
    causes = []
    for _ in range(5):
        async with setting.database.reader() as reader:
            request = RecommendationRequest(learner_id=1, now=setting.clock(), limit=5)
            causes.append((await recommender.recommend(reader, request)).fallback_cause)
    assert ["deadline", "deadline", "deadline", "paused", "paused"] == causes


async def test_no_more_than_so_many_stand_in_line(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes to a full line is sent away at once, and everybody in it is answered."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    hold_the_ranking(setting, monkeypatch)
    async with setting.database.reader() as reader:
        history = await reader.fetch(HISTORY, learner_id=1)
    request = RecommendationRequest(learner_id=1, now=setting.clock(), limit=5)
    patience = [Patience() for _ in range(MOST_ASKING + 8)]
    asking = [asyncio.create_task(setting.engine.rank(request, history, None, each)) for each in patience]
    # The full line sends the others away before anybody is ranked.
    done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert all(isinstance(task.exception(), BusyError) for task in done)
    setting.released.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert 8 == len([answer for answer in answers if isinstance(answer, BusyError)])
    assert MOST_ASKING == len([answer for answer in answers if not isinstance(answer, BaseException)])
    assert patience[MOST_ASKING - 1].waited > 0


def shrunk(count: int) -> Matrix:
    """Return the matrix of the first courses alone."""
    whole, kept = matrix(), slice(0, count)
    return replace(
        whole,
        course_ids=IDS[kept],
        features=whole.features[kept],
        topics=whole.topics[kept],
        skills=whole.skills[kept],
        titles=whole.titles[kept],
        level_codes=whole.level_codes[kept],
        language_codes=whole.language_codes[kept],
        prerequisites=membership([[]] * count, np.arange(count)),
        published=whole.published[kept],
    )


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_catalog_of_next_to_nothing_is_answered(setting: Setting, count: int) -> None:
    """With no course, or with the learner's own as the only one, the list is empty, and never an error."""
    async with setting.database.transaction() as connection:
        gone = course_table.c.id.not_in(IDS[:count].tolist())
        await connection.execute(update(course_table).where(gone).values(status="ARCHIVED"))
    await add_learner(setting.database, 2, taken=[10], until=NOW - timedelta(days=1))
    setting.matrices.current = shrunk(count)
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    ranked = await setting.ask(learner_id=2)
    assert IDS[1:count].tolist() == [course.course_id for course in ranked.courses]
    assert (Strategy.MODEL if count else Strategy.POPULARITY) is ranked.strategy


async def test_learner_whom_the_store_has_never_seen_is_ranked(setting: Setting) -> None:
    """Missing values are what training saw of new learners; the history is read from PostgreSQL anyway."""
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    known = await setting.ask()
    setting.stored.count = float("nan")
    unseen = await setting.ask()
    assert (Strategy.MODEL, 5) == (unseen.strategy, len(unseen.courses))
    assert all(np.isfinite(course.score) for course in (*known.courses, *unseen.courses))


async def test_course_without_features_waits_for_them(setting: Setting) -> None:
    """It is in no list of the model, and in those of popularity; who has only such courses gets these."""
    await add_course(setting.database, 7, enrollment_count=99, on=[1])
    await add_learner(setting.database, 2, taken=[7], until=NOW - timedelta(days=1))
    await setting.publish("v1", 0.2)
    await setting.engine.refresh()
    listed = await setting.ask(limit=100)
    assert (Strategy.MODEL, False) == (listed.strategy, 7 in [course.course_id for course in listed.courses])
    stranger = await setting.ask(learner_id=None)
    assert (Strategy.POPULARITY, 7) == (stranger.strategy, stranger.courses[0].course_id)
    assert Strategy.POPULARITY is (await setting.ask(learner_id=2)).strategy
