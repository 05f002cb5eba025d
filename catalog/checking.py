"""A file of courses, judged as a whole and without a database: how often each rule is broken, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from catalog.importers.files import Progress, open_source
from catalog.judging import Judged, course_format, judged
from catalog.metadata import CourseMetadata
from catalog.quality import QualitySeverity, Standards, score
from catalog.taxonomy import Taxonomy
from core.errors import InputError

_EXAMPLES = 20
_LINES = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One row that breaks a rule.

    Attributes:
        line: physical line that it begins on.
        column: column of the file; None when the whole row is at fault.
        message: what is wrong.
    """

    line: int
    column: str | None
    message: str


@dataclass(slots=True)
class BrokenRule:
    """A rule, and how often a file breaks it.

    Attributes:
        rule: name of the rule.
        severity: what a breach means for publication.
        rows: rows that break it.
        examples: the first of them.
    """

    rule: str
    severity: QualitySeverity
    rows: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class UnmappedTag:
    """A tag that the taxonomy has no place for.

    Attributes:
        tag: as the source writes it.
        nearest: slug of the topic above that it counts as, if there is one.
        rows: rows that have it.
        lines: the first of them.
    """

    tag: str
    nearest: str | None
    rows: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the rules of quality say of a file.

    Attributes:
        file: name of the file.
        format: name of its format.
        sha256: digest of the file.
        rows: rows after the header.
        loadable: rows that break no blocking rule.
        mean_score: mean of the scores of all rows that could be read, 0 when there are none.
        rules: broken rules, the worst and most frequent first.
        unmapped: unknown tags, the most frequent first.
    """

    file: str
    format: str
    sha256: str
    rows: int
    loadable: int
    mean_score: float
    rules: tuple[BrokenRule, ...]
    unmapped: tuple[UnmappedTag, ...]

    def write(self, path: Path) -> None:
        """Write the report as JSON, over that of an earlier run; it takes its name when it is complete.

        Raises:
            InputError: it cannot be written there.
        """
        draft = path.with_name(f"{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise InputError(f"The report {path} cannot be written: {error.strerror or error}.") from error


def check_courses(
    path: Path, format_name: str, taxonomy: Taxonomy, standards: Standards, progress: Progress | None = None
) -> CheckReport:
    """Judge a file of courses.

    Args:
        path: the file, plain or packed with gzip.
        format_name: one of `catalog.judging.course_formats`.
        taxonomy: what tags are mapped to.
        standards: how strict the rules are.
        progress: is told how far the file was read.

    Raises:
        InputError: the file as a whole cannot be used.
    """
    chosen = course_format(format_name)
    tally = _Tally()
    with open_source(path, chosen.columns, progress) as file:
        for course in judged(file.rows(), chosen, taxonomy, standards):
            tally.add(course, chosen.judged)
        return CheckReport(
            file=path.name,
            format=format_name,
            sha256=file.sha256,
            rows=tally.rows,
            loadable=tally.loadable,
            mean_score=round(tally.scores / tally.scored, 4) if tally.scored else 0.0,
            rules=tally.broken(),
            unmapped=tally.unknown(),
        )


class _Finding(NamedTuple):
    rule: str
    severity: QualitySeverity
    column: str | None
    message: str


class _Tally:
    """Counts, while the rows go by."""

    def __init__(self) -> None:
        self.rows = 0
        self.loadable = 0
        self.scores = 0.0
        self.scored = 0
        self._rules: dict[tuple[str, QualitySeverity], BrokenRule] = {}
        self._tags: dict[str, UnmappedTag] = {}

    def add(self, course: Judged, columns: Mapping[str, str]) -> None:
        self.rows += 1
        self.loadable += course.parsed.record is not None
        if course.metadata is not None:
            self.scored += 1
            self.scores += score(course.issues)
            self._count_tags(course.line, course.metadata)
        first: dict[tuple[str, QualitySeverity], _Finding] = {}
        for finding in _findings(course, columns):
            first.setdefault((finding.rule, finding.severity), finding)
        for key, finding in first.items():
            broken = self._rules.setdefault(key, BrokenRule(*key))
            broken.rows += 1
            if len(broken.examples) < _EXAMPLES:
                broken.examples.append(Example(course.line, finding.column, finding.message))

    def broken(self) -> tuple[BrokenRule, ...]:
        """Return the broken rules, the worst first and then the most frequent."""
        order = list(QualitySeverity)
        return tuple(sorted(self._rules.values(), key=lambda rule: (order.index(rule.severity), -rule.rows, rule.rule)))

    def unknown(self) -> tuple[UnmappedTag, ...]:
        """Return the unknown tags, the most frequent first."""
        return tuple(sorted(self._tags.values(), key=lambda tag: (-tag.rows, tag.tag)))

    def _count_tags(self, line: int, course: CourseMetadata) -> None:
        nearest = course.topics[0] if course.topics else None
        for name in course.unmapped.get("topics", ()):
            tag = self._tags.setdefault(name, UnmappedTag(name, nearest))
            tag.rows += 1
            if len(tag.lines) < _LINES:
                tag.lines.append(line)


def _findings(course: Judged, columns: Mapping[str, str]) -> Iterator[_Finding]:
    """Yield what is wrong with a row: what the rules say, and what the reading of the file says besides."""
    for issue in course.issues:
        yield _Finding(issue.rule, issue.severity, columns.get(issue.field[0], issue.field[0]), issue.message)
    rules = {issue.rule for issue in course.issues}
    for problem in course.parsed.problems:
        if problem.rule not in rules:
            yield _Finding(problem.rule, QualitySeverity.BLOCKING, problem.column, problem.reason)
