"""What an import tells the owner of a file: which row, which column, how bad, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from typing_extensions import override

RecordT = TypeVar("RecordT")

_LONGEST_EXCERPT = 40


class Severity(StrEnum):
    """Whether a row with the problem still loads: all but rejected ones do."""

    REJECTED = "rejected"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of an import's report.

    Attributes:
        line: physical line that the row begins on, the header being line 1.
        column: name of the column; None when the whole row is at fault.
        severity: whether the row was left out.
        rule: stable name of what was broken, such as `unknown_level`.
        reason: what is wrong, for the person who owns the file.
    """

    line: int
    column: str | None
    severity: Severity
    rule: str
    reason: str

    @override
    def __str__(self) -> str:
        """Return the problem as one line for a person."""
        where = f"line {self.line}" if self.column is None else f"line {self.line}, {self.column}"
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Parsed(Generic[RecordT]):
    """What one row of a file became.

    Attributes:
        record: the record to load; None when the row is rejected.
        problems: a rejection, or any number of warnings and remarks.
    """

    record: RecordT | None
    problems: tuple[Problem, ...] = ()


def rejected(line: int, column: str | None, rule: str, reason: str) -> Parsed[RecordT]:
    """Return a row that does not load."""
    return Parsed(None, (Problem(line, column, Severity.REJECTED, rule, reason),))


def excerpt(value: str) -> str:
    """Return a value as a message may quote it: on one line, and short."""
    text = value if len(value) <= _LONGEST_EXCERPT else f"{value[:_LONGEST_EXCERPT]}..."
    return repr(text)
