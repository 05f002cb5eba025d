"""`waymark database`: bring the tables to this version."""

from __future__ import annotations

import typer

from app.cli.running import DataDir, run_on_platform
from app.wiring import Platform
from core.settings import Recommendations
from database.migrate import migrate as apply_migrations

app = typer.Typer(help="Migrate the database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Migrate the database."""


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Apply the migrations that are missing. Reads and writes the database; safe to run at any time."""

    async def work(parts: Platform) -> tuple[str | None, str]:
        return await apply_migrations(parts.database)

    before, after = run_on_platform(data_dir, work, up_to_date=False, recommendations=Recommendations.OFF)
    if before == after:
        typer.echo(f"The database is at revision {after}; nothing to do.")
    else:
        typer.echo(f"The database went from {before or 'empty'} to revision {after}.")
