"""Opaque ids."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from core.errors import InvalidArgumentError
from core.ids import GlobalId, decode_id, decode_key, encode_id, time_ordered_uuid


@given(st.sampled_from(["Course", "Topic", "Enrollment"]), st.integers(min_value=0, max_value=2**63 - 1))
def test_ids_round_trip(type_name: str, key: int) -> None:
    """What an id was made of comes back."""
    decoded = decode_id(encode_id(type_name, key))
    assert GlobalId(type_name, str(key)) == decoded
    assert key == decoded.number


@given(st.text(max_size=200))
def test_any_text_is_an_id_or_a_clear_error(text: str) -> None:
    """Only the one spelling that the server issues is taken; everything else is refused, never a crash."""
    try:
        decoded = decode_id(text)
    except InvalidArgumentError:
        return
    assert text == encode_id(*decoded)


@pytest.mark.parametrize("key", ["-1", "0x1", "1" * 20, str(2**63), "\u0661", ""])
def test_key_that_is_no_number_is_refused(key: str) -> None:
    """A key must be a positive 64-bit integer in ASCII digits."""
    with pytest.raises(InvalidArgumentError):
        _ = GlobalId("Course", key).number


def test_padded_spelling_is_refused() -> None:
    """An id has one spelling, so that clients can compare ids as strings."""
    issued = encode_id("Course", 12)
    assert decode_key(issued, "Course") == 12
    assert decode_key(issued + "=", "Course") is None


def test_key_of_another_type_is_none() -> None:
    """An id of a topic does not name a course."""
    assert decode_key(encode_id("Topic", 1), "Course") is None


def test_time_ordered_uuids_sort_by_time() -> None:
    """They are version 7 and their order is the order of their moments."""
    early = time_ordered_uuid(datetime(2026, 1, 1, tzinfo=UTC), lambda size: b"\xff" * size)
    late = time_ordered_uuid(datetime(2026, 1, 2, tzinfo=UTC), lambda size: b"\x00" * size)
    assert early < late
    assert (7, "specified in RFC 4122") == (early.version, early.variant)
