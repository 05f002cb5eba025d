"""`waymark up`: from an empty machine to answers."""

from __future__ import annotations

import time

import typer

from app.cli.running import DataDir, progress_console, read_settings, run, with_operations
from app.cli.serve import Host, Port
from app.demonstration import SignIn, known_account
from app.progress import shown
from app.server import claim_port, serve
from app.setup import prepare
from app.telemetry import telemetry
from app.wiring import platform
from core.settings import OperationsMode

app = typer.Typer(add_completion=False)

QUERY = "{ recommendedCourses(first: 3) { strategy edges { rank score node { title } reasons { text } } } }"


@app.command()
def up(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Set everything up and serve GraphQL until Ctrl-C; stages that are done are skipped.

    Starts embedded PostgreSQL and Valkey unless WAYMARK_DATABASE_URL and WAYMARK_REDIS_URL name real ones, migrates,
    fills an empty platform with a simulated demonstration, materializes features, trains a model and serves it.
    Reads and writes the data folder and those servers.
    """
    settings = with_operations(read_settings(data_dir=data_dir, host=host, port=port), OperationsMode.OPEN)
    console = progress_console()
    begun = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[{time.monotonic() - begun:5.1f} s] {line}", markup=False, soft_wrap=True)

    async def work() -> None:
        with claim_port(settings.host, settings.port) as listener, telemetry(settings.telemetry):
            async with platform(settings) as parts:
                say("Servers: PostgreSQL" + ("." if parts.redis_url is None else " and Valkey."))
                await prepare(parts, say, lambda: shown(console))

                def started(address: str) -> None:
                    say("Serving.")
                    for line in greeting(address, known_account(parts.data_dir)):
                        console.print(line, markup=False, soft_wrap=True)

                await serve(parts, listener, started)

    run(work())
    console.print("Stopped.")


def greeting(address: str, account: SignIn | None) -> list[str]:
    """Return the last lines: where to go, how to sign in, and a first query."""
    lines = ["", f"GraphQL and GraphiQL:  {address}"]
    if account is not None:
        credentials = f'email: "{account.email}", password: "{account.password}"'
        lines += [
            "Simulated demonstration; sign in with this mutation, and send the token as `Authorization: Bearer …`:",
            f"  mutation {{ signIn(input: {{ {credentials} }}) {{ session {{ accessToken }} }} }}",
        ]
    return [*lines, "A first query:", f"  {QUERY}", "Stop with Ctrl-C."]
