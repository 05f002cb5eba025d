"""`waymark serve`: answer GraphQL on a platform that is set up."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.running import DataDir, progress_console, read_settings, run, with_operations
from app.server import address, claim_port, serve as serve_platform
from app.telemetry import telemetry
from app.wiring import platform
from app.workers import serve_with_workers
from core.settings import OperationsMode
from database.migrate import refuse_pending

app = typer.Typer(add_completion=False)

Port = Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 takes a free one.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Processes that share the port; about one a core.")
]


@app.command()
def serve(data_dir: DataDir = None, host: Host = None, port: Port = None, workers: Workers = 1) -> None:
    """Serve GraphQL until Ctrl-C; migrates nothing, and runs registered operations only.

    Reads the database, the online store and the live model, and writes what clients change. Clients register their
    operations with `waymark operations register`; WAYMARK_GATEWAY__OPERATIONS=open runs any document.
    """
    given = read_settings(data_dir=data_dir, host=host, port=port)
    settings = with_operations(given, OperationsMode.TRUSTED_ONLY)
    console = progress_console()

    def started(where: str) -> None:
        console.print(f"Serving {where}")

    if workers > 1:
        with claim_port(settings.host, settings.port) as listener:
            where = address(listener)
            serve_with_workers(settings, workers, listener, lambda: started(where))
        console.print("Stopped.")
        return

    async def work() -> None:
        with claim_port(settings.host, settings.port) as listener, telemetry(settings.telemetry):
            async with platform(settings) as parts:
                await refuse_pending(parts.database)
                await serve_platform(parts, listener, started)

    run(work())
    console.print("Stopped.")
