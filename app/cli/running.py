"""How every command runs: settings, one event loop, and one clear line for whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from app.process import run_on_fast_loop
from app.telemetry import telemetry
from app.wiring import Platform, platform
from core.errors import InputError
from core.settings import OperationsMode, Settings
from database.migrate import migrate, refuse_pending

ResultT = TypeVar("ResultT")

_INTERRUPTED = 130

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder that all data lives under (default: WAYMARK_DATA_DIR or .waymark)."),
]


def progress_console() -> Console:
    """Return where progress is written: standard error, so that standard output stays for results."""
    return Console(stderr=True, highlight=False)


def check_folder(path: Path | None) -> None:
    """Refuse a file that could not be written, before minutes of work; None is no file.

    Raises:
        InputError: its folder does not exist.
    """
    if path is not None and not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist.")


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
    except SettingsError as error:
        # It has no attribute with the name; a part as a whole would have to be JSON.
        field = re.search(r'field "(\w+)"', str(error))
        name = "WAYMARK_" + (field.group(1).upper() if field else "...")
        raise InputError(f"{name}: not JSON; set one part of it, such as {name}__<NAME>.") from error


def with_operations(settings: Settings, mode: OperationsMode) -> Settings:
    """Return the settings with a mode of operations where the operator chose none."""
    if settings.gateway.operations is not None:
        return settings
    gateway = settings.gateway.model_copy(update={"operations": mode})
    return settings.model_copy(update={"gateway": gateway})


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end; SIGTERM ends it like Ctrl-C, so that everything it opened is closed."""

    async def guarded() -> ResultT:
        task = asyncio.current_task()
        if task is not None:
            with contextlib.suppress(NotImplementedError, RuntimeError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return run_on_fast_loop(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress_console().print("Interrupted.")
        raise typer.Exit(_INTERRUPTED) from None


async def bring_up_to_date(parts: Platform) -> None:
    """Migrate a database of our own; one that an operator named is theirs to migrate.

    Raises:
        InputError: the operator's database is not at this version's revision.
    """
    if parts.settings.database_url is None:
        await migrate(parts.database)
    else:
        await refuse_pending(parts.database)


def run_on_platform(
    data_dir: Path | None,
    work: Callable[[Platform], Awaitable[ResultT]],
    *,
    up_to_date: bool = True,
    **given: Any,
) -> ResultT:
    """Open the platform and run `work` on it.

    Args:
        data_dir: folder of the platform; that of the settings when None.
        work: what the command does.
        up_to_date: whether the tables have to be those of this version before `work` begins.
        given: settings that the command line decides.

    Raises:
        InputError: a setting is wrong, or the database is not at this version's revision.
    """
    settings = read_settings(data_dir=data_dir, **given)

    async def opened() -> ResultT:
        with telemetry(settings.telemetry):
            async with platform(settings) as parts:
                if up_to_date:
                    await bring_up_to_date(parts)
                return await work(parts)

    return run(opened())
