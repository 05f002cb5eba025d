"""`waymark operations` as a team of a client uses it, against a server that only runs what was registered."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.contract.gateways import HELLO, TITLES, sha256
from tests.integration.test_app_cli import COMMAND, ROOT, environment, refused, waymark

pytestmark = pytest.mark.long(1.2)


def write(path: Path, content: object) -> str:
    """Write a manifest and return its name."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.timeout(240)
def test_build_is_registered_used_and_seen(tmp_path: Path, database_url: str) -> None:
    """A running server knows it without a restart; what was used is on record when the server has stopped."""
    here = {"WAYMARK_DATABASE_URL": database_url}
    folder = ("--data-dir", str(tmp_path / "data"))
    relay = write(tmp_path / "persisted.json", {sha256(HELLO): HELLO, "old": "query Old { removedField }"})
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    ask = {"documentId": sha256(HELLO)}
    said = {"apollographql-client-name": "ios", "apollographql-client-version": "3.2.0"}
    with subprocess.Popen(
        [*COMMAND, "serve", *folder, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(**here),
    ) as server:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        untrusted = httpx.post(address, json={"query": HELLO}, timeout=30).json()
        assert "OPERATION_NOT_TRUSTED" == untrusted["errors"][0]["extensions"]["code"]
        done = waymark(
            "operations",
            "register",
            relay,
            str(broken),
            "--client",
            "ios",
            "--client-version",
            "3.2.0",
            *folder,
            **here,
        )
        assert 1 == done.returncode, done.stderr
        assert "(old): Cannot query field 'removedField'" in done.stdout
        assert "broken.json: not JSON" in done.stdout
        assert "1 operations registered, 0 known already, 2 refused." in done.stdout
        answer = httpx.post(address, json=ask, headers=said, timeout=30).json()
        assert {"__typename": "Query"} == answer["data"]
        server.terminate()
        server.wait(timeout=60)
    listed = waymark("operations", "list", *folder, **here).stdout
    assert "Hello" in listed
    assert "ios 3.2.0" in listed
    assert "ios 3.2.0: 1 times, last " in waymark("operations", "usage", *folder, **here).stdout
    explained = waymark("operations", "explain", "Hello", *folder, **here).stdout
    for line in (
        f"id      {sha256(HELLO)}",
        "query Hello",
        "build   ios 3.2.0, registered ",
        "limit   depth 1 of 15",
        HELLO,
    ):
        assert line in explained


@pytest.mark.timeout(240)
def test_registered_operations_are_found_by_what_they_need(tmp_path: Path, database_url: str) -> None:
    """Before a field is removed, the builds that would break are named; mistakes are one clear line."""
    here = {"WAYMARK_DATABASE_URL": database_url}
    folder = ("--data-dir", str(tmp_path / "data"))
    assert "No operation is registered" in waymark("operations", "list", *folder, **here).stdout
    manifest = write(tmp_path / "codegen.json", {f"sha256:{sha256(TITLES)}": TITLES, sha256(HELLO): HELLO})
    assert 0 == waymark("operations", "register", manifest, *folder, **here).returncode
    again = waymark("operations", "register", manifest, "--registered-by", "ci", *folder, **here)
    assert (0, "0 operations registered, 2 known already, 0 refused.") == (again.returncode, again.stdout.strip())
    assert (
        "No use of an operation that needs Course.title."
        in waymark("operations", "usage", "--needs", "Course.title", *folder, **here).stdout
    )
    explained = waymark("operations", "explain", sha256(TITLES)[:8], *folder, **here).stdout
    assert "needs   Query.courses(first:)" in explained
    assert "cost    21 without variables; lists are as long as the contract assumes" in explained
    assert "kept    60 seconds, for everybody" in explained
    assert "written by the database: Course.title" in explained
    assert "AS written" in explained
    row = next(line for line in waymark("operations", "list", *folder, **here).stdout.splitlines() if "Titles" in line)
    assert "21" in [cell.strip() for cell in row.split("│")]
    refused(waymark("operations", "explain", "nothing", *folder, **here), "No operation nothing is registered.")
