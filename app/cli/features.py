"""`waymark features`: declare, compute and materialize features."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app import releases
from app.cli.running import DataDir, check_folder, progress_console, run_on_platform
from app.cli.tables import table as empty_table
from app.progress import shown
from app.wiring import Platform
from core.errors import InputError

if TYPE_CHECKING:
    from app import feature_pipeline
    from app.feature_checks import Check
    from app.feature_pipeline import FeatureListing, FeaturePlaces
    from app.feature_plans import Change, Coverage
    from app.forgetting import Forgetting
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
    follows within seconds. People who deleted their account are forgotten: in the lake, the feature tables, the online
    store, kept lists, what releases were judged on and parts of interrupted trainings. A view whose table cannot be
    read, or is older than it declares, is named and left out: the others are written, and the exit code is 1; so it is
    when people who were erased are still in a table that somebody else writes, or may be in a release that is damaged.
    """
    moment = None if as_of is None else _moment("--as-of", as_of)
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
    _print_forgetting(console, done.forgetting)
    for view, why in done.failures.items():
        console.print(f"{view} is not written: {why}. What is online of it stays.", markup=False, soft_wrap=True)
    if done.failures or not done.forgetting.complete:
        raise typer.Exit(1)


@app.command()
def plan(data_dir: DataDir = None) -> None:
    """Print what `apply` would change in Feast's registry: views, their fields and services.

    Reads the declarations of `feature_repo/` and the registry; writes nothing.
    """
    from app import feature_plans  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> list[Change]:
        return await asyncio.to_thread(feature_plans.plan, places(parts))

    _print_plan(Console(highlight=False), run_on_platform(data_dir, work))


@app.command()
def backfill(
    start: Annotated[
        str, typer.Option("--from", help="First moment, ISO 8601 with offset, such as 2026-01-01T00:00Z.")
    ],
    end: Annotated[str, typer.Option("--to", help="Moment after the last, ISO 8601 with offset.")],
    data_dir: DataDir = None,
) -> None:
    """Do what `apply` does and print what each view's table holds of a past range.

    The tables that are computed here are computed whole, over all of the log, by each run: a range is complete
    whenever the log is, and the same run again changes nothing. Of a table that somebody else writes, what the range
    lacks has to come from there. Reads and writes what `apply` does.
    """
    first, last = _moment("--from", start), _moment("--to", end)
    if first >= last:
        raise InputError("--from must lie before --to.")
    from app import feature_pipeline, feature_plans  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> tuple[ExportReport, list[Coverage]]:
        if last > parts.clock():
            raise InputError("--to lies in the future, of which there are no features.")
        with shown(progress_console()) as report:
            exported = await feature_pipeline.apply(parts.database, places(parts), parts.clock, report)
        return exported, await asyncio.to_thread(feature_plans.coverage, places(parts), first, last)

    console = Console(highlight=False)
    exported, found = run_on_platform(data_dir, work)
    _print_export(console, exported)
    _print_coverage(console, found)
    if any(each.failure is not None for each in found):
        raise typer.Exit(1)


@app.command()
def validate(
    data_dir: DataDir = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write every check to this file too.")] = None,
) -> None:
    """Check the feature tables against what their declarations expect; exit code 1 when something does not hold.

    Freshness of views; of each feature that it is in the table and of its kind, the share of entities without a
    value, the range, and drift: the population stability index of the newest values against those of 30 days ago, and
    against what the live release recorded at the end of its training, which the tables must still tell of that moment.
    Reads the declarations of `feature_repo/`, the tables, the registry and the live release; writes nothing but the
    file of `--json`.
    """
    check_folder(json)
    from app import feature_checks  # noqa: PLC0415 - Feast takes seconds to import.

    async def work(parts: Platform) -> tuple[list[Check], datetime]:
        now = parts.clock()
        trained = await releases.live_record(parts.database, parts.models_dir)
        return await asyncio.to_thread(feature_checks.validate, places(parts), now, trained), now

    checks, now = run_on_platform(data_dir, work)
    if json is not None:
        try:
            json.write_bytes(orjson.dumps(feature_checks.report(checks, now), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise InputError(f"The file {json} cannot be written: {error.strerror}.") from error
    failing = feature_checks.failing(checks)
    console = Console(highlight=False)
    views = len({each.view for each in checks})
    if failing:
        console.print(_check_table(failing))
    console.print(f"{len(checks) - len(failing)} of {len(checks)} checks of {views} views hold.")
    if failing:
        raise typer.Exit(1)


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


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is no moment; expected ISO 8601, such as 2026-03-01T00:00Z.") from None
    if moment.tzinfo is None:
        raise InputError(f"{option}: {text!r} has no offset; write 2026-03-01T00:00Z for UTC.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{option}: {text!r} lies outside the years 1 to 9999 of UTC.") from None


def _print_forgetting(console: Console, forgetting: Forgetting) -> None:
    done = {
        "events of the lake": forgetting.events,
        "learners online": forgetting.online,
        "keys of lists": forgetting.lists,
        "releases": forgetting.releases,
        "interrupted trainings": forgetting.trainings,
    }
    told = ", ".join(f"{count} {what}" for what, count in done.items() if count)
    if told:
        console.print(f"Who was erased is forgotten; changed or deleted: {told}.", soft_wrap=True)
    for view, count in forgetting.held.items():
        message = f"The table of {view} still holds {count} who were erased: whoever writes it must leave them out."
        console.print(message, markup=False, soft_wrap=True)
    for name, kept in forgetting.kept.items():
        holds = "may hold people" if kept is None else f"still holds {kept}"
        message = (
            f"The folder models/{name} {holds} who were erased: it is damaged, or in no register. "
            "Restore it, or delete it if no training writes it now; then run this again."
        )
        console.print(message, markup=False, soft_wrap=True)


def _print_export(console: Console, report: ExportReport) -> None:
    console.print(
        f"Exported {report.events:,} new events; the lake holds {report.total:,}, of {report.courses:,} courses."
    )
    if report.waiting:
        console.print(f"{report.waiting:,} more wait for a transaction that is still running.")


def _print_plan(console: Console, changes: list[Change]) -> None:
    if not changes:
        console.print("Nothing would change: the registry holds what is declared.")
        return
    table = empty_table("Change", "Of", "Name", "Detail")
    for each in changes:
        table.add_row(each.what, each.kind, each.name, escape(each.detail))
    console.print(table)
    console.print("`waymark features apply` makes these changes; nothing was written.")


def _print_coverage(console: Console, found: list[Coverage]) -> None:
    table = empty_table("View", "Written by", "Rows in the range", "Entities by its end", "First row")
    for each in found:
        first = f"{each.earliest:%Y-%m-%d}" if each.earliest is not None else each.failure or "none"
        by = "this command" if each.computed else "somebody else"
        table.add_row(each.view, by, f"{each.rows:,}", f"{each.entities:,}", escape(first))
    console.print(table)


def _check_table(checks: list[Check]) -> Table:
    table = empty_table("View", "Feature", "Check", "Expected", "Found")
    for each in checks:
        table.add_row(each.view, each.feature or "", each.rule, escape(each.expected), escape(each.found))
    return table


def _print_listing(console: Console, listing: FeatureListing) -> None:
    for view in listing.views:
        console.print(f"{view.name}, of each {view.entity}: {view.description}", soft_wrap=True, markup=False)
        table = empty_table("Feature", "Type", "Meaning")
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
