"""The online store, asked for what serving reads: by name, with one error for whatever may go wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry import metrics

from core.errors import UnavailableError
from features.columns import Owner, StoredFeature
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
        names, features, places = self._served.reading.of(self._owner)
        try:
            response = self._ask(features, ids)
        except Exception as error:
            # Feast raises errors of many families: of Redis, of sockets, its own, and plain ones.
            raise UnavailableError(f"The online store cannot be read: {error}") from error
        values = np.full((len(ids), len(names)), np.nan)
        for feature in features:
            try:
                values[:, places[feature.name]] = feature.encode(response[feature.name])
            except (TypeError, ValueError) as error:
                # What was written is not of the declared kind: missing, as for a view that is gone.
                self._unreadable.add(1, {"view": feature.view})
                _LOG.warning("Values of %s cannot be used: %s", feature.reference, error)
        stamps = [response[f"{feature.name}__ts"] for feature in features]
        moments = np.array(stamps, np.int64).reshape(len(features), len(ids)).max(axis=0, initial=0)
        return OnlineRows(names, values, moments)

    def _ask(self, features: Sequence[StoredFeature], ids: Sequence[int]) -> dict[str, list[Any]]:
        if not features:
            return {}
        found: dict[str, list[Any]] = self._served.store.get_online_features(
            features=[feature.reference for feature in features], entity_rows={self._key: list(ids)}
        ).to_dict(include_event_timestamps=True)
        return found
