"""The engine with a candidate: followed without a restart, in every process, and never at the live release's cost."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.releases import promote, roll_back
from app.server import Ranking
from app.trials import end_trial, try_release
from core.clock import ManualClock
from core.errors import UnavailableError
from core.settings import RankingSettings
from database.queries import releases as queries
from database.session import Database
from database.tables.models import TrialKind
from features.columns import StoredFeature
from serving import loaded, releases as releases_module
from serving.artifact import RANKER, load_release
from serving.breaker import Breaker, BusyError, Patience
from serving.engine import RankingEngine
from serving.ranker import rank
from serving.rankings import RankedList, RecommendationRequest, Strategy
from serving.recommender import Recommender
from serving.releases import ReleaseHolder
from tests.integration.test_serving_engine import Matrices
from tests.judged_releases import judgment, write
from tests.simulated_history import PARENTS, simulated_courses
from tests.simulated_ranking import NOW, matrix
from tests.small_platform import add_course, add_learner, add_topics

SETTINGS = RankingSettings(refresh_interval=0.01, stale_after=86_400.0)
CANARY, SHADOW = TrialKind.CANARY, TrialKind.SHADOW


@dataclass
class Stored:
    """Learner features, with a count of their reads."""

    reads: int = 0
    failure: Exception | None = None

    async def read(self, learner_id: int) -> Mapping[str, float]:
        """Return what a learner of two courses has."""
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return {"learner_enrollment_count": 2.0, "another": float(learner_id)}


@dataclass
class Setting:
    """One installation in which `v1` is live, with two processes that serve."""

    database: Database
    models_dir: Path
    clock: ManualClock
    matrices: Matrices = field(default_factory=lambda: Matrices(matrix()))
    stored: Stored = field(default_factory=Stored)
    released: threading.Event = field(default_factory=threading.Event)
    engines: list[RankingEngine] = field(default_factory=list)

    def engine(self) -> RankingEngine:
        """Start another process."""
        holder = ReleaseHolder(self.database, self.models_dir)
        self.engines.append(RankingEngine(self.database, holder, self.matrices, self.stored, SETTINGS))
        return self.engines[-1]

    async def look(self) -> None:
        """Let every process look once, which is what it does at each interval."""
        for engine in self.engines:
            await engine.refresh()

    async def attempt(self, version: str = "v2", kind: TrialKind = CANARY, percent: float | None = 100.0) -> None:
        """Try a release, and let it be followed."""
        share = percent if kind is CANARY else None
        await try_release(self.database, self.models_dir, version, kind=kind, percent=share, now=self.clock())
        await self.look()

    async def promote(self, version: str) -> None:
        """Make a release live."""
        self.clock.now += timedelta(minutes=1)
        await promote(self.database, self.models_dir, version, force=True, reason="A test.", now=self.clock())

    async def ask(self, server: Recommender | None = None, engine: RankingEngine | None = None) -> RankedList:
        """Ask for the learner of two courses."""
        asked = engine or self.engines[0]
        recommender = server or Recommender(asked, 10.0, trial=lambda: asked.trial)
        async with self.database.reader() as reader:
            return await recommender.recommend(reader, RecommendationRequest(1, self.clock(), 5))

    async def versions(self) -> set[str | None]:
        """Return the versions that the processes answer with."""
        return {(await self.ask(engine=engine)).model_version for engine in self.engines}


@pytest_asyncio.fixture
async def setting(database: Database, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Setting]:
    """The simulated courses, a learner of two of them, `v1` live, `v2` and `v3` candidates."""
    await add_topics(database, {100: None, 101: None, **PARENTS})
    courses = simulated_courses()
    for course_id, topics in zip(courses["course_id"].tolist(), courses["topic_ids"].tolist(), strict=True):
        await add_course(database, course_id, on=topics)
    await add_learner(database, 1, taken=[40, 100], until=NOW - timedelta(days=1))
    made = Setting(database, tmp_path / "models", clock)
    made.models_dir.mkdir()
    for version in ("v1", "v2", "v3"):
        await write(database, made.models_dir, clock, version, judgment([1] * 30))
    await made.promote("v1")
    made.engine()
    made.engine()
    await made.look()
    yield made
    made.released.set()
    for engine in made.engines:
        engine.close()


async def test_every_process_follows_a_trial_from_its_beginning_to_its_end(setting: Setting) -> None:
    """Shadow, canary, another share, and out, each within one look and without a restart."""
    assert {"v1"} == await setting.versions()
    assert [None, None] == [engine.trial for engine in setting.engines]
    seen: list[tuple[str, set[str | None]]] = []
    for kind, percent in ((SHADOW, None), (CANARY, 100.0), (CANARY, 0.01)):
        await setting.attempt(kind=kind, percent=percent)
        seen.append((str(setting.engines[1].trial), await setting.versions()))
    assert [("shadow", {"v1"}), ("canary 100%", {"v2"}), ("canary 0.01%", {"v1"})] == seen
    breakers = {id(engine.trial.breaker) for engine in setting.engines if engine.trial is not None}
    await setting.attempt()
    assert breakers == {id(engine.trial.breaker) for engine in setting.engines if engine.trial is not None}
    await end_trial(setting.database, reason=None, now=setting.clock())
    await setting.look()
    assert {"v1"} == await setting.versions()
    assert [None, None] == [engine.trial for engine in setting.engines]


async def test_promoted_canary_goes_on_ranking_without_being_read_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is shown the list of another release in between, whatever else can be read at that moment."""
    await setting.attempt()
    read: list[str] = []

    def counted(folder: Path, digest: str) -> Any:
        read.append(folder.name)
        return load_release(folder, digest)

    async def away() -> None:
        raise UnavailableError("The online store cannot be read.")

    monkeypatch.setattr(releases_module, "_load", counted)
    model = setting.engines[0].trial.model.ranking  # type: ignore[union-attr]  # As loaded.
    await setting.promote("v2")
    works, setting.matrices.refresh_if_newer = setting.matrices.refresh_if_newer, away  # type: ignore[method-assign]
    for engine in setting.engines:
        with pytest.raises(UnavailableError):
            await engine.refresh()
    setting.matrices.refresh_if_newer = works  # type: ignore[method-assign]
    await setting.look()
    assert {"v2"} == await setting.versions()
    assert ["v2", "v2"] == [engine.version for engine in setting.engines]
    assert [] == read
    assert model is setting.engines[0]._live.ranking  # type: ignore[union-attr]  # It is loaded.
    assert None is setting.engines[0].trial
    await roll_back(setting.database, setting.models_dir, expected="v2", reason=None, now=setting.clock())
    await setting.look()
    assert {"v1"} == await setting.versions()


