"""Moments as clients write and read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from graphql import GraphQLError, GraphQLScalarType

from schema.contract import build_schema

DATE_TIME = build_schema()._schema.type_map["DateTime"]


@pytest.mark.parametrize(
    "written",
    ["2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01T13:00:00.000+01:00", "2026-03-01T12:00:00-00:00"],
)
def test_moments_with_an_offset_are_read(written: str) -> None:
    """Any offset names the same moment."""
    assert isinstance(DATE_TIME, GraphQLScalarType)
    assert datetime(2026, 3, 1, 12, tzinfo=UTC) == DATE_TIME.parse_value(written)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-W09-7T12:00:00Z",
        "now",
        "",
        1772366400,
        None,
        "2026-02-30T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_anything_else_is_refused_with_an_example(written: object) -> None:
    """A moment without an offset could be any of a day's."""
    assert isinstance(DATE_TIME, GraphQLScalarType)
    with pytest.raises(GraphQLError, match="RFC 3339"):
        DATE_TIME.parse_value(written)


def test_the_scalar_says_where_it_is_specified() -> None:
    """Tools follow the address to know the format."""
    assert isinstance(DATE_TIME, GraphQLScalarType)
    assert "https://www.rfc-editor.org/rfc/rfc3339" == DATE_TIME.specified_by_url
