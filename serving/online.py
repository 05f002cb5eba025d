"""The online store, asked for what serving reads: by name, with one error for whatever may go wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry import metrics

from core.errors import UnavailableError
from features.columns import FeatureKind, Owner, StoredFeature
from serving.served import ServedFeatures

_LOG = logging.getLogger(__name__)


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
    """Reads the features of one entity that serving reads.

    Args:
        served: what is read.
        owner: whose features.
    """

    def __init__(self, served: ServedFeatures, owner: Owner) -> None:
        self._served = served
        self._owner: Owner = owner
        self._key = f"{owner}_id"
        self._unreadable = metrics.get_meter("waymark.serving").create_counter(
            "waymark.features.unreadable", description="Reads in which the values of a view could not be used, by view."
        )

    def refresh(self) -> None:
        """Look up anew what is read.

        Raises:
            UnavailableError: there is nothing to read yet.
        """
        self._served.refresh()

    def read(self, ids: Sequence[int]) -> OnlineRows:
        """Return the features of entities, one row each, in order; blocks, so call it in a thread.

        Raises:
            UnavailableError: the online store or the registry cannot be read.
        """
        names, _, places, views = self._served.reading.of(self._owner)
        values, moments = np.full((len(ids), len(names)), np.nan), np.zeros(len(ids), np.int64)
        keys = _entity_keys(self._key, ids) if views else []
        for view, features in views:
            try:
                rows = self._ask(view, keys, features)
            except Exception as error:
                # Feast raises errors of many families: of Redis, of sockets, its own, and plain ones.
                raise UnavailableError(f"The online store cannot be read: {error}") from error
            if len(rows) != len(ids):
                raise UnavailableError(f"The online store answers for {len(rows)} of {len(ids)} entities.")
            self._fill(values, features, places, [known for _, known in rows])
            np.maximum(moments, [moment for moment, _ in rows], out=moments)
        return OnlineRows(names, values, moments)

    def _fill(
        self,
        values: NDArray[np.float64],
        features: Sequence[StoredFeature],
        places: Mapping[str, Sequence[int]],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        """Write the values of one view into their columns; what cannot be used stays missing."""
        numbers = _numbers(features, rows)
        if numbers is not None:
            values[:, [places[each.name][0] for each in features]] = numbers
            return
        for place, feature in enumerate(features):
            try:
                encoded = feature.encode([row[place] for row in rows])
            except (TypeError, ValueError) as error:
                # What was written is not of the declared kind: missing, as for a view that is gone.
                self._unreadable.add(1, {"view": feature.view})
                _LOG.warning("Values of %s cannot be used: %s", feature.reference, error)
                continue
            for column, where in enumerate(places[feature.name]):
                values[:, where] = encoded[:, column]

    def _ask(self, view: Any, keys: Sequence[Any], features: Sequence[StoredFeature]) -> list[tuple[int, list[Any]]]:
        """Return of each entity unix seconds, 0 where it is not known, and the values of the features.

        The provider is asked as `get_online_features` asks it; that would look up in the registry what is known here,
        and hand the values through a response of its own, for most of the time that a read of one entity takes.
        """
        from feast.type_map import feast_value_type_to_python_type as read  # noqa: PLC0415 - Feast takes seconds.

        store, names = self._served.store, [each.name for each in features]
        found = []
        # Online stores may add to the names that they are given.
        for moment, row in store.provider.online_read(store.config, view, keys, [*names]):
            known = row or {}
            values = [read(known[name]) if name in known else None for name in names]
            found.append((0 if moment is None else int(moment.timestamp()), values))
        return found


def _numbers(features: Sequence[StoredFeature], rows: Sequence[Sequence[Any]]) -> NDArray[np.float64] | None:
    """Return float64[n, k], the values of k features at once; None where they must be looked at one by one."""
    if any(each.kind is not FeatureKind.NUMBER for each in features):
        return None
    try:
        found = np.array(rows, np.float64)
    except (TypeError, ValueError):
        return None
    return found if found.shape == (len(rows), len(features)) else None


def _entity_keys(name: str, ids: Sequence[int]) -> list[Any]:
    """Return entities as Feast's online stores are asked for them."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415 - As above.
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415 - As above.

    return [EntityKey(join_keys=[name], entity_values=[Value(int64_val=each)]) for each in ids]
