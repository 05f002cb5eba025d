"""Embedded servers are shared, survive a killed process, and stop with the last user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from app.embedded import embedded_postgres, embedded_valkey
from core.errors import InputError

HOLD = """
import sys
from pathlib import Path
from app.embedded import embedded_postgres, embedded_valkey
kind = {"postgres": embedded_postgres, "valkey": embedded_valkey}[sys.argv[1]]
with kind(Path(sys.argv[2])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
PID_FILES = {"postgres": "postmaster.pid", "valkey": "valkey.pid"}
STARTERS = {"postgres": embedded_postgres, "valkey": embedded_valkey}


def hold(kind: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a process that uses a server until its standard input ends; return it and the URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def server_pid(kind: str, folder: Path) -> int:
    """Return the process id that the server itself wrote."""
    return int((folder / PID_FILES[kind]).read_text().splitlines()[0])


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and waits to be reaped does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_two_processes_share_one_server(kind: str, tmp_path: Path) -> None:
    """A second user gets the same server, and only the last one to leave stops it."""
    folder = tmp_path / kind
    other, url = hold(kind, folder)
    with STARTERS[kind](folder) as ours:
        assert url == ours
        pid = server_pid(kind, folder)
        other.communicate(timeout=30)
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_server_of_a_killed_process_is_used_again_and_stopped(kind: str, tmp_path: Path) -> None:
    """After `kill -9` of its only user nothing has to be repaired by hand."""
    folder = tmp_path / kind
    process, url = hold(kind, folder)
    pid = server_pid(kind, folder)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert is_alive(pid)
    with STARTERS[kind](folder) as again:
        assert url == again
    assert not is_alive(pid)


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_killed_server_is_started_again(kind: str, tmp_path: Path) -> None:
    """A server that was killed itself leaves files behind, and starts on them."""
    folder = tmp_path / kind
    with STARTERS[kind](folder):
        pid = server_pid(kind, folder)
        os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    with STARTERS[kind](folder):
        assert server_pid(kind, folder) != pid


def test_valkey_asks_for_its_password(tmp_path: Path) -> None:
    """Another user of this machine cannot read what is stored."""
    with embedded_valkey(tmp_path / "valkey") as url:
        without = "redis://" + url.rpartition("@")[2]
        with redis.Redis.from_url(without) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_folder_of_another_postgres_version_is_refused(tmp_path: Path) -> None:
    """One clear sentence, and the folder is left as it was."""
    (tmp_path / "PG_VERSION").write_text("12\n")
    with pytest.raises(InputError, match="PostgreSQL 12"), embedded_postgres(tmp_path):
        pass
    assert ["PG_VERSION"] == [path.name for path in tmp_path.iterdir()]
