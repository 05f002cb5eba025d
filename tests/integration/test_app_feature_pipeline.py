"""The pipeline from outbox to online store: announced, repeatable, and mended after it was killed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli import features as cli
from app.embedded import embedded_valkey
from app.feature_pipeline import FeaturePlaces, apply, latest_materialization, listing, materialize
from core.clock import ManualClock
from core.errors import InputError, UnavailableError
from database.session import Database
from feature_repo.services import RANKING
from feature_repo.sources import COURSE_POPULARITY, COURSE_PROFILE, LEARNER_ACTIVITY, table_path
from feature_repo.store import open_store
from features.learner import LEARNER_FEATURES
from tests.event_logs import Course, Event, random_courses, random_events
from tests.platforms import write_courses, write_events

CLOSED_PORT = "redis://127.0.0.1:1/0"


@pytest.fixture
def places(tmp_path: Path, valkey_url: str) -> FeaturePlaces:
    """A data folder and a corner of Valkey of this test's own."""
    return FeaturePlaces(tmp_path, valkey_url, project=f"test_{uuid4().hex}")


def served_count(places: FeaturePlaces, learner_id: int) -> Any:
    """Return the number of enrollments that the online store serves of a learner."""
    store = open_store(places.data_dir, places.redis_url, places.project)
    response = store.get_online_features(
        features=[f"{LEARNER_ACTIVITY}:learner_enrollment_count"], entity_rows=[{"learner_id": learner_id}]
    )
    return response.to_dict()["learner_enrollment_count"][0]


async def test_a_materialization_is_announced(database: Database, clock: ManualClock, places: FeaturePlaces) -> None:
    """Serving learns the moment of the features and how many entities were written of each view."""
    await write_courses(database, random_courses(5, seed=1))
    await write_events(database, random_events(6, 5, seed=1))
    assert await latest_materialization(database) is None
    steps: list[tuple[str, int, int]] = []
    done = await materialize(database, places, clock, report=lambda *step: steps.append(step))
    latest = await latest_materialization(database)
    assert latest is not None
    assert (clock(), clock()) == (latest.features_as_of, latest.finished_at)
    assert {LEARNER_ACTIVITY: 6, COURSE_POPULARITY: 5, COURSE_PROFILE: 5} == latest.row_counts == done.row_counts
    assert ["Exporting events", "Computing features", "Materializing features"] == list(
        dict.fromkeys(step for step, _, _ in steps)
    )


async def test_apply_declares_and_serves_nothing(database: Database, clock: ManualClock, places: FeaturePlaces) -> None:
    """After `apply` training can ask for history; the online store and the announcements are as before."""
    await write_courses(database, random_courses(5, seed=1))
    await write_events(database, random_events(6, 5, seed=1))
    report = await apply(database, places, clock)
    assert report.changed
    assert table_path(places.data_dir, LEARNER_ACTIVITY).exists()
    assert await latest_materialization(database) is None
    store = open_store(places.data_dir, places.redis_url, places.project)
    assert 3 == len(store.get_feature_service(RANKING).feature_view_projections)


