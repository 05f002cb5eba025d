"""Plans, coverage and validation of declared features, on tables that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from app.feature_checks import failing, report, validate
from app.feature_distributions import compared, recorded, tables_digest
from app.feature_pipeline import FeaturePlaces, apply
from app.feature_plans import coverage, plan
from core.clock import ManualClock
from core.errors import InputError
from database.session import Database
from feature_repo.services import definitions
from features.columns import FeatureKind, StoredFeature
from tests.added_features import MODULE, SERVICE, VIEW, days_before, declared, rewrite, signals
from tests.simulated_ranking import release
from training.distributions import Distributions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COURSES = list(range(1, 101))


@pytest.fixture
def places(tmp_path: Path, valkey_url: str) -> FeaturePlaces:
    """A data folder and a corner of Valkey of this test's own."""
    return FeaturePlaces(tmp_path, valkey_url, project=f"test_{uuid4().hex}")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The module that declares the signals of courses."""
    with declared(tmp_path / "declared") as found:
        yield found


def broken(places: FeaturePlaces) -> dict[tuple[str | None, str], str]:
    """Return what was found where a check of the signals does not hold, by feature and rule."""
    return {(each.feature, each.rule): each.found for each in failing(validate(places, NOW)) if each.view == VIEW}


def write(places: FeaturePlaces, frame: pd.DataFrame) -> None:
    """Write the table of the signals."""
    frame.to_parquet(places.data_dir / "signals.parquet", index=False)


def good() -> pd.DataFrame:
    """Return signals of an hour and of forty days ago, of the same population."""
    return signals(COURSES, days_before(NOW, 1 / 24, 40))


@pytest.mark.parametrize("part", ["table", "key", "column", "type", "freshness", "null", "range", "drift"])
def test_each_expectation_can_fail(places: FeaturePlaces, file: Path, part: str) -> None:
    """A table that is missing, incomplete, old, gappy, out of range or drifting is named, and only for that."""
    frame, newest = good(), good()["event_timestamp"] > pd.Timestamp(NOW - timedelta(days=20))
    assert file.exists()
    # Nothing is online in this test, and the three tables of our own are not there.
    always = {(None, "online"): "not materialized"}
    write(places, frame)
    assert always == broken(places)
    if part == "table":
        (places.data_dir / "signals.parquet").write_bytes(b"no table")
        assert [(None, "table")] == list(broken(places))
        return
    expected: dict[str, tuple[str | None, str]] = {
        "key": (None, "table"),
        "column": ("course_rating", "column"),
        "type": ("course_rating", "type"),
        "freshness": (None, "freshness"),
        "null": ("course_rating", "null"),
        "range": ("course_embedding", "range"),
        "drift": ("course_rating", "drift"),
    }
    if part == "key":
        frame = frame.rename(columns={"course_id": "id"})
    elif part == "column":
        frame = frame.drop(columns="course_rating")
    elif part == "type":
        frame["course_rating"] = "five stars"
    elif part == "freshness":
        frame["event_timestamp"] -= timedelta(days=3)
    elif part == "null":
        frame.loc[newest & (frame["course_id"] <= 21), "course_rating"] = np.nan
    elif part == "range":
        frame["course_embedding"] = frame["course_embedding"].map(lambda each: each * 2)
    else:
        frame.loc[newest, "course_rating"] = 4.9
    write(places, frame)
    found = broken(places)
    # Many gaps are drift as well.
    assert {expected[part]} <= set(found) <= {expected[part], *always, ("course_rating", "drift")}
    told = report(validate(places, NOW), NOW)
    assert not told["holds"]
    assert "2026-03-01T12:00:00+00:00" == told["as_of"]


STORED: tuple[StoredFeature, ...] = (
    StoredFeature("course", VIEW, "course_rating"),
    StoredFeature("course", VIEW, "course_format", FeatureKind.CATEGORY, categories=("VIDEO", "TEXT")),
    StoredFeature("course", VIEW, "course_embedding", FeatureKind.EMBEDDING, width=3),
    StoredFeature("course", VIEW, "course_gone"),
    StoredFeature("course", "view_gone", "course_lost"),
)


@pytest.mark.parametrize("change", ["none", "now", "past", "newcomers", "width"])
def test_features_are_compared_with_what_training_recorded(places: FeaturePlaces, file: Path, change: str) -> None:
    """What moved since fails `training`; a past that reads otherwise now fails `rewritten`, of any feature."""
    assert file.exists()
    frame, end = good(), NOW - timedelta(days=20)
    write(places, frame)
    then = recorded(places.data_dir, STORED, end)
    assert [each.reference for each in STORED[:3]] == list(then.features)
    assert [1, 1, 3] == [len(each) for each in then.features.values()]
    assert then == Distributions.unpacked(then.packed())
    later, stored = frame["event_timestamp"] > pd.Timestamp(end), STORED
    if change == "now":
        frame.loc[later, "course_rating"] = 4.9
    elif change == "past":
        frame.loc[~later, "course_format"] = "TEXT"
    elif change == "newcomers":
        # Who came later was not there to be compared with.
        frame = pd.concat([frame, signals(list(range(200, 400)), days_before(NOW, 1)).assign(course_rating=5.0)])
    elif change == "width":
        stored = tuple(replace(each, width=4) if each.name == "course_embedding" else each for each in STORED)
    write(places, frame)
    manifest = release().manifest.model_copy(update={"stored_features": stored})
    checks = [each for each in validate(places, NOW, (manifest, then)) if each.rule in {"training", "rewritten"}]
    assert {
        "now": [("course_rating", "training")],
        "past": [("course_format", "rewritten")],
    }.get(change, []) == [(each.feature, each.rule) for each in failing(checks)]
    expected = {("course_rating", "training"), ("course_rating", "rewritten"), ("course_format", "rewritten")}
    wider = {("course_embedding", "rewritten")} if change != "width" else set()
    assert {*expected, *wider} == {(each.feature, each.rule) for each in checks}


def test_few_entities_and_unreadable_tables_are_not_compared(places: FeaturePlaces, file: Path) -> None:
    """Fifty entities are needed, and a table that is gone costs its own comparison only, at both ends."""
    assert file.exists()
    write(places, good().query("course_id <= 40"))
    then = recorded(places.data_dir, STORED, NOW)
    manifest = release().manifest.model_copy(update={"stored_features": STORED})
    told = validate(places, NOW, (manifest, then))
    assert {"training", "rewritten"}.isdisjoint(each.rule for each in told)
    digests = [tables_digest(places.data_dir, STORED)]
    (places.data_dir / "signals.parquet").write_bytes(b"no table")
    digests.append(tables_digest(places.data_dir, STORED))
    # Whatever a table may be, another one is told apart; without a file nobody can tell.
    assert None not in digests
    assert digests[0] != digests[1]
    assert {} == recorded(places.data_dir, STORED, NOW).features
    assert [] == list(compared(places.data_dir, STORED, then, NOW))
    (places.data_dir / "signals.parquet").unlink()
    assert tables_digest(places.data_dir, STORED) is None


async def test_a_plan_tells_every_difference_and_writes_nothing(
    database: Database, clock: ManualClock, places: FeaturePlaces, file: Path
) -> None:
    """Added at first, nothing after apply, then fields that were changed, added and removed, and what is gone."""
    first = {(each.what, each.kind, each.name) for each in plan(places)}
    assert {
        ("added", "view", VIEW),
        ("added", "service", SERVICE),
        ("added", "field", f"{VIEW}:course_rating"),
    } <= first
    assert not (places.data_dir / "features").exists()
    write(places, good())
    await apply(database, places, clock)
    assert [] == plan(places)
    changed = MODULE.replace('"course_embedding", 3', '"course_embedding", 4').replace(
        '"course_rating"', '"course_stars"'
    )
    rewrite(file, changed)
    found = {(each.what, each.name): each.detail for each in plan(places)}
    assert "width=3 -> " in found["changed", f"{VIEW}:course_embedding"]
    assert ("added", f"{VIEW}:course_stars") in found
    assert ("removed", f"{VIEW}:course_rating") in found
    assert f"{VIEW}:course_stars" in found["changed", SERVICE]
    rewrite(file, "")
    assert {"removed"} == {each.what for each in plan(places)}
    await apply(database, places, clock)
    assert [] == plan(places)
    assert VIEW not in {view.name for view in places.store().list_feature_views()}


async def test_coverage_tells_what_a_range_holds(
    database: Database, clock: ManualClock, places: FeaturePlaces, file: Path
) -> None:
    """Rows from the first moment up to the last, entities known by then; a missing table is told."""
    rewrite(file, MODULE)
    write(places, good())
    await apply(database, places, clock)
    *_, ours = coverage(places, NOW - timedelta(days=40), NOW - timedelta(hours=1))
    assert (VIEW, False, 100, 100) == (ours.view, ours.computed, ours.rows, ours.entities)
    assert NOW - timedelta(days=40) == ours.earliest
    (places.data_dir / "signals.parquet").unlink()
    learners, *_, ours = coverage(places, NOW - timedelta(days=40), NOW)
    assert (True, None, 0) == (learners.computed, learners.failure, learners.rows)
    assert ours.failure is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def declare(data_dir):\n    return [", "signals.py cannot be used: '\\[' was never closed"),
        ("def declare(data_dir):\n    return nothing", "signals.py cannot be used: name 'nothing'"),
        (
            MODULE.replace('name="course_signals"', 'name="course_profile"'),
            "Two feature views are called course_profile",
        ),
        (MODULE.replace('"ranking_v2"', '"ranking_v1"'), "Two feature services are called ranking_v1"),
        (MODULE.replace('"course_rating"', '"course_level_code"'), "both have a column course_level_code"),
        ("def declare(data_dir):\n    return [42]", "signals.py declares a int"),
        ("def declare(data_dir):\n    return 42", "signals.py cannot be used: 'int' object"),
        (MODULE.replace("entities=[course_entity()]", "entities=[]"), "belongs to"),
        (
            MODULE.replace("tags=freshness(timedelta(days=2))", 'tags={"max_age_seconds": "soon"}'),
            "no number of seconds",
        ),
    ],
)
def test_declarations_that_cannot_be_used_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    """Half a line, a wrong name, a name that is taken, no entity, a wrong tag: each is told with its file or name."""
    with declared(tmp_path / "declared", text), pytest.raises(InputError, match=said):
        definitions(tmp_path)
