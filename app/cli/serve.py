"""`waymark serve`: answer GraphQL on a platform that is set up."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.running import DataDir, progress_console, read_settings, run, with_operations
from app.server import claim_port, serve as serve_platform
from app.telemetry import telemetry
from app.wiring import platform
from core.errors import InputError
from core.settings import OperationsMode
from database.migrate import pending

app = typer.Typer(add_completion=False)

Port = Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 takes a free one.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]


@app.command()
def serve(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Serve GraphQL until Ctrl-C; migrates nothing, and runs registered operations only.

    Reads the database, the online store and the live model, and writes what clients change. Clients register their
    operations with `waymark operations register`; WAYMARK_GATEWAY__OPERATIONS=open runs any document.
    """
    given = read_settings(data_dir=data_dir, host=host, port=port)
    settings = with_operations(given, OperationsMode.TRUSTED_ONLY)
    console = progress_console()

    def started(address: str) -> None:
        console.print(f"Serving {address}")

    async def work() -> None:
        with claim_port(settings.host, settings.port) as listener, telemetry(settings.telemetry):
            async with platform(settings) as parts:
                if await pending(parts.database):
                    raise InputError("The database is not at this version's revision; run `waymark database migrate`.")
                await serve_platform(parts, listener, started)

    run(work())
    console.print("Stopped.")