async def test_what_is_taken_together_becomes_similar(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """Each materialization replaces the neighbors of all courses, from what was known before its moment."""
    courses = [Course(key, (key % 6,), "BEGINNER", 60) for key in range(1, 5)]
    await write_courses(database, courses)
    early, late = clock() - timedelta(days=30), clock() - timedelta(days=1)
    await write_events(database, [Event(0, "enrolled", learner, key, early) for learner in (1, 2) for key in (1, 2)])
    await write_events(
        database, [Event(0, "enrolled", learner, key, late) for learner in (3, 4, 5, 6, 7) for key in (1, 4)]
    )
    nearest = "SELECT neighbor_ids[1] FROM course_neighbors WHERE course_id = 1"
    for as_of, expected in ((None, 4), (early + timedelta(days=1), 2)):
        await materialize(database, places, clock, as_of=as_of)
        async with database.transaction() as connection:
            assert expected == (await connection.execute(text(nearest))).scalar_one()


async def test_an_empty_platform_materializes(database: Database, clock: ManualClock, places: FeaturePlaces) -> None:
    """No courses and no events are no error."""
    done = await materialize(database, places, clock)
    assert {0} == set(done.row_counts.values())


async def test_a_killed_materialization_is_mended_by_the_next(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """A view that was left in the midst of it still serves its old values, and the next run completes it."""
    from feast.feature_view import FeatureViewState  # noqa: PLC0415 - after our import has kept its filters out.

    await write_courses(database, random_courses(5, seed=1))
    events = random_events(6, 5, seed=1)
    await write_events(database, events)
    await materialize(database, places, clock)
    before = served_count(places, 1)
    store = open_store(places.data_dir, places.redis_url, places.project)
    for view in store.list_feature_views():
        view.state = FeatureViewState.MATERIALIZING
        store.registry.apply_feature_view(view, places.project)
    table_path(places.data_dir, LEARNER_ACTIVITY).with_suffix(".draft").write_text("half a file", encoding="utf-8")
    assert before is not None
    assert before == served_count(places, 1)
    clock.now += timedelta(days=1)
    await materialize(database, places, clock)
    store.refresh_registry()
    assert {FeatureViewState.AVAILABLE_ONLINE} == {view.state for view in store.list_feature_views()}
    assert [1, 1, 1] == [len(view.materialization_intervals) for view in store.list_feature_views()]
    assert before == served_count(places, 1)


async def test_the_future_is_refused(database: Database, clock: ManualClock, places: FeaturePlaces) -> None:
    """Features as of a moment that has not come would be guesses."""
    with pytest.raises(InputError, match="future"):
        await materialize(database, places, clock, as_of=clock() + timedelta(seconds=1))


async def test_a_missing_online_store_is_one_clear_error(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """Without Redis nothing is announced, and the message names the address."""
    await write_courses(database, random_courses(5, seed=1))
    nowhere = FeaturePlaces(places.data_dir, CLOSED_PORT, places.project)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        await materialize(database, nowhere, clock)
    assert await latest_materialization(database) is None


async def test_a_feature_table_that_cannot_be_written_is_one_clear_error(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """What stands in the way of a table is told in one line, and nothing is announced."""
    draft = table_path(places.data_dir, COURSE_PROFILE).with_suffix(".draft")
    draft.mkdir(parents=True)
    with pytest.raises(UnavailableError, match="course_profile"):
        await materialize(database, places, clock)
    assert await latest_materialization(database) is None


async def test_rival_materializations_take_turns(database: Database, clock: ManualClock, places: FeaturePlaces) -> None:
    """Two at once end well, and both are announced."""
    await write_courses(database, random_courses(5, seed=1))
    await write_events(database, random_events(6, 5, seed=1))
    both = await asyncio.gather(*(materialize(database, places, clock) for _ in range(2)))
    assert both[0].row_counts == both[1].row_counts
    latest = await latest_materialization(database)
    assert latest is not None
    assert 2 == latest.id


async def test_features_are_listed_with_their_meaning(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """Every declared feature is listed with its type and meaning, and how old the served ones are."""
    assert () == (await listing(database, places, clock())).views
    await materialize(database, places, clock)
    found = await listing(database, places, clock() + timedelta(hours=5))
    assert [LEARNER_ACTIVITY, COURSE_POPULARITY, COURSE_PROFILE] == [view.name for view in found.views]
    assert [(name, meaning) for name, (_, meaning) in LEARNER_FEATURES.items()] == [
        (name, meaning) for name, _, meaning in found.views[0].features
    ]
    assert timedelta(hours=5) == found.age


def test_the_commands_say_what_they_did(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`apply`, `materialize` and `list` work from the environment and print one story."""
    with embedded_valkey(tmp_path / "valkey") as redis_url:
        monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
        monkeypatch.setenv("WAYMARK_REDIS_URL", redis_url)
        told = []
        for command in (
            ["list"],
            ["apply"],
            ["materialize"],
            ["list"],
            ["materialize", "--as-of", "2026-01-01T00:00Z"],
        ):
            result = CliRunner().invoke(cli.app, [*command, "--data-dir", str(tmp_path / "data")])
            assert 0 == result.exit_code, result.output
            told.append(" ".join(result.stdout.split()))
    assert "No features are declared yet" in told[0]
    assert "Exported 0 new events; the lake holds 0, of 0 courses." in told[1]
    assert "are online: 0 of learner_activity" in told[2]
    assert "learner_enrollment_count" in told[3]
    assert "0 min ago" in told[3]
    assert "Features as of 2026-01-01 00:00:00 UTC are online" in told[4]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("yesterday", "is no moment"), ("2026-01-01", "has no offset"), ("2026-13-01", "is no moment")],
)
def test_a_moment_that_cannot_be_read_is_refused(as_of: str, expected: str) -> None:
    """A wrong `--as-of` is told before anything is opened."""
    with pytest.raises(InputError, match=expected):
        CliRunner().invoke(cli.app, ["materialize", "--as-of", as_of], catch_exceptions=False)


def test_commands_need_recommendations(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With recommendations off there is no online store, and the command says how to turn them on."""
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_RECOMMENDATIONS", "off")
    with pytest.raises(InputError, match="WAYMARK_RECOMMENDATIONS=on"):
        CliRunner().invoke(cli.app, ["apply", "--data-dir", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("age", "expected"),
    [(None, "0 min"), (timedelta(minutes=59), "59 min"), (timedelta(hours=47), "47 h"), (timedelta(days=3), "3 days")],
)
def test_ages_are_told_in_the_unit_that_fits(age: timedelta | None, expected: str) -> None:
    """Minutes, then hours, then days."""
    assert expected == cli._age(age)
