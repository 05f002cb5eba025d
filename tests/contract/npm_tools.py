"""Tools of clients from npm, which contract tests run through node; requirements/npm.sh installs them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent / "npm"
_FOLDER = Path(sys.prefix) / "npm"


def npm_folder() -> Path:
    """Return the folder whose `node_modules` has the packages; without them skip the test, or fail if required."""
    reason = None
    if shutil.which("node") is None:
        reason = "node is not installed"
    elif not (_FOLDER / ".ready").exists():
        reason = "the npm packages are not installed; `make contract` installs them"
    elif (_FOLDER / "package-lock.json").read_bytes() != (HERE / "package-lock.json").read_bytes():
        reason = "the npm packages are not those of the lock file; `make contract` installs them"
    if reason is not None:
        if os.environ.get("WAYMARK_CONTRACT_TOOLS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return _FOLDER
