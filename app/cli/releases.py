"""The commands of `waymark model` about releases that there are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app.cli.running import DataDir, check_folder, progress_console, run_on_platform
from app.cli.tables import table as empty_table
from app.progress import shown
from app.wiring import Platform
from core.errors import InputError
from database.queries.releases import ReleaseRow
from database.tables.models import ReleaseStatus
from serving.trials import described

if TYPE_CHECKING:
    from app.comparisons import Compared
    from app.releases import RolledBack, Tried
    from serving.artifact import ReleaseManifest
    from training.judgment import Comparison

Version = Annotated[str, typer.Argument(help="Version of the release, as `waymark model list` prints it.")]
_DIGITS = 4


def compare(
    version: Version,
    other: Annotated[str, typer.Argument(help="Version of the release to compare it with.")],
    data_dir: DataDir = None,
    *,
    json: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file too.")] = None,
) -> None:
    """Compare two releases on the held-out decisions that both were judged on.

    Reads the register of releases and their files; writes nothing but the file of `--json`. Where they were trained on
    different logs, both are judged again on what came after the logs of both, once that is enough; before, the older
    one on those decisions of the newer one that are later than its own log. This reads the lake and the feature tables.
    The interval is 95%, by paired bootstrap over learners: where it includes 0, the difference may be chance.
    """
    check_folder(json)
    from app.comparisons import JudgesByLog, compare_releases  # noqa: PLC0415 - XGBoost takes long to import.

    async def work(parts: Platform) -> Compared:
        with shown(progress_console()) as report:
            judges = JudgesByLog(parts, report)
            return await compare_releases(parts.database, parts.models_dir, version, other, judges)

    found = run_on_platform(data_dir, work)
    _print_comparison(Console(highlight=False), found)
    if json is not None:
        described = {
            "versions": [found.ours.version, found.theirs.version],
            "judged_again": [each.version for each in found.again],
            **asdict(found.comparison),
        }
        try:
            json.write_bytes(orjson.dumps(described, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise InputError(f"The file {json} cannot be written: {error.strerror}.") from error


def promote(
    version: Version,
    data_dir: DataDir = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Release it although it does not beat the live one.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, recorded with the release.")] = None,
) -> None:
    """Make a release the live one; serving follows within seconds, without a restart.

    Reads the files of the releases; reads and writes their register. Refused unless the release beats the live one
    (or, when none is live, popularity) by more than chance: the 95% interval of the difference in NDCG@10, by paired
    bootstrap over the decisions that both were judged on, must lie above 0. Where the two were trained on different
    logs, one or both are judged again first, as for `compare`, which takes a minute and the lake; --force does not.
    What serving could not load is refused even with --force. A trial is over with it, of whichever release.
    """
    from app.comparisons import JudgesByLog, weigh  # noqa: PLC0415 - XGBoost takes long to import.
    from app.releases import promote as promote_release  # noqa: PLC0415 - as above.

    async def work(parts: Platform) -> tuple[Compared | None, Tried | None]:
        found = None
        if not force:
            with shown(progress_console()) as report:
                found = await weigh(parts.database, parts.models_dir, version, JudgesByLog(parts, report))
        weighed, compared = found or (None, None)
        ended = await promote_release(
            parts.database,
            parts.models_dir,
            version,
            force=force,
            reason=reason,
            now=parts.clock(),
            weighed=weighed,
        )
        return compared, ended

    compared, ended = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    if compared is not None:
        console.print(f"{_judged_again(compared)} {_difference(compared.comparison)}", soft_wrap=True)
    console.print(f"Release {version} is live.{_over(ended, version)}", soft_wrap=True)


def rollback(
    data_dir: DataDir = None,
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, recorded with the release.")] = None,
) -> None:
    """Make the release live again that was live before; serving follows within seconds, features and model together.

    Reads the files of that release; reads and writes the register. Another rollback goes one step further back; to go
    forward again, promote. Refused when nothing was live before, or its files are damaged. A trial is over with it,
    so that nobody is shown anything newer; to end only the trial, use `waymark model end-trial`.
    """
    from app import releases  # noqa: PLC0415 - XGBoost takes long to import.

    async def work(parts: Platform) -> RolledBack:
        live = releases.live_of(await releases.list_releases(parts.database))
        seen = None if live is None else live.version
        now = parts.clock()
        return await releases.roll_back(parts.database, parts.models_dir, expected=seen, reason=reason, now=now)

    done = run_on_platform(data_dir, work)
    Console(highlight=False).print(
        f"Release {done.live} is live again; {done.retired} is retired.{_over(done.ended, done.live)}", soft_wrap=True
    )


def _over(ended: Tried | None, live: str) -> str:
    """Return what to tell of a trial that something else has ended."""
    if ended is None or ended.version == live:
        return ""
    return f" The trial of {ended.version} ({ended}) is over: it is shown to nobody, and not compared any more."


def list_(data_dir: DataDir = None) -> None:
    """List all releases, the newest first: which is live, and which is tried as a canary or in shadow.

    Reads the register of releases and all their files; writes nothing. Names releases whose files are damaged; the exit
    code is 1 when one of them is live or tried.
    """
    from app.releases import damaged, list_releases  # noqa: PLC0415 - XGBoost takes long to import.

    async def work(parts: Platform) -> tuple[list[ReleaseRow], dict[str, str]]:
        rows = await list_releases(parts.database)
        return rows, await damaged(parts.models_dir, rows)

    rows, broken = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    if rows:
        console.print(_release_table(rows))
    else:
        console.print("There is no release yet; `waymark model train` makes one.")
    for version, why in broken.items():
        console.print(f"{version}: {why}", markup=False, soft_wrap=True)
    if any(row.version in broken for row in rows if row.status == ReleaseStatus.LIVE or row.trial is not None):
        raise typer.Exit(1)


def _print_comparison(console: Console, found: Compared) -> None:
    versions = (found.ours.version, found.theirs.version)
    table = empty_table("", *versions, right=versions)
    for name, ours, theirs in _described(found.ours, found.theirs):
        table.add_row(name, str(ours), str(theirs))
    compared = found.comparison
    for name, ours, theirs in (
        ("HR@10", compared.ours.hit_rate, compared.theirs.hit_rate),
        ("NDCG@10", compared.ours.ndcg, compared.theirs.ndcg),
    ):
        table.add_row(name, f"{ours:.{_DIGITS}f}", f"{theirs:.{_DIGITS}f}")
    console.print(table)
    console.print(
        f"{compared.common} decisions in common, {compared.only_ours} and {compared.only_theirs} of one only. "
        + _difference(compared),
        soft_wrap=True,
    )
    if found.again:
        console.print(_judged_again(found), soft_wrap=True)


def _difference(found: Comparison) -> str:
    return (
        f"NDCG@10 differs by {found.difference:+.{_DIGITS}f}, 95% {found.low:+.{_DIGITS}f} to "
        f"{found.high:+.{_DIGITS}f}" + ("." if found.better or found.worse else ": it may be chance.")
    )


def _judged_again(found: Compared) -> str:
    """Return which releases were asked what, and where one had an advantage."""
    common = found.comparison.common
    if len(found.again) > 1:
        end = max(each.trained_until for each in found.again)
        return f"Both were judged again on the {common} decisions that came after the logs of both, {_minute(end)}."
    older, newer = found.again[0], found.other
    told = (
        f"Release {older.version} has learned from the log until {_minute(older.trained_until)}, and was judged again "
        f"on the {common} held-out decisions of {newer.version} that are later."
    )
    if found.knew_more and found.as_of is not None:
        told += f" Both were asked as of {_minute(found.as_of)}, when {newer.version} knew less than it."
    return told


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _described(ours: ReleaseManifest, theirs: ReleaseManifest) -> list[tuple[str, Any, Any]]:
    """Return what the two are, one row each."""
    names = (
        "created_at",
        "feature_service",
        "vector_digest",
        "data_fingerprint",
        "trained_until",
        "training_decisions",
    )
    rows = [(name, getattr(ours, name), getattr(theirs, name)) for name in (*names, "seed", "rounds", "code_version")]
    return [(name.replace("_", " ").capitalize(), _short(one), _short(other)) for name, one, other in rows]


def _short(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)[:16]


def _release_table(rows: list[ReleaseRow]) -> Table:
    # When a release was made is what its version says.
    whole = ("Version", "Status", "NDCG@10")
    table = empty_table("Version", "Status", "Feature service", "NDCG@10", "Promoted", right=("NDCG@10",), whole=whole)
    for row in rows:
        promoted = f"{row.promoted_at:%Y-%m-%d %H:%M}" if row.promoted_at else ""
        forced = " (forced)" if row.metrics.get("promotion", {}).get("forced") else ""
        table.add_row(
            row.version,
            row.status if row.trial is None else described(row.trial, row.trial_percent),
            row.feature_service,
            f"{row.metrics['rankers']['model']['ndcg']:.4f}",
            (promoted + forced).strip(),
        )
    return table
