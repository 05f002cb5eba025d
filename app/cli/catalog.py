"""`waymark catalog`: judge files of courses, and bring courses in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli.importing import File, Report, Strict, Synonyms, reading, run_import
from app.cli.running import DataDir, read_settings
from app.cli.tables import table as empty_table
from app.wiring import Platform
from catalog.checking import CheckReport, UnmappedTag, check_courses
from catalog.importers.files import Progress
from catalog.importing import import_courses
from catalog.quality import Standards
from catalog.reports import ImportSummary
from catalog.taxonomy import with_synonyms

app = typer.Typer(help="Judge files of courses, and bring courses in.", no_args_is_help=True)

_SHOWN = 3

Format = Annotated[str, typer.Option("--format", help="How the file is laid out; see docs/imports.md.")]
Source = Annotated[
    str | None, typer.Option("--source", help="Name of where the courses come from (default: the format's).")
]
JsonReport = Annotated[
    Path | None,
    typer.Option("--report", help="Where to write the findings (default: imports/<file>.check.json in the data dir)."),
]
Load = Annotated[bool, typer.Option("--load", help="Then import what passes, as `waymark catalog import` does.")]


@app.callback()
def group() -> None:
    """Judge files of courses, and bring courses in."""


@app.command(name="import")
def import_file(
    file: File,
    format_name: Format = "udemy",
    source: Source = None,
    report: Report = None,
    synonyms: Synonyms = None,
    *,
    strict: Strict = False,
    data_dir: DataDir = None,
) -> None:
    """Import courses.

    Reads FILE; writes courses, topics, skills and an audit row to the database, in one transaction, and a report
    of rejected rows and warnings. Rejected rows are left out and the exit code is still 0, unless every row is
    rejected or --strict is given. Doing it twice changes nothing.
    """
    taxonomy = with_synonyms(synonyms)

    async def work(parts: Platform, place: Path, progress: Progress) -> ImportSummary:
        return await import_courses(
            parts.database,
            parts.clock,
            file,
            format_name=format_name,
            source=source,
            report=place,
            strict=strict,
            taxonomy=taxonomy,
            standards=Standards.of(parts.settings.quality.blocking),
            progress=progress,
        )

    run_import(file, data_dir, report, work)


@app.command()
def check(
    file: File,
    format_name: Format = "udemy",
    source: Source = None,
    report: JsonReport = None,
    synonyms: Synonyms = None,
    *,
    load: Load = False,
    data_dir: DataDir = None,
) -> None:
    """Judge the metadata of courses by the rules that publishing obeys, and import nothing unless told to.

    Reads FILE and no database; prints what is wrong, rule by rule, and writes it with examples, line numbers and the
    tags that the taxonomy does not know to a report. The exit code is 0 whatever is found in a file that can be read.
    With --load, what passes is then imported and written to the database.
    """
    settings = read_settings(data_dir=data_dir)
    standards = Standards.of(settings.quality.blocking)
    with reading(file) as progress:
        found = check_courses(file, format_name, with_synonyms(synonyms), standards, progress)
    place = report or settings.data_dir / "imports" / f"{file.name}.check.json"
    found.write(place)
    print_findings(found, Console(highlight=False, soft_wrap=True))
    typer.echo(f"The report is {place}")
    if load:
        import_file(file, format_name, source, None, synonyms, strict=False, data_dir=data_dir)


@app.command()
def unmapped(file: File, format_name: Format = "udemy", synonyms: Synonyms = None) -> None:
    """List the tags of a file that the taxonomy does not know, the most frequent first.

    Reads FILE; writes nothing. A curator places them in a file of synonyms and gives it to --synonyms.
    """
    with reading(file) as progress:
        found = check_courses(file, format_name, with_synonyms(synonyms), Standards(), progress)
    print_unmapped(found.unmapped, Console(highlight=False, soft_wrap=True))


def print_findings(found: CheckReport, console: Console) -> None:
    """Print what is wrong, rule by rule, the worst first, with a few examples of each."""
    console.print(
        f"{found.rows:,} rows: {found.loadable:,} may be published, {found.rows - found.loadable:,} may not; "
        f"mean score {found.mean_score:.3f}"
    )
    table = empty_table("rule", "severity", "rows", "examples", right=("rows",))
    for rule in found.rules:
        first, *more = rule.examples[:_SHOWN]
        others = "".join(f", {example.line}" for example in more)
        table.add_row(rule.rule, rule.severity.value, f"{rule.rows:,}", f"line {first.line}{others}: {first.message}")
    if found.rules:
        console.print(table, markup=False, soft_wrap=False)
    if found.unmapped:
        print_unmapped(found.unmapped, console)


def print_unmapped(tags: tuple[UnmappedTag, ...], console: Console) -> None:
    """Print tags that the taxonomy does not know."""
    if not tags:
        console.print("The taxonomy knows every tag.")
        return
    table = empty_table("unmapped tag", "rows", "lines", "counts as", right=("rows",))
    for tag in tags:
        table.add_row(tag.tag, f"{tag.rows:,}", ", ".join(map(str, tag.lines)), tag.nearest or "")
    console.print(table, markup=False, soft_wrap=False)
