"""How sources name levels, and which level of ours each name means."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from database.tables.courses import CourseLevel

# What a course without a known level is loaded as: it keeps nobody out.
UNKNOWN_LEVEL = CourseLevel.ALL_LEVELS

LEVELS: Mapping[str, CourseLevel] = MappingProxyType(
    {
        "all": CourseLevel.ALL_LEVELS,
        "all levels": CourseLevel.ALL_LEVELS,
        "beginner": CourseLevel.BEGINNER,
        "beginner level": CourseLevel.BEGINNER,
        "introductory": CourseLevel.BEGINNER,
        "intermediate": CourseLevel.INTERMEDIATE,
        "intermediate level": CourseLevel.INTERMEDIATE,
        "advanced": CourseLevel.ADVANCED,
        "expert": CourseLevel.ADVANCED,
        "expert level": CourseLevel.ADVANCED,
        "esperto": CourseLevel.ADVANCED,
    }
)


def level_of(text: str) -> CourseLevel | None:
    """Return the level that a source's word means, or None when the table does not have it."""
    return LEVELS.get(" ".join(text.lower().split()))
