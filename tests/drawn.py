"""Values that hypothesis draws ahead of a test that is asynchronous, or that wants all of them together."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

ValueT = TypeVar("ValueT")


def drawn(strategy: SearchStrategy[ValueT], count: int) -> list[ValueT]:
    """Return up to `count` values, the same in every run."""
    found: list[ValueT] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: ValueT) -> None:
        found.append(value)

    collect()
    return found
