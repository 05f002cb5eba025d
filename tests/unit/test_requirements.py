"""The locked lists fit each other: what one adds to an environment changes nothing that another has put there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"


def pins(name: str) -> dict[str, str]:
    """Return the version of every package of a list."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["dev", "ui"])
def test_lists_that_are_added_agree_with_the_base(name: str) -> None:
    """The same package has the same version in both."""
    base, added = pins("run"), pins(name)
    assert added
    assert {} == {package: version for package, version in added.items() if base.get(package, version) != version}


def test_the_base_does_without_what_feasts_pages_need() -> None:
    """Their list has all of the group and what it depends on, and only the group is new."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    wanted = {requirement.partition(">")[0] for requirement in groups["ui"]}
    assert wanted == pins("ui").keys() - pins("run").keys()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_locked_lists_name_no_address(path: Path) -> None:
    """Packages come from wherever the environment says, and are known by their hashes."""
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    packages = re.findall(r"^[a-z0-9][^ \n]*==[^\n]*\n {4}--hash=sha256:", text, re.MULTILINE)
    assert len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) == len(packages) > 0
