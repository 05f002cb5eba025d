"""The one way of courses and of learners' history into the database.

A file is streamed into temporary tables and applied in one transaction: whatever ends an import early (a
broken file, a full disk, Ctrl-C, a kill) leaves the database as it was. Doing it twice changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from catalog.importers import enrollments as enrollment_files
from catalog.importers.files import Progress, SourceFile, SourceRow, open_source
from catalog.judging import course_format, judged
from catalog.problems import Parsed, Problem, Severity, rejected
from catalog.quality import Standards
from catalog.records import CourseRecord, EnrollmentRecord
from catalog.reports import ImportSummary, ReportFile
from catalog.taxonomy import Taxonomy, TopicPath, curated, labels
from core.clock import Clock
from core.errors import InputError, RowError, UnavailableError
from database.notifications import EVERYTHING, notify
from database.queries import audit, course_imports, enrollment_imports, erasures, imports
from database.session import Database

RecordT = TypeVar("RecordT")

SourceIndex = Callable[[str, str], bytes]

SIMULATED = "simulated"
_NAMES_ARE_IN = "en"
_BATCH = 5_000
_SHOWN = 5
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_DISK_FULL = "53100"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one set of records did to the database, as `ImportSummary` has it."""

    read: int
    new: int
    updated: int
    unchanged: int
    learners: int = 0


async def import_courses(
    database: Database,
    clock: Clock,
    path: Path,
    *,
    format_name: str = "udemy",
    source: str | None = None,
    report: Path | None = None,
    strict: bool = False,
    taxonomy: Taxonomy | None = None,
    standards: Standards | None = None,
    progress: Progress | None = None,
) -> ImportSummary:
    """Load a file of courses.

    Args:
        database: where to.
        clock: the moment of the import.
        path: the file, plain or packed with gzip.
        format_name: one of `catalog.judging.course_formats`.
        source: name of where the courses come from; that of the format when not given.
        report: where to write what is wrong, row by row.
        strict: refuse the whole file when any row is rejected.
        taxonomy: what tags are mapped to; the curated one when not given.
        standards: how strict the rules of quality are; the documented severities when not given.
        progress: is told how far the file was read.

    Raises:
        InputError: the file, the report or the platform cannot be used; nothing was changed.
        UnavailableError: PostgreSQL failed; nothing was changed.
    """
    chosen = course_format(format_name)
    source = _checked(source or chosen.source)
    now = clock()
    with open_source(path, chosen.columns, progress) as file:
        ending = _Ending("catalog.import", "courses", source, now, file, report, strict=strict)
        async with transaction(database) as connection:
            courses = (
                course.parsed for course in judged(file.rows(), chosen, taxonomy or curated(), standards or Standards())
            )
            loaded = await load_courses(connection, courses, source=source, now=now)
            return await _finish(connection, loaded, ending)


