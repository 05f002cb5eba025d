"""One learner's stored features, read from the online store for each recommendation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from serving.online import OnlineReader
from serving.served import ServedFeatures

TIMEOUT = 0.2
"""Seconds until Redis counts as gone for a request: open the store that serves with it."""
_THREADS = 4


@dataclass(frozen=True, slots=True)
class LearnerVector(Mapping[str, float]):
    """Stored features of a learner by name, NaN where nothing is known.

    Attributes:
        values_by_name: the features.
        updated_at: moment of the newest event that they include; None for a learner that is not in the store.
    """

    values_by_name: Mapping[str, float]
    updated_at: datetime | None

    @override
    def __getitem__(self, name: str) -> float:
        return self.values_by_name[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    @override
    def __len__(self) -> int:
        return len(self.values_by_name)


class LearnerFeatures:
    """Reads in threads, so that a slow or missing store blocks no other request.

    A learner's values hold until the learner's next event, so their age says nothing: whether features are stale
    is told by the last materialization (`CourseMatrix.features_as_of`).

    Args:
        store: a `feast.FeatureStore` that was opened with a short timeout.
        service: name of the feature service that is read while there is no release.
        served: what is read, when that is shared with others; `store` and `service` alone when not given.
    """

    def __init__(self, store: Any, service: str, served: ServedFeatures | None = None) -> None:
        self._reader = OnlineReader(served or ServedFeatures(store, service), "learner")
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="learner-features")

    async def read(self, learner_id: int) -> LearnerVector:
        """Return what the store has of a learner. The caller sets the deadline; a cancelled read is dropped.

        Raises:
            UnavailableError: the online store cannot be read.
        """
        rows = await asyncio.get_running_loop().run_in_executor(self._executor, self._reader.read, [learner_id])
        moment = int(rows.moments[0])
        return LearnerVector(
            values_by_name=dict(zip(rows.names, rows.values[0].tolist(), strict=True)),
            updated_at=datetime.fromtimestamp(moment, UTC) if moment else None,
        )

    async def refresh(self) -> None:
        """Look the feature service up anew.

        Raises:
            UnavailableError: it is not declared yet.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self._reader.refresh)

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
