"""The simulated platform: the same every time, sound as a catalog, and worth learning from."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from catalog.judging import metadata_of
from catalog.quality import examine
from catalog.records import EnrollmentRecord
from catalog.simulation.courses import SimulatedCourse, simulate_courses
from catalog.simulation.demonstration import demonstration_learner, simulate
from catalog.simulation.learners import simulate_enrollments
from catalog.simulation.subjects import INTERNATIONAL, PATHS, subjects

END = datetime(2026, 3, 1, tzinfo=UTC)
START = END - timedelta(days=548)
LEARNERS = 400


def simulated() -> tuple[list[SimulatedCourse], list[EnrollmentRecord]]:
    """Simulate a small crowd in all courses."""
    rng = np.random.default_rng(7)
    courses = simulate_courses(START, END, rng)
    return courses, simulate_enrollments(courses, LEARNERS, START, END, rng)


@pytest.fixture(scope="module")
def simulation() -> tuple[list[SimulatedCourse], list[EnrollmentRecord]]:
    """The small crowd, simulated once."""
    return simulated()


def test_same_seed_gives_the_same_platform(simulation: tuple[list[SimulatedCourse], list[EnrollmentRecord]]) -> None:
    """Nothing but the seed and the moment decides."""
    assert simulation == simulated()


def test_courses_are_sound_and_say_that_they_are_simulated(
    simulation: tuple[list[SimulatedCourse], list[EnrollmentRecord]],
) -> None:
    """No rule of quality is broken, keys are unique, and prerequisites come earlier and exist."""
    records = [course.record for course in simulation[0]]
    known_fields = ("title", "slug", "summary", "level", "language", "topics", "skills", "prerequisites")
    assert [] == [issue for record in records for issue in examine(metadata_of(record, known_fields))]
    assert len(records) == len({record.slug for record in records}) == len({record.title for record in records})
    known: set[str] = set()
    for record in records:
        assert set(record.prerequisites or ()) <= known
        known.add(record.source_id)
        assert "simulated" in (record.summary or "")
        assert all("simulated" in name for name in record.instructors or ())
    assert {"en", "es", "de", "fr"} == {record.language for record in records}


def test_paths_and_international_subjects_name_subjects() -> None:
    """No entry of the tables leads nowhere, and there are 12 fields of 5 topics."""
    topics = {subject.topic for subject in subjects()}
    assert {topic for path in PATHS for topic in path} <= topics
    assert set(INTERNATIONAL) <= {subject.title for subject in subjects()}
    assert {5} == set(Counter(subject.field for subject in subjects()).values())
    assert (60, 12) == (len(topics), len({subject.field for subject in subjects()}))


def test_nobody_takes_a_course_twice_or_before_it_is_published_or_in_the_future(
    simulation: tuple[list[SimulatedCourse], list[EnrollmentRecord]],
) -> None:
    """History is possible, and in the order of time."""
    courses, history = simulation
    published = {course.record.source_id: course.record.published_at for course in courses}
    pairs = [(enrollment.learner_id, enrollment.course_id) for enrollment in history]
    assert len(pairs) == len(set(pairs))
    assert sorted(enrollment.enrolled_at for enrollment in history) == [entry.enrolled_at for entry in history]
    assert all(START <= enrollment.enrolled_at < END for enrollment in history)
    for enrollment in history:
        moment = published[enrollment.course_id]
        assert moment is not None
        assert moment <= enrollment.enrolled_at


def test_last_course_tells_far_more_than_popularity(
    simulation: tuple[list[SimulatedCourse], list[EnrollmentRecord]],
) -> None:
    """In the last part of the history, successors seen before hit at least three times as often as favorites."""
    _, history = simulation
    cut = START + (END - START) * 0.8
    taken: dict[str, list[str]] = defaultdict(list)
    popular: Counter[str] = Counter()
    successors: dict[str, Counter[str]] = defaultdict(Counter)
    hits = Counter[str]()
    for enrollment in history:
        before, course = taken[enrollment.learner_id], enrollment.course_id
        if enrollment.enrolled_at < cut:
            popular[course] += 1
            if before:
                successors[before[-1]][course] += 1
        elif before:
            favorites = [key for key, _ in popular.most_common(60) if key not in before]
            likely = [key for key, _ in successors[before[-1]].most_common(60) if key not in before]
            hits["popularity"] += course in favorites[:10]
            hits["sequence"] += course in likely[:10]
        before.append(course)
    assert hits["sequence"] > 3 * hits["popularity"] > 0


def test_fashion_and_season_show(simulation: tuple[list[SimulatedCourse], list[EnrollmentRecord]]) -> None:
    """Months differ in how much is taken, and in what."""
    _, history = simulation
    months = Counter((entry.enrolled_at.year, entry.enrolled_at.month) for entry in history)
    assert months[(2026, 1)] > 1.2 * months[(2025, 7)]
    half = len(history) // 2
    early, late = (Counter(entry.course_id for entry in part) for part in (history[:half], history[half:]))
    assert {key for key, _ in early.most_common(20)} != {key for key, _ in late.most_common(20)}


def test_demonstration_learner_has_a_history_in_another_season_too() -> None:
    """Whoever signs in as the demonstration learner finds several courses taken, the last ones recently."""
    now = END + timedelta(days=200)
    learner = demonstration_learner()
    taken = [entry for entry in simulate(now).history if entry.learner_id == learner.source_id]
    assert learner.email.endswith(".example")
    assert 8 <= len(taken) <= 12
    assert now - timedelta(days=60) < taken[-1].enrolled_at < now
