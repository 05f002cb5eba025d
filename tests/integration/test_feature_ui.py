"""Feast's own pages over the features of a data folder; they need `make ui`'s packages, and are left out without."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.feature_pipeline import FeaturePlaces, apply
from app.server import claim_port
from core.clock import ManualClock
from database.session import Database
from feature_repo.sources import COURSE_POPULARITY, COURSE_PROFILE, LEARNER_ACTIVITY

pytest.importorskip("grpc", reason="`make ui` installs what Feast's pages need")

_PATIENCE = 60.0


async def test_feasts_pages_show_what_is_declared(
    database: Database, clock: ManualClock, tmp_path: Path, valkey_url: str
) -> None:
    """The settings that `apply` writes are enough for the page and for what it asks the registry."""
    await apply(database, FeaturePlaces(tmp_path, valkey_url, project=f"test_{uuid4().hex}"), clock)
    listener = claim_port("127.0.0.1", 0)
    address = listener.getsockname()
    listener.close()
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(tmp_path / "features"), "ui"]
    served = subprocess.Popen(  # noqa: ASYNC220 - it is ended below.
        [*command, "--host", address[0], "--port", str(address[1])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        views, page = await asyncio.to_thread(_look, f"http://127.0.0.1:{address[1]}", served)
    finally:
        served.terminate()
        served.wait(_PATIENCE)
    assert {LEARNER_ACTIVITY, COURSE_POPULARITY, COURSE_PROFILE} == views
    assert "<title>Feast Feature Store</title>" in page


def _look(address: str, served: subprocess.Popen[bytes]) -> tuple[set[str], str]:
    """Return the names of the views that are shown, and the page that shows them."""
    with httpx.Client(base_url=address, timeout=_PATIENCE) as http:
        project = _projects(http, served)[0]["id"]
        found = http.get("/api/v1/feature_views", params={"project": project}).json()["featureViews"]
        return {view["spec"]["name"] for view in found}, http.get("/").text


def _projects(http: httpx.Client, served: subprocess.Popen[bytes]) -> list[dict[str, str]]:
    while served.poll() is None:
        try:
            projects: list[dict[str, str]] = http.get("/projects-list.json").json()["projects"]
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return projects
    raise AssertionError("feast ui ended.")
