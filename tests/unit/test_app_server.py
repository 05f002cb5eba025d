"""What the readiness probe tells of recommendations."""

from __future__ import annotations

from typing import Any

from app.server import Ranking

MODEL: Any = object()


def test_views_that_are_answered_for_by_defaults_are_named() -> None:
    """They are told beside the model; when all is well nothing is, and without a model neither."""
    lost = {"course_signals": "is not declared", "course_profile": "is not declared"}
    assert {"status": "on", "modelVersion": "v1", "defaultsFor": "course_profile, course_signals"} == Ranking(
        MODEL, lambda: "v1", degraded=lambda: lost
    ).status()
    assert {"status": "on", "modelVersion": "v1"} == Ranking(MODEL, lambda: "v1").status()
    assert {"status": "no model", "modelVersion": None} == Ranking(MODEL, lambda: None).status()
    assert {"status": "off", "modelVersion": None} == Ranking(None, lambda: None).status()
