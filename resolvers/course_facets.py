"""Facets of a list of courses: how many courses there would be for each choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from database.queries import course_facets as queries
from database.queries.course_facets import TopicCountRow, ValueCountRow
from database.rows import Row
from database.statements import Statement
from resolvers.context import Context
from resolvers.courses import CoursePage, Criteria

CountedT = TypeVar("CountedT", bound=Row)


@dataclass(frozen=True, slots=True)
class TopicCount:
    """A topic, and how many courses are on it."""

    topic: TopicCountRow
    count: int


async def levels(context: Context, pages: Sequence[CoursePage]) -> list[list[ValueCountRow]]:
    """Return how many courses each level has, whatever levels the list is filtered by."""
    return await _counted(context, pages, queries.levels, "levels")


async def languages(context: Context, pages: Sequence[CoursePage]) -> list[list[ValueCountRow]]:
    """Return how many courses each language has, whatever languages the list is filtered by."""
    return await _counted(context, pages, queries.languages, "languages")


async def on_topics(context: Context, pages: Sequence[CoursePage]) -> list[list[TopicCount]]:
    """Return how many courses each topic has, whatever topics the list is filtered by."""
    counted = await _counted(context, pages, queries.on_topics, "topic_ids")
    return [[TopicCount(row, row.count) for row in rows] for rows in counted]


async def _counted(
    context: Context, pages: Sequence[CoursePage], statement: Callable[[frozenset[str]], Statement[CountedT]], own: str
) -> list[list[CountedT]]:
    """Count for each list, with one statement for each that differs, leaving out the facet's `own` filter."""
    answers: dict[Criteria, list[CountedT]] = {}
    for criteria in dict.fromkeys(page.criteria for page in pages):
        values: dict[str, Any] = {name: value for name, value in criteria.values().items() if name != own}
        answers[criteria] = await context.reader.fetch(statement(frozenset(values)), **values)
    return [answers[page.criteria] for page in pages]
