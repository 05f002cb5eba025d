"""Every command of the README is run, in its order, on files of the documented form."""

from __future__ import annotations

import csv
import gzip
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long(2)

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COURSES, LEARNERS, TAKEN = 60, 300, 6


def commands() -> list[str]:
    """Return every command of every shell block, without its comment."""
    return [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def write_files(folder: Path) -> str:
    """Write courses and a history in which courses follow one another; return a learner's id."""
    with (folder / "courses.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["course_id", "slug", "title", "categories", "concepts", "level", "language", "audience"])
        for number in range(COURSES):
            topic = f"area-{number % 3}|field-{number % 6}"
            table.writerow(
                [
                    number,
                    f"course-{number}",
                    f"Course number {number}",
                    topic,
                    f"Skill {number % 9}",
                    "all",
                    "english",
                    "",
                ]
            )
    rng = np.random.default_rng(5)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with gzip.open(folder / "enrolments.csv.gz", "wt", newline="", encoding="utf-8") as file:
        history = csv.writer(file)
        history.writerow(["learner_id", "course_id", "enrolled_at"])
        for learner in range(LEARNERS):
            moment = start + timedelta(hours=float(rng.uniform(0, 4000)))
            first = int(rng.integers(COURSES))
            for step in range(TAKEN):
                # Mostly the next course of a sequence, so that there is something to learn.
                course = (first + 6 * step if rng.random() < 0.8 else int(rng.integers(COURSES))) % COURSES
                history.writerow([f"learner{learner:04}", course, f"{moment:%Y-%m-%dT%H:%M:%SZ}"])
                moment += timedelta(hours=float(rng.uniform(1, 400)))
    return "learner0007"


def test_make_targets_of_the_readme_run_the_main_job_and_the_tests() -> None:
    """`make run` ends in `waymark up` and `make test` in pytest; what they do is tested where it is done."""
    for command, ends in (
        ("make run", "/waymark up --port 8000"),
        ("make test", "-m pytest -q -n 3 --dist loadfile --no-loadscope-reorder"),
    ):
        assert command in commands()
        planned = subprocess.run(
            [*command.split(), "--dry-run", "--no-print-directory"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=30,
            # The checks are run by make themselves, whose own flags are not meant for this one.
            env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        )
        assert planned.stdout.strip().endswith(ends)


@pytest.mark.timeout(400)
def test_commands_for_real_data_lead_from_files_to_an_answer(tmp_path: Path) -> None:
    """Import, features, model, recommendation and server, as written."""
    learner = write_files(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    said: dict[str, str] = {}
    for line in commands():
        if not line.startswith(".venv/bin/waymark "):
            assert line.startswith("make "), line
            continue
        arguments = [learner if word == "LEARNER" else word for word in line.split()[1:]]
        command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
        if arguments[0] == "serve":
            server = subprocess.Popen(
                [*command, "--port", "0"], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
            )
            assert server.stderr is not None
            said_first = server.stderr.readline()
            assert "Serving http://" in said_first, said_first + server.stderr.read()
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)
            assert 0 == server.returncode
            continue
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=200
        )
        assert 0 == done.returncode, (line, done.stderr)
        said[" ".join(arguments[:2])] = done.stdout
    assert "is live" in said["model train"]
    assert "model-daily" in said["model evaluate"]
    assert "MODEL" in said[f"recommend {learner}"]
