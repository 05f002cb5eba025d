"""What the import commands share: progress while a file is read, and the printed outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress as ProgressBar, TextColumn
from rich.table import Table

from app.cli.running import progress_console, run_on_platform
from app.wiring import Platform
from catalog.importers.files import Progress
from catalog.reports import ImportSummary
from core.settings import Recommendations
from database.queries.platform import STATE

File = Annotated[Path, typer.Argument(help="File of comma-separated values in UTF-8, plain or packed with gzip.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Where to write every problem (default: imports/<file>.report.csv in the data dir)."),
]
Synonyms = Annotated[
    Path | None,
    typer.Option(
        "--synonyms", help="YAML file of further spellings of topics, such as `maths: academics/math-and-science`."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Import nothing, and exit 1, when any row is rejected.")]

_MIXED = (
    "This platform holds the simulated demonstration, which stays and goes on being labelled as simulated. "
    "To keep real data apart from it, import into another --data-dir."
)

Import = Callable[[Platform, Path, Progress], Awaitable[ImportSummary]]


def run_import(file: Path, data_dir: Path | None, report: Path | None, work: Import) -> None:
    """Run one import on the platform and print what it did."""

    async def imported(parts: Platform) -> ImportSummary:
        async with parts.database.reader() as reader:
            (state,) = await reader.fetch(STATE)
        if state.simulated:
            progress_console().print(_MIXED)
        place = report or parts.data_dir / "imports" / f"{file.name}.report.csv"
        with reading(file) as progress:
            return await work(parts, place, progress)

    print_summary(run_on_platform(data_dir, imported, recommendations=Recommendations.OFF))


@contextmanager
def reading(file: Path) -> Iterator[Progress]:
    """Show a bar while a file is read, and hand out what moves it."""
    bar = ProgressBar(
        TextColumn("Reading {task.fields[name]}"),
        BarColumn(),
        DownloadColumn(),
        console=progress_console(),
        transient=True,
    )
    task = bar.add_task("import", name=file.name, total=None)

    def progress(done: int, size: int) -> None:
        bar.update(task, completed=done, total=size)

    with bar:
        yield progress


def print_summary(summary: ImportSummary, console: Console | None = None) -> None:
    """Print the outcome of an import to standard output: counts, problems by rule, the first rejections."""
    console = console or Console(highlight=False, soft_wrap=True)
    table = Table("", "rows", title=f"{summary.noun} of the source {summary.source}", title_justify="left")
    table.columns[1].justify = "right"
    for name in ("read", "new", "updated", "unchanged", "rejected", "warnings"):
        table.add_row(name, f"{getattr(summary, name):,}")
    if summary.learners:
        table.add_row("new learners", f"{summary.learners:,}")
    console.print(table)
    for severity, rule, rows in summary.rules:
        console.print(f"{severity}: {rule} ({rows:,})", markup=False)
    for problem in summary.rejections:
        console.print(f"  {problem}", markup=False)
    if summary.rules and summary.report is not None:
        console.print(f"Every problem is in {summary.report}", markup=False)
    if summary.new == summary.updated == 0:
        console.print("Nothing changed.")
