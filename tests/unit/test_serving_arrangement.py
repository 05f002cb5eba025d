"""Spreading main topics: the same as looking through all that wait, each time."""

from __future__ import annotations

from hypothesis import given, strategies as st

from serving.arrangement import TOPIC_SHARE, TOPIC_SPREAD, spread_places


def by_looking(topics: list[int | None]) -> list[int]:
    """Return what the definition says: the best whose topic is not too frequent just before, or the best of all."""
    waiting, found = list(range(len(topics))), list[int]()
    while waiting:
        before = [topics[place] for place in found[-(TOPIC_SPREAD - 1) :]]
        allowed = [p for p in waiting if topics[p] is None or before.count(topics[p]) < TOPIC_SHARE]
        found.append((allowed or waiting)[0])
        waiting.remove(found[-1])
    return found


@given(st.lists(st.none() | st.integers(0, 4), max_size=60))
def test_the_next_is_the_best_whose_topic_is_not_too_frequent(topics: list[int | None]) -> None:
    """Whatever the topics, the order is the one that looking through all of them gives."""
    assert by_looking(topics) == spread_places(topics)
