"""`waymark model` and `waymark recommend`, as a person types them, through Feast, PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, ValueType
from feast.types import Int64
from sqlalchemy import insert
from typer.testing import CliRunner

from app.cli import model, recommend
from app.feature_pipeline import FeaturePlaces, materialize, quiet
from app.model_training import TrainingData, topic_parents, train_model
from core.clock import ManualClock
from core.errors import InputError
from core.settings import RankingSettings
from database.session import Database, open_database
from database.tables.courses import course_statistics, course_topics, courses as course_table
from database.tables.enrollments import enrollments
from database.tables.events import events as event_table
from database.tables.learners import learners
from feature_repo.services import RANKING
from features.pair import DAY
from security.encryption import Cipher
from serving.course_matrix import CourseMatrixHolder
from serving.engine import RankingEngine
from serving.learner_features import LearnerFeatures
from serving.recommender import RecommendationRequest, Recommender, Strategy
from serving.releases import ReleaseHolder
from tests.simulated_history import PARENTS, CountedFeatures, simulated_courses, simulated_events
from tests.small_platform import MADE, add_topics
from training.baselines import CLASSICS
from training.evaluate import BLEND
from training.history import load_history
from training.pointintime import FeastFeatures
from training.release import TrainingOptions

pytestmark = pytest.mark.long(0.8)

LEARNERS = 120
EVENTS = simulated_events(learners=LEARNERS)


async def fill(database: Database, events: pd.DataFrame = EVENTS, count: int = LEARNERS) -> None:
    """Write the simulated platform: courses, so many learners, enrollments and their events."""
    await add_topics(database, {100: None, 101: None, **PARENTS})
    described = simulated_courses()
    taken = events.groupby("course_id").size()
    async with database.transaction() as connection:
        for course in described.to_dict("records"):
            key = {
                "id": course["course_id"],
                "slug": f"course-{course['course_id']}",
                "title": f"Course [{course['course_id']}]",
            }
            stamps = {"published_at": MADE, "created_at": MADE, "updated_at": MADE, "status": "PUBLISHED"}
            about = {"level": course["level"], "language": course["language"]}
            await connection.execute(insert(course_table).values(**key, **stamps, **about))
            counted = {"course_id": course["course_id"], "enrollment_count": int(taken.get(course["course_id"], 0))}
            await connection.execute(insert(course_statistics).values(**counted))
            for topic in course["topic_ids"]:
                await connection.execute(insert(course_topics).values(course_id=course["course_id"], topic_id=topic))
        named = [
            {"id": each, "source": "test", "source_id": f"pupil-{each}", "created_at": MADE}
            for each in range(1, count + 1)
        ]
        await connection.execute(insert(learners), named)
    await enroll(database, events)


async def enroll(database: Database, events: pd.DataFrame) -> None:
    """Write enrollments and their events."""
    rows = events.to_dict("records")
    async with database.transaction() as connection:
        shared = [{"learner_id": row["learner_id"], "course_id": row["course_id"]} for row in rows]
        moments = [row["occurred_at"].to_pydatetime() for row in rows]
        active = [{**key, "status": "ACTIVE", "enrolled_at": at} for key, at in zip(shared, moments, strict=True)]
        await connection.execute(insert(enrollments), active)
        logged = [
            {**key, "kind": "enrolled", "occurred_at": at, "recorded_at": at}
            for key, at in zip(shared, moments, strict=True)
        ]
        await connection.execute(insert(event_table), logged)


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """A database of Valkey that other tests do not use: the commands' project name is fixed."""
    return f"redis://{urlsplit(valkey_url).netloc}/11"


