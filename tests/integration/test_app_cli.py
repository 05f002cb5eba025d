"""The command line as a person uses it: real processes, real exit codes, one line for a mistake."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from app.wiring import DATA_FORMAT
from tests.conftest import administer, database_named

pytestmark = pytest.mark.long(1.5)

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]


@pytest_asyncio.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database without a table."""
    name = f"empty_{uuid4().hex}"
    await administer(postgres_url, f"CREATE DATABASE {name}")
    yield database_named(postgres_url, name)
    await administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def environment(**changed: str) -> dict[str, str]:
    """Return an environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return {**kept, "WAYMARK_RECOMMENDATIONS": "off", "COLUMNS": "200", **changed}


def waymark(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=ROOT,
        env=environment(**changed),
    )


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Check that a command was refused with one clear line."""
    assert 1 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    for part in said:
        assert part in line


def test_port_in_use_is_said_before_anything_is_started(tmp_path: Path) -> None:
    """Nobody waits for a training to learn that the port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(waymark("up", "--data-dir", str(tmp_path / "data"), "--port", port), port, "--port")
    assert not (tmp_path / "data").exists()


def test_data_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """And left as it was."""
    marker = tmp_path / "waymark.json"
    marker.write_text(json.dumps({"format": DATA_FORMAT + 1}))
    refused(waymark("database", "migrate", "--data-dir", str(tmp_path)), "newer")
    assert [marker] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "[]", "{}", "\0"])
def test_damaged_marker_of_the_data_folder_is_said(tmp_path: Path, content: str) -> None:
    """A file that nobody wrote on purpose is not guessed at."""
    (tmp_path / "waymark.json").write_text(content)
    refused(waymark("database", "migrate", "--data-dir", str(tmp_path)), "damaged")


def test_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The operating system's reason is passed on."""
    path = tmp_path / "file"
    path.touch()
    refused(waymark("database", "migrate", "--data-dir", str(path)), str(path))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
        ("mysql://localhost/x", "postgresql://"),
        ("nonsense", "cannot be read"),
    ],
)
def test_unusable_database_is_said_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    """Unreachable, of another kind, or no URL at all."""
    url = url.replace("nobody@", "nobody:hush@")
    done = waymark("database", "migrate", "--data-dir", str(tmp_path), WAYMARK_DATABASE_URL=url)
    refused(done, said)
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAYMARK_PORT", "http"),
        ("WAYMARK_RANKING__DEADLINE", "0"),
        ("WAYMARK_RECOMMENDATIONS", "maybe"),
        ("WAYMARK_DATABASE", "foo"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    """An operator learns which variable is wrong."""
    refused(waymark("serve", "--data-dir", str(tmp_path), **{name: value}), name)


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--nonsense"], ["serve", "--port", "x"], ["model"]])
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    """The shell's own code for it."""
    done = waymark(*arguments)
    assert 2 == done.returncode
    assert "Traceback" not in done.stderr


def test_database_that_is_not_migrated_is_not_served(tmp_path: Path) -> None:
    """The command that mends it is named."""
    refused(waymark("serve", "--data-dir", str(tmp_path), "--port", "0"), "waymark database migrate")


COMMANDS = [
    ["model", "list"],
    ["model", "promote", "x"],
    ["recommend", "1"],
    ["features", "list"],
    ["features", "apply"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_on_a_named_database_that_is_not_migrated_are_refused(
    tmp_path: Path, empty_database_url: str, arguments: list[str]
) -> None:
    """It is the operator's to migrate, and the command that does is named."""
    refused(
        waymark(*arguments, "--data-dir", str(tmp_path), WAYMARK_DATABASE_URL=empty_database_url),
        "waymark database migrate",
    )


def test_commands_on_a_new_data_folder_find_an_empty_platform(tmp_path: Path) -> None:
    """The embedded database is migrated by whatever comes first; a mistake then is one line."""
    folder = ("--data-dir", str(tmp_path))
    listed = waymark("model", "list", *folder)
    assert (0, "There is no release yet; `waymark model train` makes one.") == (
        listed.returncode,
        listed.stdout.strip(),
    )
    refused(waymark("model", "promote", "x", *folder), "x")
    refused(waymark("recommend", "1", *folder), "There is no learner 1.")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "now", "2026-03-01"])
def test_moment_that_is_none_is_said(tmp_path: Path, moment: str) -> None:
    """Before anything is started."""
    refused(waymark("features", "materialize", "--as-of", moment, "--data-dir", str(tmp_path / "data")), "--as-of")
    assert not (tmp_path / "data").exists()


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    """Once from empty, then nothing to do."""
    assert "from empty to revision" in waymark("database", "migrate", "--data-dir", str(tmp_path)).stdout
    assert "nothing to do" in waymark("database", "migrate", "--data-dir", str(tmp_path)).stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_cleanly_and_stops_what_it_started(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with success, and no server of ours stays behind."""
    waymark("database", "migrate", "--data-dir", str(tmp_path))
    process = subprocess.Popen(
        [*COMMAND, "serve", "--data-dir", str(tmp_path), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stderr is not None
    assert "Serving http://127.0.0.1:" in process.stderr.readline()
    postmaster = tmp_path / "postgres" / "postmaster.pid"
    assert postmaster.exists()
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert (0, "Stopped.") == (process.returncode, said.strip())
    assert not postmaster.exists()


def test_recommendations_off_imports_neither_feast_nor_xgboost() -> None:
    """A platform that does not recommend pays nothing for it."""
    script = (
        "import sys, app.server, app.cli.up, app.cli.serve; "
        "print([name for name in ('feast', 'xgboost', 'ibis', 'duckdb', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=ROOT,
        env=environment(),
    )
    assert "[]" == done.stdout.strip()
