"""`waymark demo`: fill an empty platform with a simulated one."""

from __future__ import annotations

import typer

from app.cli.running import DataDir, bring_up_to_date, progress_console, run_on_platform
from app.wiring import Platform
from catalog.simulation.demonstration import PLATFORM_NAME, Demonstration, fill_demonstration
from core.settings import Recommendations

app = typer.Typer(add_completion=False)


@app.command()
def demo(data_dir: DataDir = None) -> None:
    """Fill an empty platform with the simulated demonstration.

    Reads nothing but the database; writes courses, learners, enrollments, events and an audit row to it, in one
    transaction, and labels the platform as simulated. Refuses a platform that has courses.
    """

    async def work(parts: Platform) -> Demonstration:
        await bring_up_to_date(parts)
        with progress_console().status("Simulating courses and learners"):
            return await fill_demonstration(parts.database, parts.clock)

    filled = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    typer.echo(
        f"{PLATFORM_NAME}: {filled.courses:,} courses, {filled.learners:,} learners and {filled.enrollments:,} "
        f"enrollments from {filled.since:%Y-%m-%d} to {filled.until:%Y-%m-%d}, all of them invented."
    )