@pytest.fixture
def platform(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> FeaturePlaces:
    """The simulated platform, materialized; commands find it through their settings."""
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_REDIS_URL", redis_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    # So that the commands, which have a real clock, do not find the features stale, whenever the tests run.
    monkeypatch.setenv("WAYMARK_RANKING__STALE_AFTER", "1e12")
    places = FeaturePlaces(tmp_path, redis_url)

    async def prepare() -> None:
        async with open_database(database_url) as database:
            await fill(database)
            await materialize(database, places, clock)

    asyncio.run(prepare())
    return places


@pytest.mark.timeout(400)
def test_a_model_from_training_to_a_recommendation(platform: FeaturePlaces) -> None:
    """Train, list, evaluate, be refused a promotion, and recommend: each command prints what it did."""
    runner = CliRunner()
    first = runner.invoke(model.app, ["train", "--threads", "1", "--rounds", "15"])
    assert (0, None) == (first.exit_code, first.exception)
    assert "is live" in first.stdout
    listed = runner.invoke(model.app, ["list"])
    assert 1 == listed.stdout.count("live")
    table = platform.data_dir / "table.json"
    evaluated = runner.invoke(
        model.app, ["evaluate", "--protocol", "leave-last-out", "--rounds", "15", "--json", str(table)]
    )
    assert (0, None) == (evaluated.exit_code, evaluated.exception)
    figures = json.loads(table.read_text(encoding="utf-8"))
    assert {*CLASSICS, BLEND, "model"} == set(figures["rankers"])
    assert figures["rankers"]["model"]["ndcg"] > figures["rankers"]["popularity"]["ndcg"]
    ranged = ["--since", "2025-02-01", "--until", "2025-10-01T12:00:00"]
    second = runner.invoke(model.app, ["train", "--threads", "1", "--rounds", "15", *ranged])
    version = second.stdout.split("Release ")[1].split()[0]
    assert "candidate" in second.stdout
    refused = runner.invoke(model.app, ["promote", version])
    assert isinstance(refused.exception, InputError)
    forced = runner.invoke(model.app, ["promote", version, "--force", "--reason", "A rehearsal."])
    assert f"Release {version} is live." in forced.stdout
    assert "(forced)" in runner.invoke(model.app, ["list"], terminal_width=200, env={"COLUMNS": "200"}).stdout
    assert isinstance(runner.invoke(model.app, ["train", "--feature-service", "none"]).exception, InputError)
    answered = runner.invoke(recommend.app, ["pupil-7", "--limit", "3"], env={"COLUMNS": "200"})
    assert (0, None) == (answered.exit_code, answered.exception)
    assert f"Learner 7: MODEL, model {version}" in answered.stdout
    assert "took Course [" in answered.stdout
    scored = platform.data_dir / "scored.csv"
    everybody = runner.invoke(model.app, ["score", "--all", "--k", "4", "--output", str(scored)])
    assert f"{LEARNERS} learners have a list, {LEARNERS} of them by the model." in everybody.stdout
    lists = pd.read_csv(scored)
    assert {"MODEL"} == set(lists["strategy"])
    assert 4 * LEARNERS == len(lists.drop_duplicates(["learner_id", "course_id"]))
    page = platform.data_dir / "report.html"
    reported = runner.invoke(model.app, ["report", "--output", str(page)])
    assert f"The report of release {version} is in" in reported.stdout
    check_page(page, platform.data_dir / "models" / version)
    # The page and the letter are ranked alike: what the command above printed leads the list.
    assert lists[lists["learner_id"] == "pupil-7"]["score"].is_monotonic_decreasing


def check_page(page: Path, release: Path) -> None:
    """Check that a report tells the figures of its release, and harms nobody who opens it."""
    text = page.read_text(encoding="utf-8")
    metrics = json.loads((release / "release.json").read_text(encoding="utf-8"))["metrics"]
    for ndcg in [figures["ndcg"] for figures in metrics["rankers"].values()]:
        assert f"{ndcg:.4f}" in text
    # Of so few learners no segment is large enough to tell of.
    assert "No segments were recorded." in text
    noted = json.loads((release / "notes.json").read_text(encoding="utf-8"))
    curve = noted["learning_curve"]
    for _, share in noted["coverage_curve"]:
        assert f"{100 * share:.1f}%" in text
    assert f"{noted['gini']:.2f}" in text
    assert 15 == curve[-1][0]
    assert metrics["rankers"]["model"]["ndcg"] == pytest.approx(curve[-1][1])
    headings = ("Against other rankers", "By segment", "Learning curve", "What of the catalog is shown")
    kept = json.loads((release / "distributions.json").read_text(encoding="utf-8"))
    assert "learner_activity:learner_enrollment_count" in kept["features"]
    # Nothing has been written since, so that every second index is none at all.
    rewritten = re.findall(r'<td class="n">[\d.]+</td><td class="n">([\d.]+)</td><td class="n">[\d.]+%</td>', text)
    assert ["0.000"] * len(kept["features"]) == rewritten
    for heading in (*headings, "What the ranker reads", "Drift since training", "Examples", "Learner "):
        assert f"{heading}" in text
    assert "took Course [" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


@pytest.mark.timeout(400)
def test_learners_are_scored_as_of_a_moment(platform: FeaturePlaces) -> None:
    """A file of learners in, a file of lists out, from what was known by then; who is unknown is counted."""
    runner = CliRunner()
    moment = EVENTS["occurred_at"].sort_values().iloc[len(EVENTS) * 8 // 10].floor("D")
    asked, scored = platform.data_dir / "asked.csv", platform.data_dir / "scored.csv"
    asked.write_text("learner_id\npupil-7\n12\nnobody\npupil-7\n", encoding="utf-8")
    arguments = ["score", "--as-of", f"{moment:%Y-%m-%d}", "--learners", str(asked), "--output", str(scored)]
    done = runner.invoke(model.app, [*arguments, "--threads", "1", "--rounds", "15"])
    assert (0, None) == (done.exit_code, done.exception)
    assert "2 learners have a list" in done.stdout
    assert "1 learners are not known" in done.stdout
    lists = pd.read_csv(scored)
    assert ["learner_id", "rank", "course_id", "score", "strategy"] == list(lists.columns)
    assert {"pupil-7": 10, "12": 10} == lists.groupby("learner_id").size().to_dict()
    before = EVENTS[(EVENTS["learner_id"] == 7) & (EVENTS["occurred_at"] < moment)]
    assert not set(before["course_id"]) & set(lists[lists["learner_id"] == "pupil-7"]["course_id"])


def test_scoring_says_what_it_lacks(platform: FeaturePlaces) -> None:
    """Nobody named, no release, no such file or column, too early a moment: one line each, and no file."""
    runner = CliRunner()
    output = platform.data_dir / "scored.csv"
    other = platform.data_dir / "other.csv"
    other.write_text("name\nsomebody\n", encoding="utf-8")
    absent, early = platform.data_dir / "absent.csv", ["--as-of", "1990-01-01"]
    for arguments, said in (
        ([], "either"),
        (["--all"], "No release is live"),
        ([*early, "--learners", str(absent)], "cannot be read"),
        ([*early, "--learners", str(other)], "no column learner_id"),
        ([*early, "--all"], "decisions"),
        (["--all", "--output", str(absent / "scored.csv")], "does not exist"),
    ):
        failed = runner.invoke(model.app, ["score", "--output", str(output), *arguments])
        assert isinstance(failed.exception, InputError), arguments
        assert said in str(failed.exception)
    assert not output.exists()


def test_wrong_input_is_one_line(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever cannot be used is an InputError, which the command line prints without a traceback."""
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_REDIS_URL", redis_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    runner = CliRunner()
    missing = str(tmp_path / "absent" / "table.json")
    for arguments in (
        ["evaluate", "--json", missing],
        ["train"],
        ["train", "--since", "2025-02-01", "--until", "2025-02-01"],
        ["promote", "none"],
        ["report", "--output", str(tmp_path / "report.html")],
        ["report", "--output", missing],
        ["report", "--output", str(tmp_path)],
    ):
        assert isinstance(runner.invoke(model.app, arguments).exception, InputError), arguments
    endless = runner.invoke(model.app, ["report", "--output", str(tmp_path / ("x" * 250))])
    assert "cannot be written" in str(endless.exception)
    assert [] == list(tmp_path.glob("*x*"))
    assert "no release yet" in runner.invoke(model.app, ["list"]).stdout
    monkeypatch.setenv("WAYMARK_RECOMMENDATIONS", "off")
    off = runner.invoke(model.app, ["train"])
    assert "WAYMARK_RECOMMENDATIONS" in str(off.exception)
    for nobody in ("nobody", "9999", "nobody@example.org", "not an@address"):
        assert isinstance(runner.invoke(recommend.app, [nobody]).exception, InputError), nobody


async def test_names_that_several_learners_have_are_refused(database: Database) -> None:
    """A number is an id first and then one in a source; what two sources use is ambiguous."""
    async with database.transaction() as connection:
        for number, (source, source_id) in enumerate((("a", "9"), ("b", "9"), ("a", "1")), start=1):
            row = {"id": number, "source": source, "source_id": source_id, "created_at": MADE}
            await connection.execute(insert(learners).values(**row))
    assert 1 == await recommend.find_learner(database, "1", no_cipher)
    with pytest.raises(InputError, match="1, 2"):
        await recommend.find_learner(database, "9", no_cipher)


def no_cipher() -> Cipher:
    """Fail, because no address was asked for."""
    raise AssertionError


async def test_features_of_a_decision_are_what_was_known_before_it(platform: FeaturePlaces, database_url: str) -> None:
    """Feast's join, a microsecond or a midnight earlier, equals counting the log strictly before."""
    async with open_database(database_url) as database:
        history = load_history(platform.lake, await topic_parents(database))
    store = platform.store()
    features = FeastFeatures(store, RANKING)
    counted = CountedFeatures(history)
    log = history.interactions
    chosen = np.random.default_rng(2).choice(len(log), 200, replace=False)
    moments = log.moments[chosen]
    ids = history.learner_ids[log.learners[chosen]]
    column = features.layout.learner.index("learner_enrollment_count")
    known = np.nan_to_num(features.read_learners(ids, moments)[:, column])
    np.testing.assert_array_equal(counted.read_learners(ids, moments)[:, 0], known)
    courses = history.traits.course_ids[log.courses[chosen]]
    column = features.layout.course.index("course_enrollments_total")
    midnights = (moments - 1) // DAY * DAY
    expected = counted.read_courses(courses, midnights)[:, counted.layout.course.index("course_enrollments_total")]
    np.testing.assert_array_equal(expected, np.nan_to_num(features.read_courses(courses, moments)[:, column]))
    refuse_other_entities(store)


def refuse_other_entities(store: FeatureStore) -> None:
    """A feature service may only hold views of the learner or of the course."""
    source = store.get_feature_view("course_profile").batch_source
    instructor = Entity(name="instructor", join_keys=["course_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="instructors",
        entities=[instructor],
        schema=[Field(name="course_id", dtype=Int64), Field(name="course_level_code", dtype=Int64)],
        source=source,
        ttl=timedelta(0),
    )
    store.apply([instructor, view, FeatureService(name="odd", features=[view])])
    with pytest.raises(InputError, match="instructors belongs to instructor"):
        FeastFeatures(store, "odd")


async def test_the_store_going_away_falls_back_and_comes_back(
    platform: FeaturePlaces, database_url: str, clock: ManualClock
) -> None:
    """The engine over the real store ranks; over a store that is gone the next strategy answers within the deadline."""
    async with open_database(database_url) as database:
        store = platform.store()
        history = load_history(platform.lake, await topic_parents(database))
        data = TrainingData(history, FeastFeatures(store, RANKING), RANKING, "")
        options = TrainingOptions(threads=1, rounds=5)
        models_dir = platform.data_dir / "models"
        outcome = await train_model(database, models_dir, data, clock=clock, options=options, report=quiet)
        assert outcome.live
        gone = FeaturePlaces(platform.data_dir, "redis://127.0.0.1:1").store()
        for opened, strategy in ((store, Strategy.MODEL), (gone, Strategy.POPULARITY)):
            features = LearnerFeatures(opened, RANKING)
            matrices = CourseMatrixHolder(database, store, RANKING)
            holder = ReleaseHolder(database, models_dir)
            engine = RankingEngine(database, holder, matrices, features, RankingSettings())
            await engine.refresh()
            async with database.reader() as reader:
                ranked = await Recommender(engine, 10.0).recommend(
                    reader, RecommendationRequest(learner_id=7, now=clock(), limit=5)
                )
            assert strategy is ranked.strategy
            taken = set(EVENTS["course_id"][EVENTS["learner_id"] == 7])
            assert taken.isdisjoint(course.course_id for course in ranked.courses)
            engine.close()
            features.close()
