"""`waymark model report`: one page about a release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli.running import DataDir, check_folder, run_on_platform
from app.wiring import Platform
from core.errors import InputError


def report(
    output: Annotated[Path, typer.Option("--output", help="File of HTML to write.")],
    version: Annotated[
        str | None, typer.Argument(help="Version of the release; without, the live one, else the newest.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write one page about a release: figures with intervals, curves, importance, drift, and lists with reasons.

    Reads the register and the files of the release, the feature tables and, of the live release, what some learners
    would be shown; writes nothing but the file. The page needs no network and no script. It names learners by number.
    """
    check_folder(output)
    if output.is_dir():
        raise InputError(f"{output} is a folder.")
    from app.model_report import check_output, write_report  # noqa: PLC0415 - XGBoost takes long to import.

    check_output(output)

    async def work(parts: Platform) -> str:
        return await write_report(parts, version, output)

    written = run_on_platform(data_dir, work)
    Console(highlight=False).print(f"The report of release {written} is in {output}.", soft_wrap=True)