async def import_enrollments(
    database: Database,
    clock: Clock,
    path: Path,
    *,
    source: str = "udemy",
    report: Path | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    source_index: SourceIndex | None = None,
) -> ImportSummary:
    """Load a file of enrollments in courses of `source`, which are in the catalog already.

    The arguments and errors are those of `import_courses`, but for `source_index`: it gives the keyed hash of a source
    and a learner's id there, by which those are left out who were erased; None where nobody can have been.
    """
    source = _checked(source)
    now = clock()
    parse = partial(enrollment_files.parse, now=now)
    with open_source(path, enrollment_files.COLUMNS, progress) as file:
        ending = _Ending("events.import", "enrollments", source, now, file, report, strict=strict)
        async with transaction(database) as connection:
            if not await course_imports.count_courses(connection, source):
                raise InputError(
                    f"The catalog has no course of the source {source!r}. Import its courses first, with "
                    "`waymark catalog import`, or name another --source."
                )
            loaded = await load_enrollments(
                connection, _parsed(file, parse), source=source, now=now, source_index=source_index
            )
            return await _finish(connection, loaded, ending)


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open the one transaction of an import, with the list of problems in it.

    Raises:
        InputError: another import is running.
        UnavailableError: PostgreSQL failed; everything was rolled back.
    """
    try:
        async with database.transaction() as connection:
            if not await imports.begin(connection):
                raise InputError("Another import is running on this database; wait for its end.")
            yield connection
            await notify(connection, [EVERYTHING])
    except DBAPIError as error:
        raise _unavailable(error.orig or error) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise _unavailable(error) from error


async def load_courses(
    connection: AsyncConnection, courses: Iterable[Parsed[CourseRecord]], *, source: str, now: datetime
) -> Loaded:
    """Load courses in the transaction of an import; problems are added to its list.

    No two of them may have the same id or the same slug: `judged` sees to that.
    """
    await course_imports.prepare_courses(connection)
    topics: dict[str, TopicPath] = {}
    read = 0
    for batch in _batches(courses):
        read += len(batch)
        await _copy_problems(connection, batch)
        records = [parsed.record for parsed in batch if parsed.record is not None]
        rows = [_course_row(record) for record in records]
        await imports.copy(connection, "import_courses", course_imports.COURSE_COLUMNS, rows)
        found = {path.slug: path for record in records for topic in record.topics for path in _upwards(topic)}
        fresh = [_topic_row(path) for slug, path in found.items() if slug not in topics]
        await imports.copy(connection, "import_topics", course_imports.TOPIC_COLUMNS, fresh)
        topics |= found
    counts = await course_imports.apply_courses(connection, source, now)
    return Loaded(read, counts.new, counts.updated, counts.unchanged)


async def load_enrollments(
    connection: AsyncConnection,
    enrollments: Iterable[Parsed[EnrollmentRecord]],
    *,
    source: str,
    now: datetime,
    source_index: SourceIndex | None = None,
) -> Loaded:
    """Load enrollments in the transaction of an import; problems are added to its list."""
    await enrollment_imports.prepare_enrollments(connection)
    read = 0
    for batch in _batches(enrollments):
        read += len(batch)
        await _copy_problems(connection, batch)
        rows = [
            (record.line, record.learner_id, record.course_id, record.enrolled_at)
            for record in (parsed.record for parsed in batch)
            if record is not None
        ]
        await imports.copy(connection, "import_enrollments", enrollment_imports.ENROLLMENT_COLUMNS, rows)
    if source_index is not None:
        erased = await erasures.source_indexes(connection, source)
        if erased:
            await enrollment_imports.leave_out_erased(connection, lambda key: source_index(source, key) in erased)
    counts = await enrollment_imports.apply_enrollments(connection, source, now)
    return Loaded(read, counts.new, 0, counts.unchanged, counts.learners)


async def record_import(
    connection: AsyncConnection, action: str, source: str, details: dict[str, int | str], now: datetime
) -> None:
    """Write an import into the audit trail: numbers and digests, never a name of a file or a person."""
    await audit.insert(
        connection,
        {
            "occurred_at": now,
            "actor_account_id": None,
            "action": action,
            "subject_type": "Source",
            "subject_id": source,
            "outcome": "done",
            "request_id": None,
            "details": details,
        },
    )


def _checked(source: str) -> str:
    if not _SOURCE.fullmatch(source):
        raise InputError(
            f"The source {source!r} is not a name: a lower-case letter, then letters, digits, _ or -, at most 32."
        )
    if source == SIMULATED:
        raise InputError(f"The source {SIMULATED!r} is for the demonstration alone; name another --source.")
    return source


def _parsed(file: SourceFile, parse: Callable[[SourceRow], Parsed[RecordT]]) -> Iterator[Parsed[RecordT]]:
    for row in file.rows():
        yield rejected(row.line, row.column, "malformed_row", row.reason) if isinstance(row, RowError) else parse(row)


def _batches(items: Iterable[RecordT]) -> Iterator[list[RecordT]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


async def _copy_problems(connection: AsyncConnection, batch: Iterable[Parsed[Any]]) -> None:
    rows = [
        (problem.line, problem.column, problem.severity.value, problem.rule, problem.reason)
        for parsed in batch
        for problem in parsed.problems
    ]
    await imports.copy(connection, "import_problems", imports.PROBLEM_COLUMNS, rows)


def _course_row(course: CourseRecord) -> tuple[Any, ...]:
    """Return a course in the order of `COURSE_COLUMNS`."""
    prerequisites = course.prerequisites
    return (
        course.line,
        course.source_id,
        course.slug,
        course.title,
        course.summary,
        course.description,
        course.level.value,
        course.language,
        course.duration_minutes,
        course.published_at,
        [topic.slug for topic in course.topics],
        None if course.skills is None else list(course.skills),
        None if course.instructors is None else list(dict.fromkeys(course.instructors)),
        # PostgreSQL compares them in this order when it looks for changes.
        None if prerequisites is None else sorted(set(prerequisites)),
    )


def _topic_row(topic: TopicPath) -> tuple[str, str, str | None, str]:
    """Return a topic in the order of `TOPIC_COLUMNS`; its name is English, so that is no label besides."""
    parent = topic.parent
    others = {language: label for language, label in labels(topic.slug).items() if language != _NAMES_ARE_IN}
    return topic.slug, topic.names[-1], None if parent is None else parent.slug, json.dumps(others)


def _upwards(topic: TopicPath) -> Iterator[TopicPath]:
    place: TopicPath | None = topic
    while place is not None:
        yield place
        place = place.parent


@dataclass(frozen=True, slots=True)
class _Ending:
    """What is known of an import before it is counted."""

    action: str
    noun: str
    source: str
    now: datetime
    file: SourceFile
    report: Path | None
    strict: bool = field(kw_only=True)


async def _finish(connection: AsyncConnection, loaded: Loaded, ending: _Ending) -> ImportSummary:
    """Write the report and the audit row, and refuse what must not be committed."""
    counted = await imports.count_problems(connection)
    summary = ImportSummary(
        noun=ending.noun,
        source=ending.source,
        read=loaded.read,
        new=loaded.new,
        updated=loaded.updated,
        unchanged=loaded.unchanged,
        learners=loaded.learners,
        rules=tuple((Severity(found.severity), found.rule, found.rows) for found in counted),
        rejections=await _report(connection, ending.report),
        report=ending.report,
    )
    _refuse(summary, ending)
    details: dict[str, int | str] = {
        name: getattr(summary, name)
        for name in ("read", "new", "updated", "unchanged", "rejected", "warnings", "learners")
    }
    details["sha256"] = ending.file.sha256
    await record_import(connection, ending.action, ending.source, details, ending.now)
    return summary


def _refuse(summary: ImportSummary, ending: _Ending) -> None:
    """Let an import pass unless nothing would be left of the file, or a strict import would leave something out.

    Raises:
        InputError: the import must not be committed.
    """
    everything = summary.rejected == summary.read
    if not everything and not (ending.strict and summary.rejected):
        return
    which = "every row" if everything else f"{summary.rejected} of {summary.read} rows"
    where = "" if ending.report is None else f" The report is {ending.report}."
    first = str(summary.rejections[0]).rstrip(".")
    raise InputError(f"{ending.file.path} was not imported: {which} would be rejected. First: {first}.{where}")


async def _report(connection: AsyncConnection, path: Path | None) -> tuple[Problem, ...]:
    """Write all problems to the report, if there is one, and return the first few rejections."""
    first: list[Problem] = []
    with nullcontext() if path is None else ReportFile(path) as report:
        async for row in imports.stream_problems(connection):
            problem = Problem(row.line, row.column, Severity(row.severity), row.rule, row.reason)
            if problem.severity is Severity.REJECTED and len(first) < _SHOWN:
                first.append(problem)
            if report is not None:
                report.write([problem])
        if report is not None:
            report.complete()
    return tuple(first)


def _unavailable(error: BaseException) -> UnavailableError:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    reason = "its disk is full" if state == _DISK_FULL else str(error).partition("\n")[0].strip()
    return UnavailableError(f"PostgreSQL could not finish the import, and nothing was changed: {reason}.")
