"""What a rule hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from catalog.metadata import CourseMetadata, FieldPath


class Finding(NamedTuple):
    """One breach of a rule.

    Attributes:
        message: one or two sentences that an author can act on.
        field: where it is.
    """

    message: str
    field: FieldPath


Check = Callable[[CourseMetadata], Iterable[Finding]]
"""Yields what is wrong with a course; nothing when it is right, or when the rule cannot judge it."""
