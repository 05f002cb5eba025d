"""Every step of docs/features.md is run as it is written."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from feast import FeatureStore
from typer.testing import CliRunner

from app.cli import features as features_cli, model as model_cli
from app.feature_pipeline import FeaturePlaces, materialize
from database.session import open_database
from tests.added_features import declared
from tests.integration.test_app_model_commands import fill

pytestmark = pytest.mark.long(0.8)

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", DOCUMENT, re.DOTALL)
GROUPS = {"features": features_cli.app, "model": model_cli.app}


@pytest.fixture
def platform(tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> FeaturePlaces:
    """The simulated platform in `.waymark` of the current folder, materialized, with a live release."""
    monkeypatch.chdir(tmp_path)
    redis_url = f"redis://{urlsplit(valkey_url).netloc}/13"
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_REDIS_URL", redis_url)
    places = FeaturePlaces(tmp_path / ".waymark", redis_url)

    async def prepare() -> None:
        async with open_database(database_url) as database:
            await fill(database)
            await materialize(database, places, lambda: datetime.now(UTC) - timedelta(minutes=1))

    asyncio.run(prepare())
    assert "is live" in said(["model", "train", "--rounds", "15", "--threads", "1"])
    return places


def said(arguments: list[str]) -> str:
    """Run a command in this process and return what it printed."""
    done = CliRunner().invoke(GROUPS[arguments[0]], arguments[1:], env={"COLUMNS": "200"})
    if done.exception is not None:
        raise AssertionError((arguments, done.output)) from done.exception
    assert 0 == done.exit_code
    return done.stdout


def serve(arguments: list[str], **changes: str) -> None:
    """Start the server as another process, and stop it once it serves."""
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    first = server.stderr.readline()
    server.send_signal(signal.SIGINT)
    rest = server.communicate(timeout=60)[1]
    assert "Serving http://" in first, first + rest
    assert 0 == server.returncode


def run_commands(block: str, told: dict[str, str]) -> None:
    """Run each line of a block; keep what it said by its first two words. VERSION is what was trained last."""
    for line in block.splitlines():
        version = "".join(re.findall(r"Release (\S+) is a candidate", told.get("model train", ""))[:1])
        words = [version if word == "VERSION" else word for word in shlex.split(line)]
        changes = dict(word.split("=", 1) for word in words if re.fullmatch(r"WAYMARK_\w+=.*", word))
        program, *arguments = [word for word in words if "=" not in word]
        assert ".venv/bin/waymark" == program, line
        if arguments[0] == "serve":
            serve(arguments, **changes)
        else:
            told[" ".join(arguments[:2])] = said(arguments)


def a_broken_table(places: FeaturePlaces) -> None:
    """A column that is not there any more is told by `validate` and `materialize`, which end with 1."""
    path = places.data_dir / "signals" / "course_signals.parquet"
    pd.read_parquet(path).drop(columns="course_rating").to_parquet(path, index=False)
    for command, expected in (
        ("validate", r"course_signals .* course_rating .* column .* not in the table"),
        ("materialize", r"60 of course_profile(?s:.*)course_signals is not written: .*course_rating.* What is online"),
    ):
        done = CliRunner().invoke(features_cli.app, [command], env={"COLUMNS": "200"})
        assert 1 == done.exit_code
        assert re.search(expected, done.stdout), done.stdout


@pytest.mark.timeout(400)
def test_the_ten_minutes_lead_from_a_file_to_a_live_release(platform: FeaturePlaces, tmp_path: Path) -> None:
    """Table, declaration, commands, frame, training, importance and promotion, in the order of the document."""
    told: dict[str, str] = {}
    spaces: list[dict[str, Any]] = []
    (module,) = (text for kind, text in BLOCKS if text.startswith("# feature_repo/signals.py"))
    with declared(tmp_path / "declared", module):
        for kind, text in BLOCKS:
            if text == module:
                continue
            if kind == "python":
                spaces.append({})
                exec(compile(text, "docs/features.md", "exec"), spaces[-1])  # noqa: S102 - our own document.
            else:
                run_commands(text, told)
        a_broken_table(platform)
    assert "course_signals:course_embedding" in told["features plan"]
    assert re.search(r"course_signals .* somebody else .* 0 .* 60 .* 2000-01-01", told["features backfill"])
    assert "60 of course_signals" in told["features materialize"]
    checks = json.loads((tmp_path / "checks.json").read_text(encoding="utf-8"))
    assert checks["holds"]
    rules = {each["rule"] for each in checks["checks"] if each["view"] == "course_signals"}
    assert {"table", "freshness", "online", "column", "null", "range"} == rules
    frame = spaces[1]["frame"]
    assert {"learner_id", "course_id", "decided_at", "taken", "course_format", "course_embedding_3"} <= set(frame)
    assert 1 <= frame["course_rating"].min() < frame["course_rating"].max() <= 5
    assert {0.0, 1.0} == set(frame["course_format"])
    assert any(name.startswith("course_embedding_") for name in spaces[2]["importance"])
    assert "course_embedding_" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "is live." in told["model promote"]
    assert 2 == len(list((tmp_path / ".waymark" / "models").glob("2*")))
    tools = FeatureStore(repo_path=str(tmp_path / ".waymark" / "features"))
    assert "course_signals" in {view.name for view in tools.list_feature_views()}
