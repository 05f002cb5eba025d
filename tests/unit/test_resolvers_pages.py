"""Keyset pagination against a plain list."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from core.errors import InvalidArgumentError
from resolvers.pages import Count, Page, decode_cursor, encode_cursor, page, total_count, window


async def _none(_context: object, keys: object) -> list[int]:
    raise AssertionError(keys)


NOT_COUNTED = Count(_none, None)


def ask(numbers: list[int], **arguments: object) -> Page[int]:
    """Answer a page of a sorted list as a statement and `page` would."""
    asked = window(scope="numbers", kinds=(int,), **{"first": None, "after": None, **arguments})  # type: ignore[arg-type]
    kept = [
        number
        for number in numbers
        if (asked.after is None or number > asked.after[0]) and (asked.before is None or number < asked.before[0])
    ]
    fetched = sorted(kept, reverse=asked.backward)[: asked.limit + 1]
    return page(fetched, asked, scope="numbers", key=lambda number: (number,), count=NOT_COUNTED)


@given(st.sets(st.integers(0, 200)), st.integers(1, 20))
def test_walking_forward_and_backward_meets_every_node_once(numbers: set[int], size: int) -> None:
    """Pages joined together are the list, in both directions."""
    ordered = sorted(numbers)
    for backward in (False, True):
        met: list[list[int]] = []
        cursor: str | None = None
        while True:
            part = ask(ordered, last=size, before=cursor) if backward else ask(ordered, first=size, after=cursor)
            met.append(part.nodes)
            if not (part.page_info.has_previous_page if backward else part.page_info.has_next_page):
                break
            cursor = part.page_info.start_cursor if backward else part.page_info.end_cursor
        pages = reversed(met) if backward else met
        assert ordered == [number for nodes in pages for number in nodes]


def test_page_stays_right_while_rows_are_inserted() -> None:
    """A row inserted before the cursor neither repeats nor skips one."""
    first = ask([1, 2, 3, 4], first=2)
    second = ask([0, 1, 2, 3, 4], first=2, after=first.page_info.end_cursor)
    assert [3, 4] == second.nodes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"first": 1, "last": 1}, "either"),
        ({"first": 101}, "`first` must be from 0 to 100"),
        ({"first": -1}, "`first` must be from 0 to 100"),
        ({"last": 101}, "`last` must be from 0 to 100"),
        ({"after": "nonsense"}, "cursor"),
        ({"after": "é"}, "cursor"),
        ({"after": encode_cursor("others", (1,))}, "cursor"),
        ({"after": encode_cursor("numbers", ("1",))}, "cursor"),
        ({"after": encode_cursor("numbers", (True,))}, "cursor"),
        ({"before": encode_cursor("numbers", (1, 2))}, "cursor"),
        ({"after": "WyJudW1iZXJzIiw5MjIzMzcyMDM2ODU0Nzc1ODA4XQ"}, "cursor"),
    ],
)
def test_wrong_arguments_get_a_clear_error(arguments: dict[str, object], said: str) -> None:
    """A page that cannot be meant is refused, and the message names the argument."""
    with pytest.raises(InvalidArgumentError, match=said):
        ask([1], **arguments)


def test_empty_page_has_no_cursors() -> None:
    """`first: 0` is a page without edges, and says whether there is more."""
    empty = ask([1], first=0)
    assert (None, None, True) == (
        empty.page_info.start_cursor,
        empty.page_info.end_cursor,
        empty.page_info.has_next_page,
    )


@given(
    st.text(st.characters(exclude_characters="\0")),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
)
def test_cursors_hold_keys_exactly(text: str, real: float, number: int) -> None:
    """Whatever a sort key is, its cursor brings it back."""
    text = text.encode("utf-8", "ignore").decode()
    assert (text, real, number) == decode_cursor(
        "s", encode_cursor("s", (text, float(real), number)), (str, float, int)
    )


async def test_alike_pages_are_counted_by_one_call() -> None:
    """Connections of one level share the call that counts them."""
    calls: list[list[str]] = []

    async def lengths(_context: object, keys: object) -> list[int]:
        assert isinstance(keys, list)
        calls.append(keys)
        return [len(key) for key in keys]

    asked = window(scope="s", kinds=(int,), first=0, after=None)
    pages: list[Page[str]] = [
        page([], asked, scope="s", key=tuple, count=Count(lengths, key)) for key in ("a", "bb", "")
    ]
    assert [1, 2, 0] == await total_count(None, pages)
    assert [["a", "bb", ""]] == calls
