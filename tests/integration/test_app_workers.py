"""Several processes on one port: they answer, fall and stand up again, and stop together."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

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
    children = psutil.Process(process.pid).children()
    return {each for each in children if "resource_tracker" not in " ".join(each.cmdline())}


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


def test_database_that_is_not_migrated_is_refused_once(tmp_path: Path) -> None:
    """By the supervisor, in one line."""
    refused(waymark("serve", "--workers", "2", "--data-dir", str(tmp_path), "--port", "0"), "waymark database migrate")
