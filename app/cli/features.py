"""`waymark features`: declare, compute and materialize features."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.running import DataDir, progress_console, run_on_platform
from app.progress import shown
from app.wiring import Platform
from core.errors import InputError

if TYPE_CHECKING:
    from app import feature_pipeline
    from app.feature_pipeline import FeatureListing, FeaturePlaces
    from warehouse.export import ExportReport

_HOUR = 60
_DAY = 24 * _HOUR

app = typer.Typer(help="Declare, compute and materialize features.", no_args_is_help=True)


@app.command()
def apply(data_dir: DataDir = None) -> None:
    """Export new events, compute the feature tables and declare them to Feast; what is served stays as it is.

    Reads the outbox, courses and preferences in the database. Writes `lake/` and `features/` of the data folder.
    """
    from app import feature_pipeline  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> ExportReport:
        with shown(progress_console()) as report:
            return await feature_pipeline.apply(parts.database, places(parts), parts.clock, report)

    console = Console(highlight=False)
    _print_export(console, run_on_platform(data_dir, work))
    console.print("The feature tables are computed and declared; `materialize` serves them.", soft_wrap=True)


@app.command()
def materialize(
    data_dir: DataDir = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Moment to serve features of, ISO 8601 with offset, such as 2026-03-01T00:00Z."),
    ] = None,
) -> None:
    """Do what `apply` does and write the features of now, or of a past moment, to the online store.

    Reads the outbox, courses and preferences in the database. Writes `lake/` and `features/` of the data folder and
    the online store (Redis), and what `similarCourses` answers with and an announcement in the database; serving
    follows within seconds.
    """
    moment = None if as_of is None else _moment(as_of)
    from app import feature_pipeline  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> feature_pipeline.Materialization:
        with shown(progress_console()) as report:
            return await feature_pipeline.materialize(
                parts.database, places(parts), parts.clock, as_of=moment, report=report
            )

    done = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    _print_export(console, done.export)
    written = ", ".join(f"{count} of {view}" for view, count in done.row_counts.items())
    console.print(f"Features as of {done.features_as_of:%Y-%m-%d %H:%M:%S} UTC are online: {written}.")


@app.command(name="list")
def list_(data_dir: DataDir = None) -> None:
    """List the features that serving and training may ask for. Reads Feast's registry; writes nothing."""
    from app import feature_pipeline  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> FeatureListing:
        return await feature_pipeline.listing(parts.database, places(parts), parts.clock())

    _print_listing(Console(highlight=False), run_on_platform(data_dir, work))


def places(parts: Platform) -> FeaturePlaces:
    """Return where the features of a platform lie.

    Raises:
        InputError: recommendations are off, so that there is no online store.
    """
    from app.feature_pipeline import FeaturePlaces  # noqa: PLC0415 - Feast takes seconds to import.

    if parts.redis_url is None:
        raise InputError("Recommendations are off: set WAYMARK_RECOMMENDATIONS=on to work with features.")
    return FeaturePlaces(parts.data_dir, parts.redis_url)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--as-of: {text!r} is no moment; expected ISO 8601, such as 2026-03-01T00:00Z.") from None
    if moment.tzinfo is None:
        raise InputError(f"--as-of: {text!r} has no offset; write 2026-03-01T00:00Z for UTC.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InputError(f"--as-of: {text!r} lies outside the years 1 to 9999 of UTC.") from None


def _print_export(console: Console, report: ExportReport) -> None:
    console.print(
        f"Exported {report.events:,} new events; the lake holds {report.total:,}, of {report.courses:,} courses."
    )
    if report.waiting:
        console.print(f"{report.waiting:,} more wait for a transaction that is still running.")


def _print_listing(console: Console, listing: FeatureListing) -> None:
    for view in listing.views:
        console.print(f"{view.name}, of each {view.entity}: {view.description}", soft_wrap=True, markup=False)
        table = Table("Feature", "Type", "Meaning")
        table.columns[0].no_wrap = True
        for row in view.features:
            table.add_row(*row)
        console.print(table)
    if not listing.views:
        console.print("No features are declared yet; `waymark features apply` declares them.", soft_wrap=True)
    if listing.features_as_of is None:
        console.print("Nothing is online yet; `waymark features materialize` writes the online store.", soft_wrap=True)
    else:
        console.print(f"Online as of {listing.features_as_of:%Y-%m-%d %H:%M:%S} UTC, {_age(listing.age)} ago.")


def _age(age: timedelta | None) -> str:
    minutes = int(age.total_seconds() // 60) if age is not None else 0
    if minutes < _HOUR:
        return f"{minutes} min"
    return f"{minutes // _HOUR} h" if minutes < 2 * _DAY else f"{minutes // _DAY} days"
