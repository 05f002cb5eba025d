"""What learners were shown, at which place, what it was ranked by, and what came of it.

`serving.exposures` logs it. A place counts as chosen when the learner clicked or enrolled within `WINDOW` and did not
dismiss the course; it is read only when the whole window lies before a moment, so that nothing later is known of it,
and nobody passes for undecided who had no time to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from database.tables.events import EventKind
from features.histories import DAY
from features.interactions import Integers
from features.pair import Floats
from training.propensities import Propensities, estimated
from warehouse.lake import Lake, analytics

WINDOW = 7 * DAY
"""How long after it was shown a course may be chosen, in microseconds."""
_CHOSEN = (EventKind.RECOMMENDATION_CLICKED.value, EventKind.ENROLLED.value)
_DISMISSED = EventKind.RECOMMENDATION_DISMISSED.value
_BATCH = 20_000
_KEY = ("list", "course_id")


@dataclass(frozen=True, eq=False)
class Exposures:
    """Places that were shown, the oldest list first.

    Attributes:
        lists: int64[s], ascending: places of one list share a number.
        places: int64[s], from 1, ascending within a list.
        learner_ids: int64[s].
        course_ids: int64[s].
        surfaces: int64[s], places of equal numbers were shown on the same surface.
        releases: int64[s], position in `versions` of what ranked the list.
        moments: int64[s], when it was shown, microseconds since 1970.
        chosen: bool[s], whether the learner took it up within the window.
        rows: int64[s], row of `vectors`; -1 where no vector was kept.
        vectors: float32[v, k], what it was ranked by: of lists with a chosen place and the present layout.
        versions: of releases.
    """

    lists: Integers
    places: Integers
    learner_ids: Integers
    course_ids: Integers
    surfaces: Integers
    releases: Integers
    moments: Integers
    chosen: NDArray[np.bool_]
    rows: Integers
    vectors: Floats
    versions: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self.lists)

    def between(self, since: int, until: int | Integers) -> Exposures:
        """Return what was shown at or after a moment, and was decided before another one.

        Args:
            since: microseconds since 1970.
            until: the same, for all or int64[s].
        """
        kept = (self.moments >= since) & (self.moments + WINDOW <= until)
        shared = {"vectors", "versions"}
        arrays: dict[str, Any] = {
            each.name: getattr(self, each.name)[kept] for each in fields(self) if each.name not in shared
        }
        return Exposures(**arrays, vectors=self.vectors, versions=self.versions)

    @cached_property
    def propensities(self) -> Propensities:
        """How much each place is looked at."""
        same = np.stack([self.learner_ids, self.course_ids, self.surfaces])
        _, pairs = np.unique(same, axis=1, return_inverse=True)
        return estimated(pairs.ravel().astype(np.int64), self.places, self.chosen)

    @property
    def by_release(self) -> dict[str, int]:
        """How many places each release ranked."""
        counts = np.bincount(self.releases, minlength=len(self.versions)).tolist()
        return {version: count for version, count in zip(self.versions, counts, strict=True) if count}


def load_exposures(lake: Lake, names: Sequence[str], readable: frozenset[str]) -> Exposures:
    """Read what was shown from the lake.

    Args:
        lake: with the event log.
        names: of the columns of the vector.
        readable: versions of the releases whose vectors mean what ours do.

    Raises:
        InputError: nothing was exported yet.
    """
    shown, payloads = lake.reading(lambda: _read(lake, readable))
    rows, vectors = _vectors(shown, payloads, names)
    versions, releases = np.unique(shown["model"].to_numpy(str), return_inverse=True)
    new = shown["list"].ne(shown["list"].shift()).to_numpy(np.bool_)
    surfaces = np.unique(shown["surface"].fillna("").to_numpy(str), return_inverse=True)[1]
    return Exposures(
        lists=np.cumsum(new, dtype=np.int64) - 1,
        places=shown["place"].to_numpy(np.int64),
        learner_ids=shown["learner_id"].to_numpy(np.int64),
        course_ids=shown["course_id"].to_numpy(np.int64),
        surfaces=surfaces.astype(np.int64),
        releases=releases.astype(np.int64),
        moments=shown["moment"].to_numpy(np.int64),
        chosen=shown["chosen"].to_numpy(np.bool_),
        rows=rows,
        vectors=vectors,
        versions=tuple(versions.tolist()),
    )


def _read(lake: Lake, readable: frozenset[str]) -> tuple[pd.DataFrame, pa.Table]:
    """Return the places that were shown, and the payloads of those that tell something."""
    with analytics() as connection:
        log = lake.events(connection).drop_null(["recommendation_id", "learner_id", "course_id"])
        log = log.rename(list="recommendation_id")
        outcomes = log.filter(log.kind.isin([*_CHOSEN, _DISMISSED])).select("kind", *_KEY, "occurred_at").to_pandas()
        ranked = log.filter(log.kind == EventKind.RECOMMENDATION_RANKED.value)
        # An event that cannot be understood costs itself and nothing else.
        told = ranked.payload.try_cast("json")
        ranked = ranked.mutate(place=told["rank"].int, surface=told["surface"].str, model=told["model"].str)
        ranked = ranked.drop_null(["place", "model"])
        shown = ranked.select("event_id", "learner_id", *_KEY, "occurred_at", "place", "surface", "model").to_pandas()
        shown = _ordered(shown)
        shown = shown.assign(chosen=_chosen(shown, outcomes))
        telling = shown.groupby("list")["chosen"].transform("any") & shown["model"].isin(readable)
        wanted = ibis.memtable(pd.DataFrame({"event_id": shown.loc[telling, "event_id"].astype(np.int64)}))
        payloads = ranked.semi_join(wanted, "event_id").select("event_id", "payload").order_by("event_id")
        return shown, payloads.to_pyarrow()


def _ordered(shown: pd.DataFrame) -> pd.DataFrame:
    """Return places with their moment, in an order that what comes later does not change."""
    shown = shown.assign(moment=_microseconds(shown["occurred_at"]))
    shown = shown.assign(first=shown.groupby("list")["moment"].transform("min"))
    return shown.sort_values(["first", "list", "place"], ignore_index=True)


def _vectors(shown: pd.DataFrame, payloads: pa.Table, names: Sequence[str]) -> tuple[Integers, Floats]:
    """Return int64[s], the row of each place or -1, and the vectors; one of other columns is left out."""
    expected = set(names)
    found: dict[int, int] = {}
    vectors = np.empty((len(payloads), len(names)), np.float32)
    for batch in payloads.to_batches(max_chunksize=_BATCH):
        for key, payload in zip(batch["event_id"].to_pylist(), batch["payload"].to_pylist(), strict=True):
            features = orjson.loads(payload).get("features")
            if isinstance(features, dict) and features.keys() == expected:
                vectors[len(found)] = [features[name] for name in names]
                found[key] = len(found)
    rows = np.array([found.get(key, -1) for key in shown["event_id"].tolist()], np.int64)
    return rows, vectors[: len(found)]


def _chosen(shown: pd.DataFrame, outcomes: pd.DataFrame) -> NDArray[np.bool_]:
    """Return bool[s]: clicked or enrolled within the window, and not dismissed in it."""
    outcomes = outcomes.assign(moment=_microseconds(outcomes["occurred_at"]))
    ends = shown["moment"].to_numpy(np.int64) + WINDOW

    def within(kinds: Sequence[str]) -> NDArray[np.bool_]:
        # The list names what was reported, so that a client's clock that is behind does no harm.
        first = outcomes[outcomes["kind"].isin(kinds)].groupby([*_KEY], as_index=False)["moment"].min()
        found = shown[[*_KEY]].merge(first, on=[*_KEY], how="left")["moment"].to_numpy(np.float64, na_value=np.inf)
        mask: NDArray[np.bool_] = found <= ends
        return mask

    return within(_CHOSEN) & ~within([_DISMISSED])


def _microseconds(moments: pd.Series[Any]) -> Integers:
    stamps = pd.to_datetime(moments, utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    return stamps.astype(np.int64)
