"""The GraphQL over HTTP specification, as the audits of the npm package `graphql-http` read it, on a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.npm_tools import HERE, node, npm_folder

ROOT = Path(__file__).resolve().parents[2]
AUDITS = 61


@pytest.fixture
def address(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of `waymark serve`, on a free port of the loopback, open to any document."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    chosen = {
        "WAYMARK_DATABASE_URL": database_url,
        "WAYMARK_RECOMMENDATIONS": "off",
        "WAYMARK_GATEWAY__OPERATIONS": "open",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**kept, **chosen}
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            assert said.startswith("Serving http://"), said + process.stderr.read()
            yield said.split()[-1]
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_every_audit_of_the_specification_passes(address: str) -> None:
    """MUST, SHOULD and MAY alike."""
    done = node(HERE / "audit.mjs", address, cwd=npm_folder())
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [] == [result for result in results if result["status"] != "ok"]
    assert AUDITS == len(results)
