"""Questions asked of the lake: how learners go through a course, and how the platform grows.

Counts are of learners and never name one. DuckDB is asked in plain SQL, on a connection of its own for each question;
answers are remembered for as long as the lake's content is the same. An event whose payload cannot be understood counts
where its payload is not needed, and nowhere else: one bad event never costs a report.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from core.errors import InputError, UnavailableError
from warehouse.manifest import Manifest, read_manifest

_LOG = logging.getLogger(__name__)

ReportT = TypeVar("ReportT")

PATIENCE = 10.0
"""Seconds that a report may take."""
FEWEST_ATTEMPTS = 10
"""Below this many first attempts, a discrimination would be chance."""
_REMEMBERED = 256
_MEMORY = "512MB"
_LATE = "The warehouse takes too long."


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What happened on a day (UTC)."""

    day: date
    enrollments: int
    withdrawals: int
    completions: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many learners got how far, each step counted by itself.

    `halfway` counts who has completed half of the lessons that anybody has begun.
    """

    enrolled: int
    started: int
    halfway: int
    completed: int


@dataclass(frozen=True, slots=True)
class LessonCounts:
    """How many learners began and completed a lesson, by its lineage."""

    lineage: str
    started: int
    completed: int


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """A question as classical test theory sees it, over first attempts as they are graded now.

    Attributes:
        lineage: of the question.
        attempts: how many first attempts answered for it.
        difficulty: mean share of its points that was earned, 0 to 1; the higher the easier (the item's p-value).
        discrimination: correlation of that share with the mean share of the other questions of the attempt, the
            corrected item-total correlation (Henrysson, 1963); None for fewer than `FEWEST_ATTEMPTS`, a single
            question, or where either does not vary.
    """

    lineage: str
    attempts: int
    difficulty: float
    discrimination: float | None


@dataclass(frozen=True, slots=True)
class CourseReport:
    """A course, as of the last export."""

    course_id: int
    as_of: datetime
    days: Sequence[DayCounts]
    funnel: Funnel
    lessons: Sequence[LessonCounts]
    questions: Sequence[ItemStatistics]


@dataclass(frozen=True, slots=True)
class PlatformReport:
    """The whole platform, as of the last export.

    Attributes:
        learners: who ever enrolled.
        active_learners: who did anything in the 30 days before.
        days: over all courses.
        top_courses: course and enrollments in the 30 days before, most first, at most 20.
    """

    as_of: datetime
    learners: int
    active_learners: int
    days: Sequence[DayCounts]
    top_courses: Sequence[tuple[int, int]]


class Analyst:
    """Answers questions from a lake. Its methods work for a while: call them in a thread.

    Args:
        folder: of the lake; it need not be there yet.
        patience: seconds that a report may take, after which DuckDB is interrupted.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        self._known: OrderedDict[tuple[str, int | None], Any] = OrderedDict()
        self._turn = threading.Lock()

    def course(self, course_id: int) -> CourseReport | None:
        """Return the report of a course; None before the first export, and when the lake cannot be read.

        Raises:
            UnavailableError: it takes too long.
        """
        return self._answer(course_id, lambda manifest: self._course(manifest, course_id))

    def platform(self) -> PlatformReport | None:
        """Return the report of the platform; None and errors as for `course`."""
        return self._answer(None, self._platform)

    def _answer(self, key: int | None, ask: Callable[[Manifest], ReportT]) -> ReportT | None:
        # One question at a time: a lake is scanned with all cores anyway.
        with self._turn:
            manifest = self._manifest()
            while manifest is not None:
                place = (manifest.fingerprint, key)
                if place in self._known:
                    found: ReportT = self._known[place]
                    return found
                try:
                    report = self._asked(ask, manifest)
                except _UnreadableError as error:
                    # A file that holds somebody who was erased is deleted when the next manifest lists another.
                    before, manifest = manifest, self._manifest()
                    if manifest == before:
                        _LOG.error("The lake cannot be read, and its reports are absent: %s", error)
                        return None
                    continue
                self._known[place] = report
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return None

    def _manifest(self) -> Manifest | None:
        # Without the lake's own module: it brings ibis, which takes seconds to import.
        path = self._folder / "manifest.json"
        try:
            manifest = read_manifest(path.read_bytes(), str(path))
        except (OSError, InputError):
            return None
        return manifest if manifest.events else None

    def _asked(self, ask: Callable[[Manifest], ReportT], manifest: Manifest) -> ReportT:
        # DuckDB is not wanted in a process that nobody asks for analytics.
        import duckdb  # noqa: PLC0415 - as the comment says.

        try:
            return ask(manifest)
        except duckdb.InterruptException as error:
            raise UnavailableError(_LATE) from error
        except duckdb.Error as error:
            raise _UnreadableError(str(error)) from error

    def _course(self, manifest: Manifest, course_id: int) -> CourseReport:
        with _Events(self._folder, manifest, f"course_id = {course_id:d}", self._patience) as events:
            return CourseReport(
                course_id=course_id,
                as_of=manifest.exported_at,
                days=[DayCounts(*row) for row in events.ask(_DAYS)],
                funnel=Funnel(*events.ask(_FUNNEL)[0]),
                lessons=[LessonCounts(*row) for row in events.ask(_LESSONS)],
                questions=[ItemStatistics(*row) for row in events.ask(_QUESTIONS, FEWEST_ATTEMPTS)],
            )

    def _platform(self, manifest: Manifest) -> PlatformReport:
        with _Events(self._folder, manifest, "true", self._patience) as events:
            learners, active = events.ask(_LEARNERS, manifest.exported_at)[0]
            top = events.ask(_TOP, manifest.exported_at)
            return PlatformReport(
                as_of=manifest.exported_at,
                learners=learners,
                active_learners=active,
                days=[DayCounts(*row) for row in events.ask(_DAYS)],
                top_courses=[(course_id, count) for course_id, count in top],
            )


class _UnreadableError(Exception):
    """A file of the lake cannot be read."""


class _Events:
    """The events of a lake that a condition keeps, as the table `events` of a DuckDB of its own, for some seconds."""

    def __init__(self, folder: Path, manifest: Manifest, condition: str, patience: float) -> None:
        import duckdb  # noqa: PLC0415 - as in `Analyst`.

        self._connection = duckdb.connect(config={"autoinstall_known_extensions": False, "memory_limit": _MEMORY})
        self._paths = [str(folder / file.path) for file in manifest.events]
        self._condition = condition
        self._ends = time.monotonic() + patience
        self._deadline = threading.Timer(patience, self._connection.interrupt)
        self._deadline.daemon = True

    def __enter__(self) -> Self:
        self._deadline.start()
        try:
            relation = self._connection.read_parquet(self._paths, hive_partitioning=False)
            relation.filter(self._condition).project(_UNDERSTOOD).create("events")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._deadline.cancel()
        self._deadline.join()
        self._connection.close()

    def ask(self, question: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of an answer.

        Raises:
            UnavailableError: the seconds are over.
        """
        # An interruption only reaches a question that is being answered.
        if time.monotonic() >= self._ends:
            raise UnavailableError(_LATE)
        rows: list[tuple[Any, ...]] = self._connection.execute(question, list(parameters)).fetchall()
        return rows


_UNDERSTOOD = (
    "event_id, kind, learner_id, occurred_at, course_id, CASE WHEN json_valid(payload) THEN payload END AS payload"
)
_DAYS = """
SELECT CAST(occurred_at AT TIME ZONE 'UTC' AS DATE) AS day, count(*) FILTER (kind = 'enrolled'),
    count(*) FILTER (kind = 'unenrolled'), count(*) FILTER (kind = 'course_completed')
FROM events WHERE kind IN ('enrolled', 'unenrolled', 'course_completed') GROUP BY day ORDER BY day
"""
_FUNNEL = """
WITH lessons AS (
    SELECT learner_id, json_extract_string(payload, '$.lesson') AS lesson, kind
    FROM events WHERE kind IN ('lesson_started', 'lesson_completed') AND payload ->> '$.lesson' IS NOT NULL
), whole AS (SELECT count(DISTINCT lesson) AS number FROM lessons), done AS (
    SELECT learner_id, count(DISTINCT lesson) AS number FROM lessons WHERE kind = 'lesson_completed' GROUP BY learner_id
)
SELECT (SELECT count(DISTINCT learner_id) FROM events WHERE kind = 'enrolled'),
    (SELECT count(DISTINCT learner_id) FROM lessons),
    (SELECT count(*) FROM done, whole WHERE 2 * done.number >= whole.number),
    (SELECT count(DISTINCT learner_id) FROM events WHERE kind = 'course_completed')
"""
_LESSONS = """
SELECT json_extract_string(payload, '$.lesson') AS lesson, count(DISTINCT learner_id),
    count(DISTINCT learner_id) FILTER (kind = 'lesson_completed')
FROM events WHERE kind IN ('lesson_started', 'lesson_completed') AND payload ->> '$.lesson' IS NOT NULL
GROUP BY lesson ORDER BY 2 DESC, 3 DESC, lesson
"""
# The latest event of an attempt is its grade as it is now.
_QUESTIONS = """
WITH attempts AS (
    SELECT json_extract(payload, '$.attempt_id') AS attempt, arg_max(payload, event_id) AS payload
    FROM events
    WHERE kind = 'attempt_graded' AND TRY_CAST(json_extract(payload, '$.number') AS INTEGER) = 1
    GROUP BY attempt
), shares AS (
    SELECT attempt, from_json(json_extract(payload, '$.questions'), '"MAP(VARCHAR, DOUBLE)"') AS listed FROM attempts
), answers AS (
    SELECT attempt, one FROM (SELECT attempt, unnest(map_entries(listed)) AS one FROM shares)
    WHERE one.value BETWEEN 0 AND 1
), items AS (
    SELECT one.key AS question, one.value AS share, count(*) OVER mine AS asked,
        (sum(one.value) OVER mine - one.value) / nullif(count(*) OVER mine - 1, 0) AS rest
    FROM answers WINDOW mine AS (PARTITION BY attempt)
), judged AS (
    SELECT question, count(*) AS attempts, avg(share) AS difficulty,
        CASE WHEN count(rest) >= ? AND stddev_pop(share) > 0 AND stddev_pop(rest) > 0
             THEN corr(share, rest) END AS discrimination
    FROM items GROUP BY question
)
SELECT question, attempts, difficulty, discrimination FROM judged ORDER BY difficulty, question
"""
_LEARNERS = """
SELECT count(DISTINCT learner_id) FILTER (kind = 'enrolled'),
    count(DISTINCT learner_id) FILTER (occurred_at > CAST(? AS TIMESTAMPTZ) - INTERVAL 30 DAY) FROM events
"""
_TOP = """
SELECT course_id, count(*) FROM events
WHERE kind = 'enrolled' AND occurred_at > CAST(? AS TIMESTAMPTZ) - INTERVAL 30 DAY
GROUP BY course_id ORDER BY 2 DESC, 1 LIMIT 20
"""
