"""`waymark housekeeping`: what no request does."""

from __future__ import annotations

import typer

from app.cli.running import DataDir, run_on_platform
from app.wiring import Platform
from core.settings import Recommendations
from resolvers.housekeeping import Tidied, tidy

app = typer.Typer(add_completion=False)


@app.command()
def housekeeping(data_dir: DataDir = None) -> None:
    """Close attempts whose time is over, and forget old reports of progress; run it every few minutes.

    An attempt that nobody touched since its deadline is graded with what was saved in time. Reports of progress older
    than 180 days are pruned: they only tell that one was counted. Reads and writes the database, in small
    transactions; safe to run at any time, even twice at once.
    """

    async def work(parts: Platform) -> Tidied:
        return await tidy(parts.database, parts.clock)

    done = run_on_platform(data_dir, work, recommendations=Recommendations.OFF)
    typer.echo(f"Closed {done.attempts:,} attempts whose time was over; pruned {done.reports:,} reports of progress.")
