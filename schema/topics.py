"""Topics as clients see them."""

from __future__ import annotations

import strawberry

from database.queries.topics import TopicRow
from execution.fields import InstanceOf, batch, column
from resolvers import topics
from schema.nodes import Node, global_id
from schema.policies import ANYONE


@strawberry.type(description="A subject that courses are about; topics form a tree of two levels.")
class Topic(Node):
    """A topic."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Topic"))
    slug: str = column(ANYONE, "Readable name for URLs; unique.")
    name: str = column(ANYONE, "Name to show, in English.")

    @batch(topics.parent, policy=ANYONE)
    def parent(self) -> Topic | None:
        """The topic above this one; null at the top."""
        raise NotImplementedError

    is_type_of = InstanceOf(TopicRow)
