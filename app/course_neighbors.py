"""The batch job behind `similarCourses`: from the lake to the table that every server reads."""

from __future__ import annotations

import asyncio
from datetime import datetime

from database.queries.history import TOPIC_PARENTS
from database.queries.similar_courses import replace_neighbors
from database.session import Database
from features.neighbors import nearest
from training.history import load_history
from warehouse.lake import Lake

_COUNT = 25
"""Five more than can be asked for, because some are archived before the next run."""


async def refresh_neighbors(database: Database, lake: Lake, moment: datetime) -> None:
    """Find the neighbors of all courses in the lake as it was before a moment, and store them.

    Raises:
        InputError: nothing was exported yet.
        UnavailableError: PostgreSQL cannot be reached.
    """
    async with database.reader() as reader:
        parents = {row.id: row.parent_id for row in await reader.fetch(TOPIC_PARENTS)}
    neighbors = await asyncio.to_thread(_find, lake, parents, moment)
    async with database.transaction() as connection:
        await replace_neighbors(connection, neighbors)


def _find(lake: Lake, parents: dict[int, int], moment: datetime) -> dict[int, list[int]]:
    history = load_history(lake, parents, moment)
    known = history.known(int(moment.timestamp() * 1_000_000))
    traits = history.traits
    found = nearest(
        history.interactions.select(known),
        traits.content,
        traits.levels,
        traits.languages,
        history.published,
        count=_COUNT,
    )
    neighbors: dict[int, list[int]] = {}
    pairs = zip(traits.course_ids[found.courses].tolist(), traits.course_ids[found.neighbors].tolist(), strict=True)
    for course_id, neighbor_id in pairs:
        neighbors.setdefault(course_id, []).append(neighbor_id)
    return neighbors
