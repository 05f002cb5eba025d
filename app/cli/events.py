"""`waymark events`: bring learners' history in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from app.cli.importing import File, Report, Strict, run_import
from app.cli.running import DataDir
from app.wiring import Platform
from catalog.importers.files import Progress
from catalog.importing import SourceIndex, import_enrollments
from catalog.reports import ImportSummary
from security.encryption import Cipher
from security.keys import load_key_ring

app = typer.Typer(help="Bring learners' history in.", no_args_is_help=True)

Source = Annotated[str, typer.Option("--source", help="Source of the courses and learners that the file names.")]


@app.callback()
def group() -> None:
    """Bring learners' history in."""


@app.command(name="import")
def import_file(
    file: File,
    source: Source = "udemy",
    report: Report = None,
    *,
    strict: Strict = False,
    data_dir: DataDir = None,
) -> None:
    """Import enrollments.

    Reads FILE, with the columns learner_id, course_id and enrolled_at; writes pseudonymous learners, enrollments,
    events, counters and an audit row to the database, in one transaction, and a report of rejected rows and
    warnings. Learners who had their data erased here are left out, and counted as rejected. Rejected rows are left
    out and the exit code is still 0, unless every row is rejected or --strict is given. Doing it twice changes nothing.
    """

    async def work(parts: Platform, place: Path, progress: Progress) -> ImportSummary:
        return await import_enrollments(
            parts.database,
            parts.clock,
            file,
            source=source,
            report=place,
            strict=strict,
            progress=progress,
            source_index=_source_index(parts),
        )

    run_import(file, data_dir, report, work)


def _source_index(parts: Platform) -> SourceIndex:
    """Return what knows erased learners again; the keys are only wanted where somebody of the source was erased."""

    @cache
    def cipher() -> Cipher:
        return Cipher(load_key_ring(parts.key_file))

    return lambda source, source_id: cipher().source_index(source, source_id)
