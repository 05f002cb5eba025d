"""Feature services: what a model of one generation reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feast import FeatureService, FeatureView

from feature_repo.entities import course_entity, learner_entity
from feature_repo.views import feature_views

RANKING = "ranking_v1"


def ranking_service(views: list[FeatureView]) -> FeatureService:
    """Return what the ranker reads: every stored feature of the learner and of the course."""
    return FeatureService(name=RANKING, features=list(views), description="Stored features of the ranking model.")


def definitions(data_dir: Path) -> list[Any]:
    """Return everything that Feast must know, for `FeatureStore.apply`."""
    views = feature_views(data_dir)
    return [learner_entity(), course_entity(), *views, ranking_service(views)]
