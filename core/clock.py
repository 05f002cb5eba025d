"""Time is passed in, so that tests need neither sleep nor patching."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current moment, aware and in UTC."""


def system_clock() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to move; for tests and simulations."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the moment that was last set."""
        return self.now
