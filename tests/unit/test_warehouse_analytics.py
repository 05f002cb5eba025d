"""Questions asked of small lakes whose answers can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from core.errors import UnavailableError
from warehouse.analytics import Analyst, DayCounts, Funnel, LessonCounts, _Events
from warehouse.lake import EVENTS
from warehouse.manifest import LakeFile, Manifest

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
Told = tuple[str, int, int, int, dict[str, Any] | str]


def lake(folder: Path, events: Sequence[Told]) -> Analyst:
    """Write a lake of events (kind, learner, course, days after February 1, payload) and return who reads it."""
    rows = [
        {
            "event_id": number,
            "kind": kind,
            "learner_id": learner,
            "course_id": course,
            "occurred_at": NOON + timedelta(days=days),
            "recorded_at": NOON,
            "recommendation_id": None,
            "payload": payload if isinstance(payload, str) else json.dumps(payload),
        }
        for number, (kind, learner, course, days, payload) in enumerate(events, start=1)
    ]
    parquet.write_table(pa.Table.from_pylist(rows, schema=EVENTS), folder / "events.parquet")
    manifest = Manifest(
        platform_id=UUID(int=1),
        exported_at=NOON + timedelta(days=40),
        events=(LakeFile(path="events.parquet", rows=len(rows)),),
        fingerprint="x",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return Analyst(folder)


def graded(attempt: int, learner: int, shares: Sequence[float], number: int = 1) -> Told:
    """Return the grade of an attempt at questions q0, q1, ..."""
    questions = {f"q{place}": share for place, share in enumerate(shares)}
    return ("attempt_graded", learner, 1, 5, {"attempt_id": attempt, "number": number, "questions": questions})


def lesson(kind: str, learner: int, name: str, days: int = 2) -> Told:
    """Return an event of a lesson of course 1."""
    return (f"lesson_{kind}", learner, 1, days, {"lesson": name, "revision_id": 1})


GONE_THROUGH: list[Told] = [
    *[("enrolled", learner, 1, learner % 2, {}) for learner in range(1, 6)],
    ("unenrolled", 5, 1, 3, {}),
    ("enrolled", 9, 2, 35, {}),
    *[lesson("started", learner, "a") for learner in (1, 2, 3)],
    *[lesson("started", learner, "b") for learner in (1, 2)],
    lesson("completed", 1, "a"),
    lesson("completed", 1, "b"),
    lesson("completed", 2, "a"),
    ("course_completed", 1, 1, 4, {}),
    ("an_unknown_kind", 1, 1, 4, {"lesson": "z"}),
]


def test_course_is_counted_by_learners_and_days(tmp_path: Path) -> None:
    """Each learner once a step; other courses and kinds that nobody knows do not count."""
    report = lake(tmp_path, GONE_THROUGH).course(1)
    assert report is not None
    assert NOON + timedelta(days=40) == report.as_of
    assert Funnel(enrolled=5, started=3, halfway=2, completed=1) == report.funnel
    assert [LessonCounts("a", 3, 2), LessonCounts("b", 2, 1)] == list(report.lessons)
    assert [
        DayCounts(date(2026, 2, 1), 2, 0, 0),
        DayCounts(date(2026, 2, 2), 3, 0, 0),
        DayCounts(date(2026, 2, 4), 0, 1, 0),
        DayCounts(date(2026, 2, 5), 0, 0, 1),
    ] == list(report.days)


def test_platform_counts_who_was_active_of_late(tmp_path: Path) -> None:
    """The thirty days before the export, and not before now."""
    report = lake(tmp_path, GONE_THROUGH).platform()
    assert report is not None
    assert (6, 1, [(2, 1)]) == (report.learners, report.active_learners, list(report.top_courses))
    assert 7 == sum(day.enrollments + day.withdrawals for day in report.days)


def test_questions_are_judged_by_first_attempts_as_they_are_graded_now(tmp_path: Path) -> None:
    """A regrade replaces the grade before it, and a second attempt does not count."""
    events = [graded(number, number, (number % 2, number % 2, 1.0)) for number in range(10)]
    # Graded again: who knew q0 did not know q1.
    events += [graded(number, number, (number % 2, 1 - number % 2, 1.0)) for number in range(10)]
    events += [graded(99, 1, (0.0, 0.0, 0.0), number=2)]
    report = lake(tmp_path, events).course(1)
    assert report is not None
    statistics = {one.lineage: one for one in report.questions}
    assert (10, 0.5, 10, 1.0) == (
        statistics["q0"].attempts,
        statistics["q0"].difficulty,
        statistics["q2"].attempts,
        statistics["q2"].difficulty,
    )
    assert -1.0 == pytest.approx(statistics["q0"].discrimination)
    assert -1.0 == pytest.approx(statistics["q1"].discrimination)
    assert statistics["q2"].discrimination is None


def test_few_attempts_and_single_questions_have_no_discrimination(tmp_path: Path) -> None:
    """A number that means nothing is not told."""
    report = lake(tmp_path, [graded(number, number, (number % 2, number % 2)) for number in range(9)]).course(1)
    assert report is not None
    assert [None, None] == [one.discrimination for one in report.questions]


def test_without_a_lake_there_is_no_report(tmp_path: Path) -> None:
    """Before the first export, and when the manifest is damaged; what is known is remembered."""
    assert Analyst(tmp_path).course(1) is None
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    assert Analyst(tmp_path).platform() is None
    analyst = lake(tmp_path, GONE_THROUGH)
    first = analyst.course(1)
    (tmp_path / "events.parquet").unlink()
    assert first is analyst.course(1)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "nothing",
        "null",
        "[]",
        '"text"',
        '{"lesson": null, "attempt_id": 9, "number": "first", "questions": {"q0": 1}}',
        '{"attempt_id": 9, "number": 1, "questions": [1, 2]}',
        '{"attempt_id": 9, "number": 1, "questions": {"q0": "all", "q1": null}}',
        '{"attempt_id": 9, "number": 1, "questions": {"q0": 1e999, "q1": -1}}',
        '{"attempt_id": 9, "number": 1e300, "questions": {"q0": 1}}',
        "[" * 3_000,
    ],
)
def test_event_that_cannot_be_understood_costs_no_report(tmp_path: Path, payload: str) -> None:
    """It is left out where its payload is needed; who took the course is counted all the same."""
    good: list[Told] = [("enrolled", 1, 1, 0, {}), lesson("started", 1, "a"), graded(1, 1, (0.5, 1.0))]
    kinds = ("lesson_started", "lesson_completed", "attempt_graded")
    damaged: list[Told] = [(kind, 2, 1, 1, payload) for kind in kinds]
    report = lake(tmp_path, [*good, *damaged, ("enrolled", 2, 1, 1, payload)]).course(1)
    assert report is not None
    assert Funnel(enrolled=2, started=1, halfway=0, completed=0) == report.funnel
    assert [LessonCounts("a", 1, 0)] == list(report.lessons)
    assert [("q0", 1, 0.5), ("q1", 1, 1.0)] == [(one.lineage, one.attempts, one.difficulty) for one in report.questions]


@pytest.mark.parametrize("content", [b"", b"PAR1 and then something else", None])
def test_lake_with_a_damaged_or_missing_file_has_no_report(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Absent is null, the log says why, and the next look finds a file that was put back."""
    analyst = lake(tmp_path, GONE_THROUGH)
    whole = (tmp_path / "events.parquet").read_bytes()
    if content is None:
        (tmp_path / "events.parquet").unlink()
    else:
        (tmp_path / "events.parquet").write_bytes(content)
    assert (None, None) == (analyst.course(1), analyst.platform())
    assert "cannot be read" in caplog.text
    (tmp_path / "events.parquet").write_bytes(whole)
    assert analyst.course(1) is not None


def test_report_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """The next one need not wait for it, and is answered."""
    analyst = lake(tmp_path, GONE_THROUGH)
    impatient = Analyst(tmp_path, patience=0.0)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="too long"):
            impatient.course(1)
    assert analyst.course(1) is not None


def test_question_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    """DuckDB does not go on with what nobody waits for."""
    lake(tmp_path, GONE_THROUGH)
    manifest = Manifest.model_validate_json((tmp_path / "manifest.json").read_bytes())
    with _Events(tmp_path, manifest, "true", 0.5) as events, pytest.raises(duckdb.InterruptException):
        events.ask("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3")
