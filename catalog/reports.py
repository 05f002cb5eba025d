"""The outcome of an import, in numbers for a person and row by row in a file."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from catalog.problems import Problem, Severity
from core.errors import InputError

COLUMNS = ("line", "column", "severity", "rule", "reason")


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did; counts are rows of the file.

    Attributes:
        noun: what the rows are, in the plural.
        source: where they came from.
        read: rows after the header.
        new: rows that were added.
        updated: rows that changed what was stored.
        unchanged: rows that were stored before, just so.
        learners: learners who were added.
        rules: how many problems there are of each severity and rule, the most frequent first.
        rejections: the first few rejected rows.
        report: the file with all problems; None when none was asked for.
    """

    noun: str
    source: str
    read: int
    new: int
    updated: int
    unchanged: int
    learners: int
    rules: tuple[tuple[Severity, str, int], ...]
    rejections: tuple[Problem, ...]
    report: Path | None

    @property
    def rejected(self) -> int:
        """Rows that were left out."""
        return sum(count for severity, _, count in self.rules if severity is Severity.REJECTED)

    @property
    def warnings(self) -> int:
        """Remarks on rows that were loaded."""
        return sum(count for severity, _, count in self.rules if severity is Severity.WARNING)


class ReportFile:
    """A report that takes its final name only when it is complete.

    Raises:
        InputError: it cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f"{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._draft.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise _unwritable(path, error) from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def write(self, problems: Iterable[Problem]) -> None:
        """Append problems."""
        try:
            for problem in problems:
                column = problem.column or ""
                self._writer.writerow((problem.line, column, problem.severity, problem.rule, problem.reason))
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def complete(self) -> None:
        """Put the report in its place, over that of an earlier run."""
        try:
            self._file.close()
            self._draft.replace(self._path)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"The report {path} cannot be written: {error.strerror or error}.")
