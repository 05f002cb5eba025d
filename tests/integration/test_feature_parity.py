"""One meaning per feature: what is served online, what training asks for, and what is computed are the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from app.feature_pipeline import FeaturePlaces, feature_tables, materialize
from core.clock import ManualClock
from database.session import Database
from feature_repo.services import RANKING
from feature_repo.sources import TIMESTAMP
from feature_repo.store import open_store
from features.course import PROFILE_FEATURES
from tests.event_logs import (
    START,
    course_values,
    enrollments,
    learner_values,
    random_courses,
    random_events,
)
from tests.platforms import write_courses, write_events
from warehouse.lake import analytics

LEARNERS, COURSES = 12, 6
MOMENTS = [START + timedelta(days=50, hours=6), START + timedelta(days=90), START + timedelta(days=200, seconds=1)]

Values = dict[tuple[int, int], dict[str, float]]
"""Features by learner and course; NaN for missing."""


@pytest.fixture
def places(tmp_path: Path, valkey_url: str) -> FeaturePlaces:
    """A data folder and a corner of Valkey of this test's own."""
    return FeaturePlaces(tmp_path, valkey_url, project=f"test_{uuid4().hex}")


def pairs() -> list[tuple[int, int]]:
    """Return every learner, and one that does not exist, with every course, and one that does not exist."""
    return [(learner, course) for learner in range(1, LEARNERS + 2) for course in range(1, COURSES + 2)]


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return values as floats, NaN for missing."""
    return {name: np.nan if value is None or value is pd.NA else float(value) for name, value in values.items()}


def online(store: Any) -> Values:
    """Return what the online store serves."""
    keys = pairs()
    response = store.get_online_features(
        features=store.get_feature_service(RANKING),
        entity_rows=[{"learner_id": learner, "course_id": course} for learner, course in keys],
    ).to_dict()
    names = sorted(set(response) - {"learner_id", "course_id"})
    return {key: numbers({name: response[name][row] for name in names}) for row, key in enumerate(keys)}


def historical(store: Any, moment: datetime) -> Values:
    """Return what the point-in-time join finds at a moment."""
    keys = pairs()
    frame = pd.DataFrame(keys, columns=["learner_id", "course_id"]).assign(event_timestamp=moment)
    found = store.get_historical_features(entity_df=frame, features=store.get_feature_service(RANKING)).to_df()
    return {
        (int(row.pop("learner_id")), int(row.pop("course_id"))): numbers(
            {str(name): None if pd.isna(value) else value for name, value in row.items() if name != "event_timestamp"}
        )
        for row in found.to_dict("records")
    }


def computed(places: FeaturePlaces, moment: datetime) -> Values:
    """Return the newest rows of the expressions at or before a moment."""
    newest: dict[tuple[str, int], dict[str, float]] = {}
    names: dict[str, list[str]] = {"learner_id": [], "course_id": []}
    with analytics() as connection:
        for table in feature_tables(places.lake, connection).values():
            entity = table.columns[0]
            features = [name for name in table.columns if name not in (entity, TIMESTAMP)]
            names[entity] += features
            rows = connection.to_pyarrow(table.filter(table[TIMESTAMP] <= moment).order_by(TIMESTAMP)).to_pylist()
            for row in rows:
                known = newest.setdefault((entity, row[entity]), {})
                known |= numbers({name: row[name] for name in features})
    missing = dict.fromkeys((*names["learner_id"], *names["course_id"]), np.nan)
    return {
        (learner, course): missing | newest.get(("learner_id", learner), {}) | newest.get(("course_id", course), {})
        for learner, course in pairs()
    }


@pytest.mark.parametrize("moment", MOMENTS)
async def test_online_historical_and_computed_features_are_equal(
    database: Database, clock: ManualClock, places: FeaturePlaces, moment: datetime
) -> None:
    """For every feature of the service, every learner and every course, at the same moment, all three agree."""
    await write_courses(database, random_courses(COURSES, seed=1))
    await write_events(database, random_events(LEARNERS, COURSES, seed=1))
    await materialize(database, places, clock, as_of=moment)
    store = open_store(places.data_dir, places.redis_url, places.project)
    served = online(store)
    expected = computed(places, moment)
    assert set(expected) == set(served) == set(pairs())
    assert 21 == len(served[1, 1])
    known = sum(np.isfinite(value) for values in served.values() for value in values.values())
    assert known > 0.5 * len(served) * 21
    for key, values in expected.items():
        assert values == pytest.approx(served[key], nan_ok=True)
    for key, values in historical(store, moment).items():
        assert values == pytest.approx(served[key], nan_ok=True)


async def test_served_features_equal_the_slow_computation(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """What is served as of a moment is what a person would count by hand from the events up to then."""
    courses = random_courses(COURSES, seed=2)
    events = random_events(LEARNERS, COURSES, seed=2)
    await write_courses(database, courses)
    await write_events(database, events)
    moment = START + timedelta(days=60, hours=13)
    await materialize(database, places, clock, as_of=moment)
    log = enrollments(events)
    midnight = START + timedelta(days=60)
    for (learner, course), served in online(open_store(places.data_dir, places.redis_url, places.project)).items():
        expected: dict[str, Any] = {}
        if any(each.learner == learner and each.made <= moment for each in log):
            expected |= learner_values(log, courses, learner, moment)
        expected |= course_values(log, course, midnight) or {}
        kept = {name: value for name, value in served.items() if name not in PROFILE_FEATURES}
        assert dict.fromkeys(kept, np.nan) | numbers(expected) == pytest.approx(kept, nan_ok=True)


async def test_events_that_arrive_late_change_what_is_served(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """An event of the past that arrives after a materialization is in the next one, at unchanged timestamps too."""
    courses = random_courses(COURSES, seed=3)
    events = random_events(LEARNERS, COURSES, seed=3)
    await write_courses(database, courses)
    await write_events(database, events[::2])
    moment = START + timedelta(days=150)
    await materialize(database, places, clock, as_of=moment)
    before = online(open_store(places.data_dir, places.redis_url, places.project))
    await write_events(database, events[1::2])
    await materialize(database, places, clock, as_of=moment)
    after = online(open_store(places.data_dir, places.redis_url, places.project))
    assert before != after
    for key, values in computed(places, moment).items():
        assert values == pytest.approx(after[key], nan_ok=True)
