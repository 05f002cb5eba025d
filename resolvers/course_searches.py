"""How the words of a search are read: as they are, with the last one going on, or corrected."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s
from typing import Any

from database.queries import course_searches as queries
from resolvers.context import Context
from resolvers.spelling import correctable, corrected


@dataclass(frozen=True, slots=True)
class Reading:
    """What is searched for. All pages of a list, its count and its facets are of one reading.

    Attributes:
        query: the words.
        prefix: whether the last word may go on.
    """

    query: str
    prefix: bool = False

    def values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {"query": self.query, "prefix": self.prefix}


async def read(context: Context, query: str) -> Reading:
    """Return the first reading that finds a published course: the words, words begun, words corrected.

    It takes one statement, and another one for words that nothing has. When no reading finds anything, the
    words stay as they are.

    Args:
        context: the request.
        query: without NUL.
    """
    (found,) = await context.reader.fetch(queries.READING, query=query)
    words = [] if found.exact or found.starting else correctable(query)
    if not words:
        return Reading(query, prefix=found.starting and not found.exact)
    better = corrected(query, await context.reader.fetch(queries.SPELLINGS, words=words))
    return Reading(query) if better is None else Reading(better.query, better.prefix)


def digest(query: str) -> str:
    """Return what tells the cursors of one search from those of another."""
    return blake2s(query.encode(), digest_size=6).hexdigest()
