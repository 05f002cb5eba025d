"""`waymark up`, the main job, as a stranger meets it: a real process, HTTP, and the lines that it prints."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console

from app import demonstration
from app.progress import shown
from app.server import services
from app.setup import prepare
from app.wiring import Platform
from catalog.simulation.demonstration import demonstration_learner, fill_demonstration
from core.clock import ManualClock
from core.settings import Recommendations, SecuritySettings, Settings
from database.session import Database
from serving.recommender import Recommender

pytestmark = pytest.mark.long(5)

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 280.0


@dataclass
class Up:
    """A running `waymark up` and what it has printed."""

    process: subprocess.Popen[bytes]
    lines: list[str]

    @property
    def address(self) -> str:
        """The address it printed."""
        (address,) = [line.split()[-1] for line in self.lines if line.startswith("GraphQL and GraphiQL:")]
        return address

    def ask(self, document: str, token: str | None = None) -> Any:
        """Send an operation over HTTP and return the response object."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.post(self.address, json={"query": document}, headers=headers, timeout=30).json()

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Send a signal and wait for the end; return the exit code and what was said since it served."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said.decode().strip()


def start(data_dir: Path) -> Up:
    """Start it and read what it prints until it serves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "up", "--data-dir", str(data_dir), "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**kept, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    up = Up(process, [])
    ends = time.monotonic() + PATIENCE
    rest = b""
    assert process.stderr is not None
    while "Stop with Ctrl-C." not in up.lines:
        assert time.monotonic() < ends, up.lines
        ready, _, _ = select.select([process.stderr], [], [], 1.0)
        if ready:
            read = os.read(process.stderr.fileno(), 65_536)
            assert read, "\n".join(up.lines)
            *whole, rest = (rest + read).split(b"\n")
            up.lines += [line.decode().strip() for line in whole]
    return up


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever still runs in it at the end is ended."""
    folder = tmp_path / "data"
    yield folder
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or ()):
            process.kill()


@pytest.mark.timeout(600)
def test_up_from_nothing_again_and_after_a_kill(data_dir: Path) -> None:
    """An empty folder becomes ranked courses; the second start skips what is done; `kill -9` needs no repair."""
    up = start(data_dir)
    said = "\n".join(up.lines)
    assert "migrated from empty" in said
    assert "all of them simulated" in said
    assert "times popularity by NDCG@10." in said
    sign_in = next(line for line in up.lines if line.startswith("mutation"))
    query = next(line for line in up.lines if line.startswith("{ recommendedCourses"))
    token = up.ask(sign_in)["data"]["signIn"]["session"]["accessToken"]
    answer = up.ask(query, token)["data"]["recommendedCourses"]
    assert "MODEL" == answer["strategy"]
    assert 3 == len(answer["edges"])
    assert all(edge["reasons"][0]["text"] for edge in answer["edges"])
    assert "POPULARITY" == up.ask(query)["data"]["recommendedCourses"]["strategy"]
    ready = httpx.get(up.address.replace("/graphql", "/health/ready"), timeout=30).json()
    assert "on" == ready["recommendations"]["status"]
    assert (-signal.SIGKILL, "") == up.end(signal.SIGKILL)

    again = start(data_dir)
    said = "\n".join(again.lines)
    assert "Model: a release is live." in said
    assert "migrated" not in said
    assert "computing" not in said
    assert answer == again.ask(query, token)["data"]["recommendedCourses"]
    assert (0, "Stopped.") == again.end(signal.SIGINT)
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "status"])
        if str(data_dir) in " ".join(process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    assert [] == left


@pytest.fixture
def parts(database: Database, database_url: str, clock: ManualClock, tmp_path: Path) -> Platform:
    """A platform without recommendations, on a database of this test's own."""
    settings = Settings(
        data_dir=tmp_path,
        recommendations=Recommendations.OFF,
        security=SecuritySettings(password_memory_kib=8, password_iterations=1),
    )
    return Platform(settings, clock, tmp_path, database_url, database, None)


async def prepared(parts: Platform) -> list[str]:
    """Do what `up` does before it serves; return what it said."""
    said: list[str] = []
    await prepare(parts, said.append, lambda: shown(Console(quiet=True)))
    return said


async def signed_in(parts: Platform) -> bool:
    """Say whether the sign-in that `up` prints is that of the account with the history."""
    account = demonstration.known_account(parts.data_dir)
    assert account is not None
    await demonstration.open_account(parts, await services(parts, Recommender(None, 1.0)), account)
    return not await demonstration.is_unclaimed(parts.database)


async def test_demo_before_up_gets_a_sign_in_too(parts: Platform) -> None:
    """Whoever filled the platform; and a second start leaves the account as it is."""
    await fill_demonstration(parts.database, parts.clock)
    assert any(line.startswith("Account: ") for line in await prepared(parts))
    assert await signed_in(parts)
    account = demonstration.known_account(parts.data_dir)
    assert not any(line.startswith("Account: ") for line in await prepared(parts))
    assert account == demonstration.known_account(parts.data_dir)


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_account_that_was_interrupted_is_finished_by_the_next_start(parts: Platform, steps: int) -> None:
    """Killed in the middle of writing the password, after it was kept, and after the account was made."""
    await fill_demonstration(parts.database, parts.clock)
    if steps == 0:
        (parts.data_dir / "demonstration.json").write_text('{"email": ')
    else:
        account = demonstration.keep_password(parts.data_dir)
        if steps == 2:
            await demonstration.open_account(parts, await services(parts, Recommender(None, 1.0)), account)
    await prepared(parts)
    assert await signed_in(parts)


async def test_address_of_somebody_else_is_left_to_them(parts: Platform) -> None:
    """The platform starts, and shows no password that opens nothing."""
    await fill_demonstration(parts.database, parts.clock)
    account = demonstration.SignIn(demonstration_learner().email, "another correct horse")
    await demonstration.open_account(parts, await services(parts, Recommender(None, 1.0)), account)
    assert any(line.startswith("Account: none") for line in await prepared(parts))
    assert demonstration.known_account(parts.data_dir) is None


async def test_old_features_are_materialized_again(parts: Platform, clock: ManualClock, valkey_url: str) -> None:
    """Those that would be stale soon are not done."""
    ranked = replace(
        parts, settings=parts.settings.model_copy(update={"recommendations": Recommendations.ON}), redis_url=valkey_url
    )
    await fill_demonstration(parts.database, parts.clock, learners=60)
    assert any("Features: computing" in line for line in await prepared(ranked))
    half = timedelta(seconds=parts.settings.ranking.stale_after / 2)
    clock.now += half - timedelta(seconds=1)
    assert not any("Features: computing" in line for line in await prepared(ranked))
    clock.now += timedelta(seconds=1)
    assert any("Features: computing" in line for line in await prepared(ranked))


def test_readme_shows_an_answer_of_the_form_that_is_given() -> None:
    """The first query's answer in the README has the fields that its query asks for."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```graphql\n(.*?)```", text, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    answer = json.loads(shown)["data"]["recommendedCourses"]
    assert set(re.findall(r"\w+", query)) - {"recommendedCourses", "first", "2"} == fields(answer)
    assert 2 == len(answer["edges"])


def fields(value: Any) -> set[str]:
    """Return all names of objects in a JSON value."""
    if isinstance(value, dict):
        return set(value) | {name for part in value.values() for name in fields(part)}
    if isinstance(value, list):
        return {name for part in value for name in fields(part)}
    return set()
