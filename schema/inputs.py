"""Reading inputs: what a client left out is None to the resolvers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import strawberry

ValueT = TypeVar("ValueT")

# Of every mutation; the name is the contract's, and shadows nothing that a stub uses.
INPUT = strawberry.argument(description="What to do it with.")


def given(value: ValueT | None) -> ValueT | None:
    """Return the value, or None where the client left it out."""
    return None if value is strawberry.UNSET else value


def given_tuple(values: Sequence[ValueT] | None) -> tuple[ValueT, ...] | None:
    """Return a list as a tuple, which compares and hashes, or None where the client left it out."""
    return None if values is None or values is strawberry.UNSET else tuple(values)
