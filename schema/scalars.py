"""Custom scalars, each with the specification that it keeps to."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

# fromisoformat reads more than RFC 3339 allows, such as a week, or a moment without an offset.
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _parse(value: object) -> datetime:
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        # Not every combination of digits is a moment, and not every moment exists in UTC.
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    raise GraphQLError("A DateTime is written as in RFC 3339, with an offset: 2026-03-01T12:00:00Z.")


def _serialize(value: datetime) -> str:
    return value.isoformat()


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="A moment with its offset from UTC, such as `2026-03-01T12:00:00+00:00`. Answers are in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=_serialize,
    parse_value=_parse,
)
