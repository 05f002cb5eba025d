"""What stored features are like at a moment, as their tables tell it: recorded by training, compared with later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import ibis
import numpy as np
import pyarrow as pa
from ibis.common.exceptions import IbisError
from numpy.typing import NDArray

from feature_repo.services import declared_views, definitions, key_of
from features.columns import StoredFeature
from features.drift import Sketch
from features.vector import MOMENT_SUFFIX
from training.distributions import Distributions
from training.report import Drift
from warehouse.lake import analytics

UNREADABLE = (OSError, duckdb.Error, IbisError, pa.ArrowException, TypeError, ValueError)
"""What a table that somebody else writes may raise."""


class Comparison(NamedTuple):
    """A feature of the store against what was recorded of it.

    Attributes:
        feature: which.
        columns: what has become of each of its columns.
    """

    feature: StoredFeature
    columns: tuple[Drift, ...]


def recorded(data_dir: Path, stored: Sequence[StoredFeature], moment: datetime) -> Distributions:
    """Return what the tables tell now of features as of a moment; one that cannot be read is left out.

    Blocks, so call it in a thread.

    Raises:
        InputError: a declaration cannot be used.
    """
    found = {}
    for feature, (values,) in _read(data_dir, stored, moment, moment):
        if len(values):
            found[feature.reference] = tuple(Sketch.of(column) for column in values.T)
    return Distributions(as_of=moment, features=found)


def compared(
    data_dir: Path, stored: Sequence[StoredFeature], then: Distributions, now: datetime
) -> Iterator[Comparison]:
    """Yield the features that were recorded, as of now and as of then, over the entities that had a row by then.

    Blocks, so call it in a thread.

    Args:
        data_dir: where the tables are.
        stored: the features of the release.
        then: what was recorded.
        now: the moment.

    Raises:
        InputError: a declaration cannot be used.
    """
    kept = [feature for feature in stored if len(then.features.get(feature.reference, ())) == feature.width]
    for feature, (current, restated) in _read(data_dir, kept, then.as_of, now, then.as_of):
        if len(current) and len(restated):
            sketches = then.features[feature.reference]
            moved = zip(feature.columns, sketches, current.T, restated.T, strict=True)
            yield Comparison(feature, tuple(_drift(*each) for each in moved))


def tables_digest(data_dir: Path, stored: Sequence[StoredFeature]) -> str | None:
    """Return a digest of the tables of features; None when one of them is no file that can be read."""
    wanted, digest = {feature.view for feature in stored}, hashlib.sha256()
    try:
        for view in declared_views(definitions(data_dir)):
            if view.name in wanted:
                with Path(view.batch_source.path).open("rb") as file:
                    digest.update(view.name.encode() + hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return digest.hexdigest()


def latest(
    table: ibis.Table, key: str, stamp: str, names: list[str], moment: datetime, *, among: datetime | None = None
) -> pa.Table:
    """Return the newest row of each entity at or before a moment.

    Args:
        table: of a feature view.
        key: name of the column of the entity.
        stamp: name of the column of moments.
        names: of the features.
        moment: the moment.
        among: only entities that had a row at or before this moment; None for all.
    """
    moments = table[stamp].cast("timestamp('UTC')")
    known = table.filter(moments <= moment)
    if among is not None:
        known = known.semi_join(table.filter(moments <= among), key)
    ranked = known.mutate(place=ibis.row_number().over(group_by=known[key], order_by=ibis.desc(known[stamp])))
    return ranked.filter(ranked.place == 0).select(key, *names).to_pyarrow()


def _read(
    data_dir: Path, stored: Sequence[StoredFeature], among: datetime, *moments: datetime
) -> Iterator[tuple[StoredFeature, list[NDArray[np.float64]]]]:
    """Yield features with float64[n, width] as of each moment; what cannot be read is left out."""
    for view in declared_views(definitions(data_dir)):
        wanted = [feature for feature in stored if feature.view == view.name]
        with suppress(*UNREADABLE):
            yield from _of_view(view, wanted, among, moments)


def _of_view(
    view: Any, wanted: Sequence[StoredFeature], among: datetime, moments: Sequence[datetime]
) -> Iterator[tuple[StoredFeature, list[NDArray[np.float64]]]]:
    source = view.batch_source
    with analytics() as connection:
        table = connection.read_parquet(source.path)
        held = [feature for feature in wanted if feature.name in table.columns]
        names = [feature.name for feature in held]
        tables = [latest(table, key_of(view), source.timestamp_field, names, moment, among=among) for moment in moments]
    for feature in held:
        with suppress(TypeError, ValueError):
            yield feature, [_aged(feature, each, at) for each, at in zip(tables, moments, strict=True)]


def _aged(feature: StoredFeature, table: pa.Table, moment: datetime) -> NDArray[np.float64]:
    values = feature.encode(table[feature.name].to_pylist())
    # A moment moves with the clock; what drifts is how long ago it was.
    return moment.timestamp() - values if feature.name.endswith(MOMENT_SUFFIX) else values


def _drift(name: str, then: Sketch, now: NDArray[np.float64], restated: NDArray[np.float64]) -> Drift:
    missing = float(np.isnan(now).mean())
    return Drift(
        name, then.stability(now), then.missing, missing, min(then.size, len(now)), rewritten=then.stability(restated)
    )
