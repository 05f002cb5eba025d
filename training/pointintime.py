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
from features.columns import FeatureKind, Owner, StoredFeature, columns_of, encoded, stored_feature
from features.interactions import Integers
from features.pair import DAY, Floats
from features.vector import VectorLayout
from serving.served import declared_features

LEARNER: Owner = "learner"
COURSE: Owner = "course"
_ROW = "waymark_row"
_ROWS = 50_000
"""Rows of one question: the join holds every earlier value of each row's entity at once."""


class FeastFeatures:
    """Reads the features of one feature service, or those that a release recorded.

    Args:
        store: a `feast.FeatureStore`.
        read: name of the feature service, each of whose views belongs to the learner or to the course; or the features
            that a release has recorded, which are read from their views whatever services declare now.

    Raises:
        InputError: there is no such service, it has a view or field that the ranker cannot read, or a view does not
            declare a recorded feature any more.
    """

    def __init__(self, store: Any, read: str | Sequence[StoredFeature]) -> None:
        self._store = store
        self._features: dict[Owner, list[StoredFeature]] = {LEARNER: [], COURSE: []}
        self._keys: dict[Owner, str] = {}
        if isinstance(read, str):
            self._add_service(read)
        else:
            self._add_recorded(read)

    def _add_service(self, service: str) -> None:
        from feast.errors import FeastObjectNotFoundException  # noqa: PLC0415 - importing Feast takes seconds.

        try:
            projections = self._store.get_feature_service(service).feature_view_projections
        except FeastObjectNotFoundException as error:
            raise InputError(f"There is no feature service {service}: run `waymark features apply` first.") from error
        for projection in projections:
            self._add(projection)

    def _add_recorded(self, recorded: Sequence[StoredFeature]) -> None:
        views = {view.name: view for view in self._store.list_feature_views()}
        declared = {each for view in views.values() for each in declared_features(view)}
        missing = [each.reference for each in recorded if each not in declared]
        if missing:
            raise InputError(f"The feature views do not declare {', '.join(missing)} any more as training read it.")
        for each in recorded:
            self._keys[each.owner] = views[each.view].entity_columns[0].name
            self._features[each.owner].append(each)

    def _add(self, projection: Any) -> None:
        view = self._store.get_feature_view(projection.name)
        owners = list(view.entities)
        if len(owners) != 1 or owners[0] not in self._features:
            raise InputError(
                f"The feature view {projection.name} belongs to {', '.join(owners)}; "
                f"the ranker reads views of one entity, {LEARNER} or {COURSE}."
            )
        self._keys[owners[0]] = view.entity_columns[0].name
        self._features[owners[0]] += [
            stored_feature(owners[0], projection.name_to_use(), each.name, str(each.dtype), each.tags)
            for each in projection.features
        ]

    @property
    def stored(self) -> tuple[StoredFeature, ...]:
        """The features of the service, for a release to record."""
        return (*self._features[LEARNER], *self._features[COURSE])

    @cached_property
    def layout(self) -> VectorLayout:
        """Names of the columns of the service's features."""
        return VectorLayout(columns_of(self._features[LEARNER]), columns_of(self._features[COURSE]))

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
        # Decisions of one day share their candidates: each is asked for once. Sorting the pairs would take longer.
        (day_codes, every_day), (course_codes, every_id) = pd.factorize(days), pd.factorize(course_ids)
        places, pairs = pd.factorize(day_codes * len(every_id) + course_codes)
        asked_days, asked_ids = every_day[pairs // len(every_id)], every_id[pairs % len(every_id)]
        return self._read(COURSE, self.layout.course, asked_ids, asked_days * DAY)[places].astype(np.float32)

    def _read(self, entity: Owner, names: Sequence[str], ids: Integers, moments: Integers) -> NDArray[np.float64]:
        values = np.full((len(ids), len(names)), np.nan)
        if names:
            for start in range(0, len(ids), _ROWS):
                part = slice(start, start + _ROWS)
                values[part] = self._join(entity, names, ids[part], moments[part])
        return values

    def _join(self, entity: Owner, names: Sequence[str], ids: Integers, moments: Integers) -> NDArray[np.float64]:
        frame = pd.DataFrame(
            {
                self._keys[entity]: ids,
                "event_timestamp": pd.to_datetime(moments, unit="us", utc=True),
                _ROW: np.arange(len(ids)),
            }
        )
        features = self._features[entity]
        references = [feature.reference for feature in features]
        with warnings.catch_warnings():
            # ibis 12 calls a method of DuckDB that DuckDB 2 has renamed.
            warnings.filterwarnings("ignore", message="fetch_arrow_table", category=DeprecationWarning)
            joined = self._store.get_historical_features(frame, references).to_df()
        # No offline store keeps the order of its rows.
        joined = joined.set_index(_ROW).loc[np.arange(len(ids))]
        try:
            return encoded(features, names, {each.name: _values(joined, each) for each in features}, len(ids))
        except (TypeError, ValueError) as error:
            raise InputError(f"A feature of a {entity} is not of the kind that it is declared as: {error}.") from error


def _values(joined: pd.DataFrame, feature: StoredFeature) -> Any:
    values = joined[feature.name]
    if feature.kind is FeatureKind.NUMBER:
        return pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
    return values.tolist()
