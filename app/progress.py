"""Progress of long steps, drawn on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Report = Callable[[str, int, int], None]


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """Draw one bar for each step; a report of a step from its beginning draws a new one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        current: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in current or done == 0:
                current[step] = progress.add_task(step, total=total)
            progress.update(current[step], completed=done)

        yield report
