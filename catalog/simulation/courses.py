"""The simulated catalog: a ladder of courses and a few special ones for every subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from catalog.records import CourseRecord
from catalog.simulation.subjects import INTERNATIONAL, Subject, subjects
from catalog.taxonomy import normalize, topic_path
from database.tables.courses import CourseLevel

# Where a course stands on the ladder of its subject; special courses stand beside a rung.
_RUNGS = {
    CourseLevel.BEGINNER: 0,
    CourseLevel.ALL_LEVELS: 0,
    CourseLevel.INTERMEDIATE: 1,
    CourseLevel.ADVANCED: 2,
}
# Each name is that of nobody: a first name of fairy tales and what they are.
_INSTRUCTORS = tuple(
    f"{first} {last} (simulated)"
    for last in ("Example", "Placeholder", "Sample", "Mockup")
    for first in ("Ada", "Basil", "Clio", "Dorian", "Esme", "Felix", "Greta", "Hugo", "Iris", "Jasper")
)
_SHARE_NEW = 0.2


@dataclass(frozen=True, slots=True)
class SimulatedCourse:
    """A course, and what the simulation knows of it besides.

    Attributes:
        record: the course as it is imported.
        topic: number of its subject.
        rung: 0 to 2, how far up the ladder of its subject.
        appeal: log-odds of being chosen among its like.
        published: share of the simulated time that has gone by when it appears; negative when it was there before.
    """

    record: CourseRecord
    topic: int
    rung: int
    appeal: float
    published: float


def simulate_courses(start: datetime, end: datetime, rng: np.random.Generator) -> list[SimulatedCourse]:
    """Return about 400 courses, the same for the same arguments.

    Args:
        start: when the simulated time begins; most courses are older.
        end: when it ends.
        rng: where chance comes from.
    """
    courses: list[SimulatedCourse] = []
    for number, subject in enumerate(subjects()):
        for draft in _drafts(subject):
            courses.append(_course(len(courses) + 1, number, subject, draft, start, end, rng))
    return courses


@dataclass(frozen=True, slots=True)
class _Draft:
    title: str
    level: CourseLevel
    language: str = "en"
    needs: str | None = None


def _drafts(subject: Subject) -> Sequence[_Draft]:
    """Return the courses of a subject; `needs` is the title of a course to take before."""
    name = subject.title
    basics, practice = f"{name}: the Basics", f"{name} in Practice"
    easy, middle, hard = subject.angles
    drafts = [
        _Draft(basics, CourseLevel.BEGINNER),
        _Draft(practice, CourseLevel.INTERMEDIATE, needs=basics),
        _Draft(f"Advanced {name}", CourseLevel.ADVANCED, needs=practice),
        _Draft(f"{name} {easy}", CourseLevel.ALL_LEVELS),
        _Draft(f"{name} {middle}", CourseLevel.INTERMEDIATE, needs=basics),
        _Draft(f"{name} {hard}", CourseLevel.ADVANCED, needs=practice),
    ]
    if name in INTERNATIONAL:
        drafts += [
            _Draft(f"Fundamentos de {name}", CourseLevel.BEGINNER, "es"),
            _Draft(f"Grundlagen: {name}", CourseLevel.BEGINNER, "de"),
            _Draft(f"Les bases : {name}", CourseLevel.BEGINNER, "fr"),
        ]
    return drafts


def _course(
    number: int,
    topic: int,
    subject: Subject,
    draft: _Draft,
    start: datetime,
    end: datetime,
    rng: np.random.Generator,
) -> SimulatedCourse:
    rung = _RUNGS[draft.level]
    published = float(rng.uniform(0, 0.9) if rng.random() < _SHARE_NEW and draft.needs else -rng.uniform(0.01, 1.5))
    instructors = rng.choice(len(_INSTRUCTORS), size=1 + int(rng.random() < 0.2), replace=False)
    others = [skill for place, skill in enumerate(subject.skills) if place != rung]
    record = CourseRecord(
        line=number,
        source_id=_key(draft.title),
        slug=_key(draft.title),
        title=draft.title,
        level=draft.level,
        language=draft.language,
        topics=(topic_path(subject.field, subject.topic, names=(subject.field, subject.topic)),),
        skills=(subject.title, subject.skills[rung], others[int(rng.integers(2))]),
        instructors=tuple(_INSTRUCTORS[place] for place in instructors),
        prerequisites=(_key(draft.needs),) if draft.needs else (),
        summary=f"{_about(subject, draft)} A simulated course of the Waymark demonstration.",
        duration_minutes=int(rng.integers(6, 40)) * 15 + rung * 120,
        published_at=start + timedelta(days=round(published * (end - start).days)),
    )
    return SimulatedCourse(record, topic, rung, float(rng.normal(0, 0.8)), published)


def _about(subject: Subject, draft: _Draft) -> str:
    skills = ", ".join(skill.lower() for skill in subject.skills)
    return f"{draft.title}: {skills}, in short lessons with exercises."


def _key(title: str) -> str:
    return normalize(title)