async def test_trial_ends_also_while_features_cannot_be_read(setting: Setting) -> None:
    """By the end of the trial, by a promotion of another release, and by a rollback."""
    await setting.promote("v3")
    await setting.attempt()
    assert {"v2"} == await setting.versions()
    await roll_back(setting.database, setting.models_dir, expected="v3", reason=None, now=setting.clock())

    async def away() -> None:
        raise UnavailableError("The online store cannot be read.")

    setting.matrices.refresh_if_newer = away  # type: ignore[method-assign]  # The outage of this test.
    for engine in setting.engines:
        with pytest.raises(UnavailableError):
            await engine.refresh()
    # What is rolled back to is loaded with features; until then, the release that was live ranks.
    assert {"v3"} == await setting.versions()


@pytest.mark.parametrize("why", ["damaged", "encoding", "features"])
async def test_candidate_that_cannot_be_loaded_leaves_everybody_the_live_lists(
    setting: Setting, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    """Damaged, read in another way, or made for features that are gone: logged once, told, counted, and followed on."""
    if why == "encoding":
        for version, view in (("one", "popularity"), ("two", "elsewhere")):
            stored = (StoredFeature("course", view, "course_enrollments_30d"),)
            await write(
                setting.database, setting.models_dir, setting.clock, version, judgment([1]), stored_features=stored
            )
        await setting.promote("one")
        async with setting.database.transaction() as connection:
            await queries.try_release(connection, "two", CANARY, 100.0, setting.clock())
        tried, live = "two", "one"
    else:
        await try_release(setting.database, setting.models_dir, "v2", kind=CANARY, percent=100.0, now=setting.clock())
        tried, live = "v2", "v1"
    if why == "damaged":
        (setting.models_dir / "v2" / RANKER).write_bytes(b"")
    elif why == "features":
        await setting.look()
        assert {"v2"} == await setting.versions()
        setting.matrices.current = matrix(names=("course_first_enrolled_at", "renamed", "course_enrollments_30d"))
    caplog.clear()
    await setting.look()
    await setting.look()
    assert {live} == await setting.versions()
    refused = [record.getMessage() for record in caplog.records if f"Release {tried} is refused" in record.getMessage()]
    assert len(setting.engines) == len(refused)
    engine = setting.engines[0]
    status = Ranking(engine, lambda: engine.version, trial=lambda: engine.trial).status()
    assert {"status": "on", "modelVersion": live, "trial": "canary 100%, not loaded", "trialVersion": tried} == status
    if why != "features":
        await setting.promote("v3")
        await setting.look()
        assert {"v3"} == await setting.versions()


async def test_refused_candidate_is_loaded_when_it_goes_live(setting: Setting) -> None:
    """What kept it from being served beside another release says nothing of it alone."""
    path = setting.models_dir / "v2" / RANKER
    content = path.read_bytes()
    await try_release(setting.database, setting.models_dir, "v2", kind=CANARY, percent=100.0, now=setting.clock())
    path.write_bytes(b"")
    await setting.look()
    path.write_bytes(content)
    await setting.look()
    assert {"v1"} == await setting.versions()
    await setting.promote("v2")
    await setting.look()
    assert {"v2"} == await setting.versions()


async def test_both_releases_share_the_courses_and_one_read_of_the_learner(setting: Setting) -> None:
    """A canary that fails, and a shadow, read nothing of the learner again."""
    await setting.attempt()
    engine = setting.engines[0]
    assert engine.trial is not None
    assert engine.trial.model is not None
    assert engine._live is not None
    assert engine._live.ranking.traits is engine._beside.ranking.traits  # type: ignore[union-attr]  # It is loaded.
    broken: Any = engine._beside
    broken._question = lambda *_: 1 / 0
    before = setting.stored.reads
    assert "v1" == (await setting.ask()).model_version
    assert before + 1 == setting.stored.reads
    del broken._question
    await setting.attempt(kind=SHADOW)
    server = Recommender(engine, 10.0, trial=lambda: engine.trial)
    before = setting.stored.reads
    assert "v1" == (await setting.ask(server)).model_version
    await server.beside.settled()
    assert (1, 0, before + 1) == (server.beside.compared, server.beside.skipped, setting.stored.reads)


async def test_candidate_that_hangs_holds_up_nobody_of_the_live_release(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread is its own, it is paused for its line too, and the next candidate has another thread."""

    def held(model: Any, question: Any) -> Any:
        if model.version == "v2":
            setting.released.wait()
        return rank(model, question)

    monkeypatch.setattr(loaded, "rank", held)
    await setting.attempt()
    engine = setting.engines[0]
    server = Recommender(engine, 0.6, Breaker(1, timedelta(days=1)), trial=lambda: engine.trial)
    for _ in range(4):
        ranked = await setting.ask(server)
        assert (Strategy.MODEL, "v1") == (ranked.strategy, ranked.model_version)
    assert engine.trial is not None
    assert engine.trial.breaker.is_open(setting.clock())
    await end_trial(setting.database, reason=None, now=setting.clock())
    await setting.attempt("v3")
    assert "v3" == (await setting.ask()).model_version


async def test_too_many_who_ask_a_candidate_are_sent_to_the_live_release(setting: Setting) -> None:
    """The lines are two, and a full one sends people away at once."""
    await setting.attempt()
    thread = setting.engines[0]._beside_thread
    request = RecommendationRequest(1, setting.clock(), 5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("serving.lines.MOST_ASKING", 1)
        with thread.admitted():
            model: Any = setting.engines[0]._beside
            with pytest.raises(BusyError):
                await model.rank(request, [], None, Patience())
            assert "v1" == (await setting.ask()).model_version
    assert "v2" == (await setting.ask()).model_version


async def test_releases_in_use_are_what_features_are_read_for(setting: Setting) -> None:
    """The live one first, then the candidate; one that is refused reads nothing."""
    holder = ReleaseHolder(setting.database, setting.models_dir)
    assert () == holder.manifests()
    await setting.attempt()
    assert await holder.refresh_if_newer()
    assert ["v1", "v2"] == [manifest.version for manifest in holder.manifests()]
    assert not await holder.refresh_if_newer()
    await end_trial(setting.database, reason=None, now=setting.clock())
    assert await holder.refresh_if_newer()
    assert ["v1"] == [manifest.version for manifest in holder.manifests()]
    assert 1 == len(holder._loaded)
