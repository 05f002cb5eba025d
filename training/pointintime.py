"""Stored features as they were at a moment, by Feast's point-in-time join."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from features.interactions import Integers
from features.pair import DAY, Floats
from features.vector import VectorLayout

LEARNER, COURSE = "learner", "course"
_ROW = "waymark_row"
_ROWS = 50_000
"""Rows of one question: the join holds every earlier value of each row's entity at once."""


class FeastFeatures:
    """Reads the features of one feature service.

    Args:
        store: a `feast.FeatureStore`.
        service: name of the feature service; each of its views belongs to the learner or to the course.

    Raises:
        InputError: there is no such service, or a view belongs to something else.
    """

    def __init__(self, store: Any, service: str) -> None:
        from feast.errors import FeastObjectNotFoundException  # noqa: PLC0415 - importing Feast takes seconds.

        self._store = store
        self._references: dict[str, list[str]] = {LEARNER: [], COURSE: []}
        self._keys: dict[str, str] = {}
        try:
            projections = store.get_feature_service(service).feature_view_projections
        except FeastObjectNotFoundException as error:
            raise InputError(f"There is no feature service {service}: run `waymark features apply` first.") from error
        for projection in projections:
            self._add(projection)

    def _add(self, projection: Any) -> None:
        view = self._store.get_feature_view(projection.name)
        owners = list(view.entities)
        if len(owners) != 1 or owners[0] not in self._references:
            raise InputError(
                f"The feature view {projection.name} belongs to {', '.join(owners)}; "
                f"the ranker reads views of one entity, {LEARNER} or {COURSE}."
            )
        self._keys[owners[0]] = view.entity_columns[0].name
        name = projection.name_to_use()
        self._references[owners[0]] += [f"{name}:{feature.name}" for feature in projection.features]

    @cached_property
    def layout(self) -> VectorLayout:
        """Names of the features of the service."""
        return VectorLayout.of(_names(self._references[LEARNER]), _names(self._references[COURSE]))

    def read_learners(self, learner_ids: Integers, moments: Integers) -> NDArray[np.float64]:
        """Return float64[d, k]: what was known strictly before the moments, NaN where nothing was."""
        # A join finds what is at or before its moment; one microsecond earlier is strictly before the decision.
        return self._read(LEARNER, self.layout.learner, learner_ids, moments - 1)

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return float32[m, k]: what was known when the UTC day of the moments began, NaN where nothing was.

        That is strictly before the moments, and for features that change at midnight, as popularity does, the same as
        an instant before. Serving is no fresher: it reads courses from the last materialization.
        """
        days = (moments - 1) // DAY
        # Decisions of one day share their candidates: each is asked for once.
        keys = np.stack([days, course_ids])
        (unique_days, unique_ids), places = np.unique(keys, axis=1, return_inverse=True)
        return self._read(COURSE, self.layout.course, unique_ids, unique_days * DAY)[places.ravel()].astype(np.float32)

    def _read(self, entity: str, names: Sequence[str], ids: Integers, moments: Integers) -> NDArray[np.float64]:
        values = np.full((len(ids), len(names)), np.nan)
        if names:
            for start in range(0, len(ids), _ROWS):
                part = slice(start, start + _ROWS)
                values[part] = self._join(entity, names, ids[part], moments[part])
        return values

    def _join(self, entity: str, names: Sequence[str], ids: Integers, moments: Integers) -> NDArray[np.float64]:
        frame = pd.DataFrame(
            {
                self._keys[entity]: ids,
                "event_timestamp": pd.to_datetime(moments, unit="us", utc=True),
                _ROW: np.arange(len(ids)),
            }
        )
        with warnings.catch_warnings():
            # ibis 12 calls a method of DuckDB that DuckDB 2 has renamed.
            warnings.filterwarnings("ignore", message="fetch_arrow_table", category=DeprecationWarning)
            joined = self._store.get_historical_features(frame, self._references[entity]).to_df()
        # No offline store keeps the order of its rows.
        joined = joined.set_index(_ROW).loc[np.arange(len(ids))]
        return np.stack([pd.to_numeric(joined[name]).to_numpy(np.float64, na_value=np.nan) for name in names], axis=1)


def _names(references: Sequence[str]) -> list[str]:
    return [reference.partition(":")[2] for reference in references]
