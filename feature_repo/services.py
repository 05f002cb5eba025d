"""Feature services: what a model of one generation reads, and everything that is declared."""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from feast import FeatureService, FeatureView, FileSource

import feature_repo
from core.errors import InputError
from feature_repo.entities import course_entity, learner_entity
from feature_repo.expectations import Expectations, max_age_of
from feature_repo.views import feature_views
from features import course, learner
from features.columns import StoredFeature, columns_of, stored_feature

RANKING = "ranking_v1"
_DECLARES = "declare"


def ranking_service(views: list[FeatureView]) -> FeatureService:
    """Return what the ranker reads: every stored feature of the learner and of the course."""
    return FeatureService(name=RANKING, features=list(views), description="Stored features of the ranking model.")


def definitions(data_dir: Path) -> list[Any]:
    """Return everything that Feast must know, for `FeatureStore.apply`.

    A module of this folder that has a function `declare(data_dir)` adds the views and services that it returns.

    Raises:
        InputError: a module cannot be read, or what it declares cannot be used.
    """
    views = feature_views(data_dir)
    found = [learner_entity(), course_entity(), *views, ranking_service(views), *_added(data_dir)]
    _check(found)
    return found


def declared_views(definitions: Sequence[Any]) -> list[FeatureView]:
    """Return the feature views among definitions, in the order of their declaration."""
    return [each for each in definitions if isinstance(each, FeatureView)]


def key_of(view: Any) -> str:
    """Return the name of the key column of a feature view whose entity `stored_features` accepts."""
    # Feast knows the columns of a view's entities only after it was applied.
    return {"learner": learner.ENTITY, "course": course.ENTITY}[view.entities[0]]


def stored_features(view: Any) -> list[StoredFeature]:
    """Return the features of a feature view.

    Raises:
        InputError: it belongs to something else than one learner or course, or has a field that cannot be read.
    """
    owners = list(view.entities)
    if owners in (["learner"], ["course"]):
        owner: Any = owners[0]
        return [stored_feature(owner, view.name, each.name, str(each.dtype), each.tags) for each in view.features]
    raise InputError(
        f"The feature view {view.name} belongs to {', '.join(owners) or 'nothing'}; the ranker reads views of one "
        "entity, learner or course."
    )


def _added(data_dir: Path) -> Iterator[Any]:
    for module in sorted(each.name for each in pkgutil.iter_modules(feature_repo.__path__)):
        try:
            declare = getattr(import_module(f"feature_repo.{module}"), _DECLARES, None)
            added = list(declare(data_dir)) if declare is not None else []
        except InputError:
            raise
        except Exception as error:
            # Whatever a person may write in a file: a wrong name, a wrong argument, half a line.
            raise InputError(f"feature_repo/{module}.py cannot be used: {error}") from error
        for each in added:
            if not isinstance(each, FeatureView | FeatureService):
                raise InputError(
                    f"feature_repo/{module}.py declares a {type(each).__name__}: "
                    "feature views and services are expected."
                )
        yield from added


def _check(found: Sequence[Any]) -> None:
    views = declared_views(found)
    services = [each for each in found if isinstance(each, FeatureService)]
    for kind, objects in (("feature views", views), ("feature services", services)):
        twice = [name for name, count in Counter(each.name for each in objects).items() if count > 1]
        if twice:
            raise InputError(f"Two {kind} are called {twice[0]}.")
    for view in views:
        if not isinstance(view.batch_source, FileSource):
            raise InputError(f"The feature view {view.name} has no file as its source, which is all that is read here.")
    columns_of(feature for view in views for feature in stored_features(view))
    for view in views:
        max_age_of(view.tags)
        for field in view.features:
            Expectations.of(field)
