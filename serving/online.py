"""The online store, asked for what a feature service lists: by name, with one error for whatever may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class OnlineRows:
    """Features of some entities.

    Attributes:
        names: of the columns, sorted.
        values: float64[n, len(names)], NaN where nothing is known.
        moments: int64[n], unix seconds of the newest event timestamp of each entity; 0 where it has none.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    moments: NDArray[np.int64]


class OnlineReader:
    """Reads the features of one entity that a feature service lists.

    The service is looked up once, because that costs more than a read; `refresh` looks again.

    Args:
        store: a `feast.FeatureStore`.
        service: name of the feature service.
        entity: the join key, such as `learner_id`.
    """

    def __init__(self, store: Any, service: str, entity: str) -> None:
        self._store = store
        self._service = service
        self._entity = entity
        self._references: list[str] | None = None

    def refresh(self) -> None:
        """Read the registry anew, which another process may have changed.

        Raises:
            UnavailableError: the feature service is not declared yet.
        """
        try:
            self._store.refresh_registry()
            self._references = self._find()
        except Exception as error:
            raise UnavailableError(f"The feature service {self._service} cannot be read: {error}") from error

    def read(self, ids: Sequence[int]) -> OnlineRows:
        """Return the features of entities, one row each, in order; blocks, so call it in a thread.

        Raises:
            UnavailableError: the online store or the registry cannot be read.
        """
        if self._references is None:
            self.refresh()
        try:
            response = self._store.get_online_features(
                features=self._references, entity_rows={self._entity: list(ids)}
            ).to_dict(include_event_timestamps=True)
        except Exception as error:
            # Feast raises errors of many families: of Redis, of sockets, its own, and plain ones.
            raise UnavailableError(f"The online store cannot be read: {error}") from error
        return _rows(response, self._entity, len(ids))

    def _find(self) -> list[str]:
        service = self._store.get_feature_service(self._service)
        references = []
        for projection in service.feature_view_projections:
            view = self._store.get_feature_view(projection.name)
            if [column.name for column in view.entity_columns] == [self._entity]:
                references += [f"{projection.name}:{feature.name}" for feature in projection.features]
        return references


def _rows(response: dict[str, list[Any]], entity: str, count: int) -> OnlineRows:
    # Columns come in an order that changes from process to process; a missing entity comes with nulls and 1970.
    names = tuple(sorted(name for name in response if name != entity and not name.endswith("__ts")))
    values = np.full((count, len(names)), np.nan)
    moments = np.zeros(count, np.int64)
    for position, name in enumerate(names):
        values[:, position] = [np.nan if value is None else value for value in response[name]]
        moments = np.maximum(moments, np.array(response[f"{name}__ts"], np.int64))
    return OnlineRows(names, values, moments)
