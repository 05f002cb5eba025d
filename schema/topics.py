"""Topics as clients see them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from database.notifications import CATALOG
from database.queries.topics import CHILDREN_OF_TOPIC, ENGLISH_NAME, PARENT_OF_TOPIC, TopicRow
from execution.directives import INHERITED, public
from execution.fields import InstanceOf, batch, column
from resolvers import topics
from schema.inputs import given
from schema.nodes import Node, global_id
from schema.policies import ANYONE

TOPICS = public(300, CATALOG)
"""Topics change when a catalog is imported, and hardly ever otherwise."""


@strawberry.type(description="A subject that courses are about; topics form a tree of two levels.")
class Topic(Node):
    """A topic."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Topic"))
    slug: str = column(ANYONE, "Readable name for URLs; unique.")

    @batch(topics.name, policy=ANYONE, cached=INHERITED, relation=ENGLISH_NAME)
    def name(
        self,
        language: Annotated[
            str | None,
            strawberry.argument(
                description="BCP 47 tag, such as `es` or `pt-BR`; where there is no name in it, nor in a language that "
                "it narrows, the English one is given."
            ),
        ] = strawberry.UNSET,
    ) -> str:
        """Name to show; in English when no language is asked for."""
        raise NotImplementedError

    @batch(topics.children, policy=ANYONE, cached=TOPICS, relation=CHILDREN_OF_TOPIC)
    def children(self) -> list[Topic]:
        """The topics below this one, by slug; empty at the second level."""
        raise NotImplementedError

    @batch(topics.parent, policy=ANYONE, cached=TOPICS, relation=PARENT_OF_TOPIC)
    def parent(self) -> Topic | None:
        """The topic above this one; null at the top."""
        raise NotImplementedError

    is_type_of = InstanceOf(TopicRow)


@strawberry.input(one_of=True, description="Names one topic: exactly one of the fields.")
class TopicBy:
    """How a client names one topic."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its opaque id.")
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="Its slug.")

    def to_criteria(self) -> topics.TopicKey:
        """Return the resolver's form."""
        return topics.TopicKey(id=given(self.id), slug=given(self.slug))
