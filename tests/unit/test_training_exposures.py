"""What was shown, as training reads it from the lake: places, outcomes in time, vectors that mean what ours do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa

from features.histories import DAY
from training.exposures import WINDOW, Exposures, load_exposures
from warehouse.lake import EVENTS, Lake
from warehouse.manifest import Manifest

START = pd.Timestamp("2026-01-01T12:00:00Z")
ZERO = START.value // 1000
NAMES = ("a", "b")


def event(kind: str, name: str, course: int, days: float, **payload: Any) -> dict[str, Any]:
    """Return an event of learner 7."""
    moment = START + pd.Timedelta(days=days)
    about = {"learner_id": 7, "course_id": course, "recommendation_id": name}
    return {"kind": kind, **about, "occurred_at": moment, "recorded_at": moment, "payload": json.dumps(payload)}


def ranked(name: str, place: int, course: int, days: float = 0, **changes: Any) -> dict[str, Any]:
    """Return the event of a shown place."""
    told = {"rank": place, "score": 1.0, "surface": "HOME", "model": "v1", "explored": False}
    features = {"b": float(place), "a": None}
    return event("recommendation_ranked", name, course, days, **{**told, "features": features, **changes})


def exposures_of(folder: Path, *rows: dict[str, Any]) -> Exposures:
    """Return what training reads of a lake with these events."""
    lake = Lake(folder / "lake")
    numbered = [{"event_id": number, **row} for number, row in enumerate(rows)]
    file = lake.write("events/date=2026-01-01/1.parquet", pa.Table.from_pylist(numbered, schema=EVENTS))
    lake.commit(Manifest(platform_id=UUID(int=1), exported_at=START.to_pydatetime(), events=(file,)))
    return load_exposures(lake, NAMES, frozenset({"v1"}))


def test_places_are_read_in_the_order_of_their_lists(tmp_path: Path) -> None:
    """List by list, the oldest first, each place with who was shown what, when, where and by which release."""
    found = exposures_of(
        tmp_path,
        ranked("new", 1, 30, 1, model="v2", surface=None),
        ranked("old", 2, 20, 2),
        ranked("old", 1, 10),
        event("enrolled", "old", 20, 3),
        event("enrolled", "elsewhere", 10, 3),
    )
    assert [0, 0, 1] == found.lists.tolist()
    assert [1, 2, 1] == found.places.tolist()
    assert [10, 20, 30] == found.course_ids.tolist()
    assert [7, 7, 7] == found.learner_ids.tolist()
    assert [0, 2 * DAY, DAY] == (found.moments - ZERO).tolist()
    assert [False, True, False] == found.chosen.tolist()
    assert found.surfaces[0] == found.surfaces[1] != found.surfaces[2]
    assert {"v1": 2, "v2": 1} == found.by_release


def test_a_choice_is_a_click_or_enrollment_in_time_and_not_dismissed(tmp_path: Path) -> None:
    """Whatever comes after the window counts for nothing, and a dismissal in it takes a click back."""
    week = WINDOW / DAY
    found = exposures_of(
        tmp_path,
        *(ranked("l", place, place) for place in range(1, 8)),
        event("recommendation_clicked", "l", 1, week),
        event("recommendation_clicked", "l", 2, week + 1e-6),
        event("recommendation_clicked", "l", 3, 1),
        event("recommendation_dismissed", "l", 3, 2),
        event("enrolled", "l", 4, 1),
        event("recommendation_dismissed", "l", 4, week + 1),
        event("recommendation_shown", "l", 5, 0),
        # A client's clock may be behind.
        event("recommendation_clicked", "l", 6, -0.1),
        event("recommendation_clicked", "l", 6, 20),
        event("recommendation_clicked", "other", 7, 1),
    )
    assert [1, 4, 6] == found.places[found.chosen].tolist()


def test_vectors_are_kept_where_they_teach_and_mean_what_ours_do(tmp_path: Path) -> None:
    """Of lists with a choice, by a release of our layout, with our columns; by name, with NaN for what was missing."""
    found = exposures_of(
        tmp_path,
        ranked("chosen", 1, 1),
        ranked("chosen", 2, 2),
        event("recommendation_clicked", "chosen", 2, 1),
        ranked("passed", 1, 1, 1),
        ranked("other", 1, 1, 2, model="v2"),
        event("recommendation_clicked", "other", 1, 3),
        ranked("wider", 1, 1, 3, features={"a": 1.0, "b": 2.0, "c": 3.0}),
        event("recommendation_clicked", "wider", 1, 4),
    )
    # In the order of the events, so that the same lake gives the same arrays.
    assert [0, 1, -1, -1, -1] == found.rows.tolist()
    np.testing.assert_array_equal(found.vectors[found.rows[:2]], np.array([[np.nan, 1], [np.nan, 2]], np.float32))
    assert [False, True, False, True, True] == found.chosen.tolist()


def test_an_event_that_cannot_be_understood_costs_itself(tmp_path: Path) -> None:
    """Without a place, a release, features or JSON at all: the others are read."""
    broken = ranked("l", 9, 9)
    found = exposures_of(
        tmp_path,
        {**broken, "payload": "{"},
        {**broken, "payload": "[1]"},
        {**broken, "payload": '{"rank": "first", "model": "v1"}'},
        {**broken, "payload": '{"rank": 3, "model": "v1"}'},
        ranked("l", 1, 1),
        event("recommendation_clicked", "l", 1, 1),
    )
    assert [1, 3] == found.places.tolist()
    assert [True, False] == (found.rows >= 0).tolist()


def test_a_log_without_exposures_has_none(tmp_path: Path) -> None:
    """A platform whose model was never shown has nothing to learn from, and that is no error."""
    found = exposures_of(tmp_path, event("enrolled", "l", 1, 0))
    assert 0 == len(found) == len(found.vectors) == found.propensities.contests
    assert {} == found.by_release
