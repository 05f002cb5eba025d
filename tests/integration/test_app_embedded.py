"""Embedded servers are shared, survive a killed process, and stop with the last user."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from app.embedded import embedded_postgres, embedded_valkey
from core.errors import InputError, UnavailableError

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


async def one(url: str) -> int:
    """Ask PostgreSQL for 1."""
    connection = await asyncpg.connect(url)
    try:
        value: int = await connection.fetchval("SELECT 1")
        return value
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["with a space", 'quote\'s "$HOME"', "Ñandú, %20"])
def test_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """PostgreSQL starts, answers, is shared and is stopped whatever a shell would make of the path."""
    folder = tmp_path / name / "postgres"
    other, url = hold("postgres", folder)
    with embedded_postgres(folder) as ours:
        assert url == ours
        assert 1 == asyncio.run(one(ours))
        pid = server_pid("postgres", folder)
        other.communicate(timeout=30)
        assert is_alive(pid)
    assert not is_alive(pid)


def test_link_that_others_may_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can lead PostgreSQL to a folder of theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = tmp_path / f"waymark-{os.geteuid()}"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(InputError, match="not ours alone"), embedded_postgres(tmp_path / "a space"):
        pass
    assert [] == list(home.iterdir())


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_stale_pid_file_does_not_keep_postgres_from_starting(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    """After a crash the number of the server may be another process's; that one is neither used nor ended."""
    folder = tmp_path / "postgres"
    with embedded_postgres(folder):
        written = (folder / "postmaster.pid").read_text()
    first, _, rest = written.partition("\n")
    (folder / "postmaster.pid").write_text(f"{bystander.pid}\n{rest}")
    with embedded_postgres(folder) as url:
        assert 1 == asyncio.run(one(url))
        assert server_pid("postgres", folder) not in {int(first), bystander.pid}
    assert bystander.poll() is None


def test_failed_start_of_postgres_signals_nobody(tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
    """What stands in a pid file is not believed."""
    folder = tmp_path / "postgres"
    with embedded_postgres(folder):
        pass
    (folder / "postgresql.conf").write_text("nonsense\n")
    (folder / "postmaster.pid").write_text(f"{bystander.pid}\n")
    with pytest.raises(UnavailableError, match="did not start"), embedded_postgres(folder):
        pass
    assert bystander.poll() is None


def test_failed_start_of_valkey_signals_nobody(
    tmp_path: Path, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the other server: its dump cannot be read."""
    monkeypatch.setattr("app.embedded._PATIENCE", 1.0)
    folder = tmp_path / "valkey"
    folder.mkdir()
    (folder / "dump.rdb").write_text("nonsense")
    (folder / "valkey.pid").write_text(f"{bystander.pid}\n")
    with pytest.raises(UnavailableError, match="did not start"), embedded_valkey(folder):
        pass
    assert bystander.poll() is None


def test_stopping_leaves_a_bystander_alone(tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
    """Even when the pid file changes while the server is used."""
    folder = tmp_path / "valkey"
    with embedded_valkey(folder):
        server = psutil.Process(server_pid("valkey", folder))
        (folder / "valkey.pid").write_text(f"{bystander.pid}\n")
    assert bystander.poll() is None
    server.kill()
