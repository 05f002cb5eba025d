"""Reasons of recommendations: the rows that they speak of, and their texts in the languages of `FILE`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from database.queries.courses import CourseRow
from database.queries.topics import TopicRow
from resolvers.context import Context
from resolvers.languages import wider_tags
from resolvers.topics import label
from serving.rankings import Reason, ReasonKind

FILE = Path(__file__).with_suffix(".toml")
"""The texts by language and kind, for translators; a test holds that they are complete."""
DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class RecommendationReason:
    """A reason with the rows that it refers to."""

    kind: ReasonKind
    course: CourseRow | None
    topic: TopicRow | None


def with_rows(
    reasons: Sequence[Reason], course_rows: Mapping[int, CourseRow], topic_rows: Mapping[int, TopicRow]
) -> list[RecommendationReason]:
    """Return the reasons with their rows, without those that speak of a course or topic that is gone."""
    return [
        RecommendationReason(
            kind=reason.kind,
            course=None if reason.course_id is None else course_rows[reason.course_id],
            topic=None if reason.topic_id is None else topic_rows[reason.topic_id],
        )
        for reason in reasons
        if (reason.course_id is None or reason.course_id in course_rows)
        and (reason.topic_id is None or reason.topic_id in topic_rows)
    ]


async def text(_context: Context, reasons: Sequence[RecommendationReason], *, language: str | None = None) -> list[str]:
    """Return each reason as a sentence in a language, or else in English, with names of topics as `Topic.name`."""
    known, tags = texts(), wider_tags(language)
    chosen = known[next((tag for tag in tags if tag in known), DEFAULT)]
    return [
        chosen[reason.kind].format(
            course="" if reason.course is None else reason.course.title,
            topic="" if reason.topic is None else label(reason.topic, tags),
        )
        for reason in reasons
    ]


@cache
def texts() -> Mapping[str, Mapping[ReasonKind, str]]:
    """Return the texts by language, a tag in lower case, and kind, with the places `{course}` and `{topic}`."""
    written = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {tag.lower(): {ReasonKind(kind): told for kind, told in kinds.items()} for tag, kinds in written.items()}
