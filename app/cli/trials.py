"""The commands of `waymark model` that try a release beside the live one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from app.cli.running import DataDir, run_on_platform
from app.cli.tables import table as empty_table
from app.wiring import Platform
from database.tables.models import TrialKind

if TYPE_CHECKING:
    from app.releases import Tried
    from app.trial_outcomes import TrialOutcomes

Version = Annotated[str, typer.Argument(help="Version of the release, as `waymark model list` prints it.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, recorded with the release.")]


def shadow(version: Version, data_dir: DataDir = None, *, reason: Reason = None) -> None:
    """Rank with a release beside the live one, compare the lists, and show them to nobody.

    Reads the files of both releases; reads and writes their register. Serving follows within seconds, and measures
    what share of the first ten courses both have. Refused when another release is tried, when none is live, when
    serving could not load it, and when nobody declares the features that it reads. A canary of the same release
    becomes a shadow: nobody is shown it any more.
    """
    _try(version, data_dir, TrialKind.SHADOW, None, reason)
    Console(highlight=False).print(
        f"Release {version} ranks in shadow: its lists are compared with those of the live release and shown to "
        "nobody. `waymark model end-trial` ends it.",
        soft_wrap=True,
    )


def canary(
    version: Version,
    percent: Annotated[float, typer.Option("--percent", help="How many of a hundred learners are shown its lists.")],
    data_dir: DataDir = None,
    *,
    reason: Reason = None,
) -> None:
    """Show the lists of a release to a share of the learners, and those of the live release to the others.

    Reads the files of both releases; reads and writes their register. Serving follows within seconds. The same
    command with another percentage changes the share: whoever is in it stays in it while it grows. Refused when
    another release is tried, when none is live, when serving could not load it, and when nobody declares the features
    that it reads. Promote it to show it to all.
    """
    before = _try(version, data_dir, TrialKind.CANARY, percent, reason)
    was = "" if before is None else f" (until now: {before})"
    Console(highlight=False).print(
        f"Release {version} is shown to {percent:g}% of the learners{was}. `waymark model end-trial` ends it, "
        f"`waymark model promote {version}` shows it to all.",
        soft_wrap=True,
    )


def end_trial(data_dir: DataDir = None, *, reason: Reason = None) -> None:
    """End the shadow or canary, and nothing else: everybody is shown the lists of the live release.

    Reads and writes the register of releases. Serving follows within seconds. Refused when no release is tried.
    """
    from app import trials  # noqa: PLC0415 - XGBoost takes long to import.

    async def work(parts: Platform) -> Tried:
        return await trials.end_trial(parts.database, reason=reason, now=parts.clock())

    ended = run_on_platform(data_dir, work)
    Console(highlight=False).print(f"Release {ended.version} is not tried any more (it was: {ended}).", soft_wrap=True)


def trial(data_dir: DataDir = None) -> None:
    """Tell which release is tried, and how often learners of a canary and the others click and enroll.

    Reads the register of releases and what learners did with lists since the canary, or its present share, began;
    writes nothing. Learners count where they belong, whichever release, or none, ranked their list. The interval is
    95% (Newcombe, of shares of learners): where it includes 0, the difference may be chance.
    """
    from app.trial_outcomes import compare_sides  # noqa: PLC0415 - as in the other commands.

    async def work(parts: Platform) -> TrialOutcomes:
        return await compare_sides(parts.database)

    found = run_on_platform(data_dir, work)
    console = Console(highlight=False)
    console.print(
        f"Release {found.tried.version}: {found.tried} since {found.tried.since:%Y-%m-%d %H:%M} UTC, "
        f"beside {found.live}.",
        soft_wrap=True,
    )
    if found.tried.kind is TrialKind.CANARY:
        _print_sides(console, found)
    else:
        console.print(
            "Nobody is shown it: the metric waymark.recommendations.shadow_overlap tells what the lists have in common."
        )


def _print_sides(console: Console, found: TrialOutcomes) -> None:
    titles = (f"canary {found.tried.version}", f"live {found.live}")
    table = empty_table("", *titles, right=titles)
    sides = (found.canary, found.others)
    for name in ("learners", "impressions", "clicks", "enrollments"):
        table.add_row(name.capitalize(), *(str(getattr(side, name)) for side in sides))
    for title, name in (("Learners who clicked", "clicked"), ("Learners who enrolled", "enrolled")):
        table.add_row(title, *(f"{getattr(side, name)} ({side.share(name):.2%})" for side in sides))
    console.print(table)
    if not all(side.learners for side in sides):
        console.print("There is nobody to compare yet on one side.")
        return
    for title, name in (("clicked", "clicked"), ("enrolled", "enrolled")):
        difference, low, high = found.difference(name)
        chance = "." if low > 0 or high < 0 else ": it may be chance."
        console.print(
            f"The share of learners who {title} differs by {difference:+.2%}, 95% {low:+.2%} to {high:+.2%}{chance}",
            soft_wrap=True,
        )


def _try(version: str, data_dir: DataDir, kind: TrialKind, percent: float | None, reason: str | None) -> Tried | None:
    from app.model_training import feature_places  # noqa: PLC0415 - XGBoost takes long to import.
    from app.trials import declared_services, try_release  # noqa: PLC0415 - as above.

    async def work(parts: Platform) -> Tried | None:
        return await try_release(
            parts.database,
            parts.models_dir,
            version,
            kind=kind,
            percent=percent,
            reason=reason,
            now=parts.clock(),
            declares=None if parts.redis_url is None else declared_services(feature_places(parts)),
        )

    return run_on_platform(data_dir, work)
