"""What an answer is made of, as writes name it when they change it: so that kept answers are not kept too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from database.notifications import CATALOG, course_topic
from database.queries.courses import CourseRow
from database.queries.reviews import ReviewRow
from resolvers.pages import Page


def tags_of(value: Any) -> Iterator[str]:
    """Yield the topics of the rows in what a batch resolver answered.

    What was looked for and not found may be published next, so it belongs to the catalog as a whole.
    """
    if value is None:
        yield CATALOG
    elif isinstance(value, CourseRow):
        yield course_topic(value.id)
    elif isinstance(value, ReviewRow):
        yield course_topic(value.course_id)
    elif isinstance(value, Page):
        for node in value.nodes:
            yield from tags_of(node)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tags_of(one)
