"""Levels of courses as clients see them."""

from __future__ import annotations

from database.tables.courses import CourseLevel
from schema.enums import describe

__all__ = ["CourseLevel"]

describe(
    CourseLevel,
    "How much a course expects of its learners. Open to growth: treat unknown values as ALL_LEVELS.",
    BEGINNER="Nothing is expected.",
    INTERMEDIATE="The basics are expected.",
    ADVANCED="Practice is expected.",
    ALL_LEVELS="Something for everybody, or unknown.",
)
