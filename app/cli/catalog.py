"""`waymark catalog`: bring courses in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.importing import File, Report, Strict, run_import
from app.cli.running import DataDir
from app.wiring import Platform
from catalog.importers.files import Progress
from catalog.importing import import_courses
from catalog.reports import ImportSummary

app = typer.Typer(help="Bring courses in.", no_args_is_help=True)

Format = Annotated[str, typer.Option("--format", help="How the file is laid out; see docs/imports.md.")]
Source = Annotated[
    str | None, typer.Option("--source", help="Name of where the courses come from (default: the format's).")
]


@app.callback()
def group() -> None:
    """Bring courses in."""


@app.command(name="import")
def import_file(
    file: File,
    format_name: Format = "udemy",
    source: Source = None,
    report: Report = None,
    *,
    strict: Strict = False,
    data_dir: DataDir = None,
) -> None:
    """Import courses.

    Reads FILE; writes courses, topics, skills and an audit row to the database, in one transaction, and a report
    of rejected rows and warnings. Rejected rows are left out and the exit code is still 0, unless every row is
    rejected or --strict is given. Doing it twice changes nothing.
    """

    async def work(parts: Platform, place: Path, progress: Progress) -> ImportSummary:
        return await import_courses(
            parts.database,
            parts.clock,
            file,
            format_name=format_name,
            source=source,
            report=place,
            strict=strict,
            progress=progress,
        )

    run_import(file, data_dir, report, work)
