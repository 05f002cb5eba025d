"""Our top-level names resolve inside the repository, whatever the environment installs (ADR-0001)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [
    "app",
    "catalog",
    "core",
    "database",
    "execution",
    "feature_repo",
    "features",
    "gateway",
    "resolvers",
    "schema",
    "security",
    "serving",
    "tests",
    "training",
    "warehouse",
]


def test_every_package_is_listed() -> None:
    """A new room is added to the list, and so to this test."""
    assert ROOMS == sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_room_resolves_inside_the_repository(room: str) -> None:
    """No installed package of the same name is imported in its place."""
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert ROOT / room / "__init__.py" == Path(spec.origin).resolve()
