"""What the contract says of a field besides its type: what it costs, how long lists are, and who may keep an answer.

`@cost` and `@listSize` are those of the GraphQL cost directives specification (IBM, 2021), `@cacheControl` is Apollo's.
Clients read them in the published schema; `execution/costs.py` and `execution/caching.py` read the same objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import strawberry
from strawberry.schema_directive import Location

COMMAND_COST = 10
ASSUMED_SIZE = 10
PAGE_SIZE = 20
_PAGE_FIELDS = ["edges", "nodes"]


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
    description="What each value of a field costs. Without it, an object costs 1, and a scalar or an enum nothing.",
)
class Cost:
    """The weight of a field."""

    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How many values a list is counted as before it is read: the greatest of `slicingArguments`, or else "
    "`assumedSize`. With `sizedFields` the lists of those fields, one level below, are meant. Other lists count as 1.",
)
class ListSize:
    """The size of a list before it is known."""

    assumed_size: int | None = strawberry.directive_field(name="assumedSize", default=strawberry.UNSET)
    slicing_arguments: list[str] | None = strawberry.directive_field(name="slicingArguments", default=strawberry.UNSET)
    sized_fields: list[str] | None = strawberry.directive_field(name="sizedFields", default=strawberry.UNSET)
    require_one_slicing_argument: bool | None = strawberry.directive_field(
        name="requireOneSlicingArgument", default=True
    )


@strawberry.enum(description="Who may keep an answer. Open to growth.")
class CacheControlScope(Enum):
    """Everybody, or one session only."""

    PUBLIC = strawberry.enum_value("PUBLIC", description="It is the same for everybody.")
    PRIVATE = strawberry.enum_value(
        "PRIVATE", description="It depends on who asks; only answers to signed-out callers are kept."
    )


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT, Location.INTERFACE, Location.UNION],
    name="cacheControl",
    description="How many seconds an answer with this field may be kept. A field without it may not be kept, but for "
    "plain values of an object, which may be kept as long as the object.",
)
class CacheControl:
    """How long an answer may be kept."""

    max_age: int | None = strawberry.directive_field(name="maxAge", default=strawberry.UNSET)
    scope: CacheControlScope | None = strawberry.directive_field(name="scope", default=strawberry.UNSET)
    inherit_max_age: bool | None = strawberry.directive_field(name="inheritMaxAge", default=strawberry.UNSET)


@dataclass(frozen=True, slots=True)
class CacheHint:
    """How long an answer with a field may be kept.

    Attributes:
        max_age: seconds; None as long as the object that the field belongs to.
        personal: whether the field depends on who asks. Then only answers to signed-out callers are kept.
        tags: what a write to makes kept answers worthless, besides the rows that are in them.
    """

    max_age: int | None
    personal: bool = False
    tags: tuple[str, ...] = ()

    def directive(self) -> CacheControl:
        """Return what the contract says."""
        if self.max_age is None:
            return CacheControl(inherit_max_age=True)
        if self.personal:
            return CacheControl(max_age=self.max_age, scope=CacheControlScope.PRIVATE)
        return CacheControl(max_age=self.max_age)


INHERITED = CacheHint(None)
"""For what belongs to its object so closely that it may be kept as long."""


def public(seconds: int, *tags: str) -> CacheHint:
    """Return the hint of a field that is the same for everybody."""
    return CacheHint(seconds, tags=tags)


def signed_out(seconds: int, *tags: str) -> CacheHint:
    """Return the hint of a field that depends on who asks: it may be kept for those who are nobody."""
    return CacheHint(seconds, personal=True, tags=tags)


def page_size(by: Sequence[str]) -> ListSize:
    """Return the size of a Relay connection, which the arguments `by` bound."""
    return ListSize(
        assumed_size=PAGE_SIZE,
        slicing_arguments=list(by),
        sized_fields=_PAGE_FIELDS,
        require_one_slicing_argument=False,
    )


def list_size(assumed: int = ASSUMED_SIZE, by: str | None = None, of: tuple[str, ...] = ()) -> ListSize:
    """Return the size of a list.

    Args:
        assumed: how many values it has where nobody says.
        by: the argument that bounds it: a number, or a list that it is as long as; `input.events` is one inside.
        of: the fields of the answer that are so long; the field itself when there are none.
    """
    return ListSize(
        assumed_size=assumed,
        slicing_arguments=strawberry.UNSET if by is None else [by],
        sized_fields=list(of) if of else strawberry.UNSET,
        require_one_slicing_argument=strawberry.UNSET if by is None else False,
    )
