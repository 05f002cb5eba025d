"""A circuit breaker: a part that keeps failing is left alone for a while; and what is no failure of a part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from core.errors import UnavailableError

FAILURES = 3
OPEN_FOR = timedelta(seconds=5)


class DeclinedError(UnavailableError):
    """A part that works cannot answer this one request, which says nothing of the next."""


class BusyError(DeclinedError):
    """Too many ask a part at once."""


class Patience:
    """What one request brings along when it is ranked, by one release or by two.

    Attributes:
        waited: seconds that it stood in line, which is not the fault of the part at the end of the line.
        stored: features of its learner, read for it already; None until they are.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self.stored: Mapping[str, float] | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside, however it ends."""
        since = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - since


class Breaker:
    """Opens after some failures in a row; when it has been open long enough, one caller may try again."""

    def __init__(self, failures: int = FAILURES, open_for: timedelta = OPEN_FOR) -> None:
        self._most = failures
        self._open_for = open_for
        self._failures = 0
        self._closed_from: datetime | None = None

    def allows(self, now: datetime) -> bool:
        """Return whether to try; while it is open, only the first caller after the pause may."""
        if self._closed_from is None:
            return True
        if self.is_open(now):
            return False
        self._closed_from = now + self._open_for
        return True

    def is_open(self, now: datetime) -> bool:
        """Return whether nobody may try; asking changes nothing."""
        # A clock that was set back must not keep it open for longer than it was meant to be.
        return self._closed_from is not None and now < self._closed_from <= now + self._open_for

    def failed(self, now: datetime) -> None:
        """Note a failure."""
        self._failures += 1
        if self._failures >= self._most:
            self._closed_from = now + self._open_for

    def succeeded(self) -> None:
        """Note a success, which closes it."""
        self._failures = 0
        self._closed_from = None
