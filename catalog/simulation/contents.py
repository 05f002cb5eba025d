"""What the simulated courses consist of: modules, lessons of every kind, and assessments that grade themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.records import CourseRecord
from database.tables.assessments import QuestionKind
from database.tables.revisions import LessonKind

_SECONDS = {LessonKind.VIDEO: 420, LessonKind.ARTICLE: 240, LessonKind.EXERCISE: 900}
_PASSING_SHARE = 0.6
_TIME_LIMIT_SECONDS = 900
_ATTEMPT_LIMIT = 3


@dataclass(frozen=True, slots=True)
class SimulatedLesson:
    """A lesson; where its video is is an address of a domain that is nobody's (RFC 2606)."""

    kind: LessonKind
    title: str
    duration_seconds: int
    media_url: str | None
    body: str


@dataclass(frozen=True, slots=True)
class SimulatedQuestion:
    """A question in the form that `questions` stores."""

    kind: QuestionKind
    prompt: str
    points: float
    choices: tuple[dict[str, str], ...]
    answer_key: dict[str, Any]
    explanation: str


@dataclass(frozen=True, slots=True)
class SimulatedModule:
    """A module; without questions it has no assessment."""

    title: str
    lessons: tuple[SimulatedLesson, ...]
    questions: tuple[SimulatedQuestion, ...]
    passing_share: float = _PASSING_SHARE
    time_limit_seconds: int = _TIME_LIMIT_SECONDS
    attempt_limit: int = _ATTEMPT_LIMIT


def simulate_modules(course: CourseRecord) -> tuple[SimulatedModule, ...]:
    """Return the modules of a course: one for each of its skills, each closed by a short assessment."""
    return tuple(_module(course, skill, place) for place, skill in enumerate(course.skills or ()))


def _module(course: CourseRecord, skill: str, place: int) -> SimulatedModule:
    lessons = (
        _lesson(course, LessonKind.VIDEO, f"{skill}: what it is about", place),
        _lesson(course, LessonKind.ARTICLE, f"{skill}, step by step", place),
        _lesson(course, LessonKind.EXERCISE, f"Try {skill} yourself", place),
    )
    return SimulatedModule(skill, lessons, _questions(course.skills or (), place, len(lessons)))


def _lesson(course: CourseRecord, kind: LessonKind, title: str, place: int) -> SimulatedLesson:
    url = f"https://media.waymark.example/{course.slug}/{place + 1}.mp4" if kind is LessonKind.VIDEO else None
    body = f"# {title}\n\nA simulated lesson of the Waymark demonstration, from the course *{course.title}*."
    return SimulatedLesson(kind, title, _SECONDS[kind], url, body)


def _questions(skills: Sequence[str], place: int, lessons: int) -> tuple[SimulatedQuestion, ...]:
    choices = tuple({"id": f"c{number}", "text": skill} for number, skill in enumerate(skills))
    return (
        SimulatedQuestion(
            QuestionKind.SINGLE_CHOICE,
            "Which skill is this module about?",
            1.0,
            choices,
            {"choices": [f"c{place}"]},
            "It is in the title of the module.",
        ),
        SimulatedQuestion(
            QuestionKind.MULTIPLE_CHOICE,
            "Which skills does the course teach?",
            2.0,
            (*choices, {"id": "none", "text": "Levitation"}),
            {"choices": [choice["id"] for choice in choices]},
            "All but the last one.",
        ),
        SimulatedQuestion(
            QuestionKind.NUMERIC,
            "How many lessons does this module have?",
            1.0,
            (),
            {"number": lessons, "tolerance": 0},
            "A video, an article and an exercise.",
        ),
        SimulatedQuestion(
            QuestionKind.SHORT_ANSWER,
            "Name the skill of this module.",
            1.0,
            (),
            {"texts": [skills[place]]},
            "Upper and lower case are the same.",
        ),
    )
