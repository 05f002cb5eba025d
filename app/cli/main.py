"""The `waymark` command: its groups, and the border where errors become one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from rich.console import Console
from typing_extensions import override

from core.errors import WaymarkError

_FAILED = 1
# Imported when they are named: `waymark serve` must not pay for what `waymark model` imports.
_GROUPS = {
    "database": "Migrate the database.",
    "catalog": "Judge files of courses, and bring courses in.",
    "events": "Bring learners' history in.",
    "features": "Declare, compute and materialize features.",
    "model": "Train, evaluate and release the ranking model.",
    "operations": "Register the operations that clients may run, and see who uses them.",
}
_COMMANDS = ("up", "serve", "demo", "recommend", "schema")


class LazyGroup(typer.core.TyperGroup):
    """A group that imports a command's module when the command is named."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, without importing anything."""
        return [*_COMMANDS, *_GROUPS]

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return one command or group."""
        if cmd_name not in (*_COMMANDS, *_GROUPS):
            return None
        module: Any = importlib.import_module(f"app.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Waymark, the backend of a learning platform. `waymark up` starts everything.",
)


@app.callback()
def root() -> None:
    """Waymark, the backend of a learning platform. `waymark up` starts everything."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 refused with one line, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except WaymarkError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"Error: {error}", markup=False)
        sys.exit(_FAILED)
