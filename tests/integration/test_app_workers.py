"""Several processes on one port: they answer, fall and stand up again, and stop together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.test_app_cli import COMMAND, ROOT, environment, refused, waymark


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve with two processes; yield the supervisor and the address."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--workers", "2", "--data-dir", str(folder), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(WAYMARK_DATABASE_URL=url, WAYMARK_GATEWAY__OPERATIONS="open"),
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("Serving http://"), line
            yield process, line.split()[-1]
        finally:
            process.kill()


def workers(process: subprocess.Popen[str]) -> set[psutil.Process]:
    """Return the processes that serve, and not those that multiprocessing starts for itself."""
    found = set()
    for each in psutil.Process(process.pid).children():
        # Some end while they are looked at.
        with suppress(psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(each.cmdline()):
                found.add(each)
    return found


def ask(address: str) -> str:
    """Ask one process, whichever takes the connection."""
    answer = httpx.post(address, json={"query": "{ __typename }"}, timeout=30)
    name: str = answer.json()["data"]["__typename"]
    return name


def test_process_that_falls_is_started_again_and_all_stop_on_a_signal(database_url: str, tmp_path: Path) -> None:
    """Clients are answered all the time; SIGTERM ends the supervisor and its processes."""
    with served(database_url, tmp_path) as (process, address):
        first = workers(process)
        assert 2 == len(first)
        assert {"Query"} == {ask(address) for _ in range(8)}
        victim = min(first, key=lambda each: each.pid)
        victim.kill()
        psutil.wait_procs([victim], timeout=10)
        while len(workers(process) - {victim}) < 2:
            assert "Query" == ask(address)
        again = workers(process)
        assert victim not in again
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=30)
        assert process.stderr is not None
        assert "Stopped." in process.stderr.read()
        _, alive = psutil.wait_procs(list(again), timeout=10)
        assert [] == alive


@pytest.mark.skipif(sys.platform != "linux", reason="Others hand a shared socket's connections to whoever is awake.")
def test_connections_that_come_together_are_dealt_out(database_url: str, tmp_path: Path) -> None:
    """Sixty-four by chance: fewer than ten for one of two processes come once in a hundred million times."""
    with served(database_url, tmp_path) as (process, address), ExitStack() as stack:
        where = httpx.URL(address)
        assert where.port is not None
        for _ in range(64):
            client = stack.enter_context(socket.create_connection((where.host, where.port), timeout=30))
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        shares = [
            sum(
                each.status == psutil.CONN_ESTABLISHED and each.laddr.port == where.port
                for each in one.net_connections("tcp")
            )
            for one in workers(process)
        ]
        assert (2, 64) == (len(shares), sum(shares))
        assert min(shares) >= 10, shares
        refused(
            waymark("serve", "--workers", "2", "--port", str(where.port), WAYMARK_DATABASE_URL=database_url), "in use"
        )


def test_processes_are_replaced_while_they_answer(database_url: str, tmp_path: Path) -> None:
    """SIGHUP starts others before it ends those that there are."""
    with served(database_url, tmp_path) as (process, address):
        first = workers(process)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 100
        while first & workers(process):
            assert time.monotonic() < deadline
            try:
                assert "Query" == ask(address)
            except httpx.TransportError:
                # It met a process that was just closing its socket.
                assert "Query" == ask(address)
        assert 2 == len(workers(process))
        assert "Query" == ask(address)


def test_database_that_is_not_migrated_is_refused_once(tmp_path: Path) -> None:
    """By the supervisor, in one line."""
    refused(waymark("serve", "--workers", "2", "--data-dir", str(tmp_path), "--port", "0"), "waymark database migrate")
