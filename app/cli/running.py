"""How every command runs: settings, one event loop, and one clear line for whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from app.telemetry import telemetry
from app.wiring import Platform, platform
from core.errors import InputError
from core.settings import Settings

ResultT = TypeVar("ResultT")

_INTERRUPTED = 130

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder that all data lives under (default: WAYMARK_DATA_DIR or .waymark)."),
]


def progress_console() -> Console:
    """Return where progress is written: standard error, so that standard output stays for results."""
    return Console(stderr=True, highlight=False)


def read_settings(**given: Any) -> Settings:
    """Return the settings of the environment, with what was given on the command line put over them.

    Raises:
        InputError: a setting has a value that it cannot have; the message names it.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "WAYMARK_" + "__".join(str(part) for part in first["loc"]).upper()
        raise InputError(f"{name}: {first['msg']}.") from error


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end; SIGTERM ends it like Ctrl-C, so that everything it opened is closed."""

    async def guarded() -> ResultT:
        task = asyncio.current_task()
        if task is not None:
            with contextlib.suppress(NotImplementedError, RuntimeError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress_console().print("Interrupted.")
        raise typer.Exit(_INTERRUPTED) from None


def run_on_platform(data_dir: Path | None, work: Callable[[Platform], Awaitable[ResultT]], **given: Any) -> ResultT:
    """Open the platform and run `work` on it."""
    settings = read_settings(data_dir=data_dir, **given)

    async def opened() -> ResultT:
        with telemetry(settings.telemetry):
            async with platform(settings) as parts:
                return await work(parts)

    return run(opened())
