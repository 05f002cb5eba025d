"""Topics: a taxonomy of two levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.ids import decode_key
from database.queries import topics as queries
from database.queries.topics import TopicRow
from resolvers.batches import aligned
from resolvers.context import Context
from resolvers.languages import wider_tags
from resolvers.pages import Count, Page, page, window

_SCOPE = "topics"


async def topics(
    context: Context,
    roots: Sequence[None],
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> list[Page[TopicRow]]:
    """Return a page of all topics, ordered by slug."""
    asked = window(scope=_SCOPE, kinds=(str,), first=first, after=after, last=last, before=before)
    statement = queries.page(after=asked.after is not None, before=asked.before is not None, backward=asked.backward)
    values: dict[str, Any] = {"limit": asked.limit + 1}
    if asked.after is not None:
        (values["after"],) = asked.after
    if asked.before is not None:
        (values["before"],) = asked.before
    rows = await context.reader.fetch(statement, **values)
    answer = page(rows, asked, scope=_SCOPE, key=lambda row: (row.slug,), count=Count(_count, None))
    return [answer] * len(roots)


async def _count(context: Context, keys: Sequence[None]) -> list[int]:
    (row,) = await context.reader.fetch(queries.COUNT)
    return [row.count] * len(keys)


@dataclass(frozen=True, slots=True)
class TopicKey:
    """How a client names one topic: by its opaque id or by its slug."""

    id: str | None = None
    slug: str | None = None


async def topic(context: Context, roots: Sequence[None], *, by: TopicKey) -> list[TopicRow | None]:
    """Return the topic that `by` names, or None."""
    found: TopicRow | None = None
    if by.slug is not None:
        found = await context.reader.fetch_first(queries.BY_SLUGS, slugs=[by.slug.replace("\0", "")])
    elif by.id is not None and (key := decode_key(by.id, "Topic")) is not None:
        found = await context.reader.fetch_first(queries.BY_IDS, ids=[key])
    return [found] * len(roots)


async def name(_context: Context, topics: Sequence[TopicRow], *, language: str | None = None) -> list[str]:
    """Return the name of each topic in a language, or else in English."""
    tags = wider_tags(language)
    return [label(row, tags) for row in topics]


def label(topic: TopicRow, tags: Sequence[str]) -> str:
    """Return the name of a topic under the first of the tags that it has one for, or else in English."""
    return next((topic.labels[tag] for tag in tags if tag in topic.labels), topic.name)


async def children(context: Context, topics: Sequence[TopicRow]) -> list[list[TopicRow]]:
    """Return the topics below each topic, by slug."""
    groups: dict[int | None, list[TopicRow]] = {topic.id: [] for topic in topics}
    for row in await context.reader.fetch(queries.CHILDREN, ids=list(groups)):
        groups[row.parent_id].append(row)
    return [groups[topic.id] for topic in topics]


async def parent(context: Context, topics: Sequence[TopicRow]) -> list[TopicRow | None]:
    """Return the topic above each topic; None at the top."""
    wanted = {topic.parent_id for topic in topics if topic.parent_id is not None}
    found = await by_ids(context, sorted(wanted)) if wanted else []
    above = {row.id: row for row in found if row is not None}
    return [None if topic.parent_id is None else above.get(topic.parent_id) for topic in topics]


async def by_ids(context: Context, keys: Sequence[int]) -> list[TopicRow | None]:
    """Return the topic of each key, or None."""
    return aligned(await context.reader.fetch(queries.BY_IDS, ids=list(keys)), keys)
