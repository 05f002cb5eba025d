"""The simulated catalog: a ladder of courses and a few special ones for every subject."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

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
_FOR = {
    CourseLevel.BEGINNER: "from the start",
    CourseLevel.ALL_LEVELS: "for everyone",
    CourseLevel.INTERMEDIATE: "for those who know the basics",
    CourseLevel.ADVANCED: "for the experienced",
}
# Courses in other languages than English are for beginners.
_SUMMARIES = {
    "en": (
        "{title} {whom}: {first}, {second} and {third}, in short lessons with exercises. "
        "A simulated course of the Waymark demonstration."
    ),
    "es": (
        "{title} desde el principio: {first}, {second} y {third}, en lecciones cortas con ejercicios. "
        "Un curso inventado (simulated) de la demostración de Waymark."
    ),
    "de": (
        "{title} von Anfang an: {first}, {second} und {third}, in kurzen Lektionen mit Übungen. "
        "Ein erfundener Kurs (simulated) aus der Vorführung von Waymark."
    ),
    "fr": (
        "{title} depuis le début : {first}, {second} et {third}, en leçons courtes avec des exercices. "
        "Un cours inventé (simulated) de la démonstration de Waymark."
    ),
}
_SHARE_NEW = 0.2
_SHARE_OF_PAIRS = 0.2
# Nothing appears so late that nobody could take it.
_LATEST = 0.9


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
    drafts = [draft for number, subject in enumerate(subjects()) for draft in _drafts(number, subject)]
    return [_course(line, draft, (start, end), rng) for line, draft in enumerate(drafts, start=1)]


@dataclass(frozen=True, slots=True)
class _Draft:
    topic: int
    subject: Subject
    title: str
    level: CourseLevel
    language: str = "en"
    needs: str | None = None


def _drafts(topic: int, subject: Subject) -> Sequence[_Draft]:
    """Return the courses of a subject; `needs` is the title of a course to take before."""
    draft = partial(_Draft, topic, subject)
    name = subject.title
    basics, practice = f"{name}: the Basics", f"{name} in Practice"
    easy, middle, hard = subject.angles
    drafts = [
        draft(basics, CourseLevel.BEGINNER),
        draft(practice, CourseLevel.INTERMEDIATE, needs=basics),
        draft(f"Advanced {name}", CourseLevel.ADVANCED, needs=practice),
        draft(f"{name} {easy}", CourseLevel.ALL_LEVELS),
        draft(f"{name} {middle}", CourseLevel.INTERMEDIATE, needs=basics),
        draft(f"{name} {hard}", CourseLevel.ADVANCED, needs=practice),
    ]
    if name in INTERNATIONAL:
        drafts += [
            draft(f"Fundamentos de {name}", CourseLevel.BEGINNER, "es"),
            draft(f"Grundlagen: {name}", CourseLevel.BEGINNER, "de"),
            draft(f"Les bases : {name}", CourseLevel.BEGINNER, "fr"),
        ]
    return drafts


def _course(line: int, draft: _Draft, period: tuple[datetime, datetime], rng: np.random.Generator) -> SimulatedCourse:
    subject = draft.subject
    rung = _RUNGS[draft.level]
    is_new = draft.needs is not None and rng.random() < _SHARE_NEW
    published = float(rng.uniform(0, _LATEST) if is_new else -rng.uniform(0.01, 1.5))
    instructors = rng.choice(len(_INSTRUCTORS), size=1 + int(rng.random() < _SHARE_OF_PAIRS), replace=False)
    others = [skill for place, skill in enumerate(subject.skills) if place != rung]
    skills = (subject.title, subject.skills[rung], others[int(rng.integers(len(others)))])
    start, end = period
    record = CourseRecord(
        line=line,
        source_id=normalize(draft.title),
        slug=normalize(draft.title),
        title=draft.title,
        level=draft.level,
        language=draft.language,
        topics=(topic_path(subject.field, subject.topic, names=(subject.field, subject.topic)),),
        skills=tuple(dict.fromkeys(skills)),
        instructors=tuple(_INSTRUCTORS[place] for place in instructors),
        prerequisites=(normalize(draft.needs),) if draft.needs else (),
        summary=_about(draft),
        duration_minutes=int(rng.integers(6, 40)) * 15 + rung * 120,
        published_at=start + timedelta(days=math.floor(published * (end - start).days)),
    )
    return SimulatedCourse(record, draft.topic, rung, float(rng.normal(0, 0.8)), published)


def _about(draft: _Draft) -> str:
    """Return the summary of a course, in its language."""
    first, second, third = draft.subject.skills
    return _SUMMARIES[draft.language].format(
        title=draft.subject.title, whom=_FOR[draft.level], first=first, second=second, third=third
    )
