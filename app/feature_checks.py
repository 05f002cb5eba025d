"""Feature tables against what their declarations expect: present, fresh, complete, in range, and not drifting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from ibis.common.exceptions import IbisError
from numpy.typing import NDArray

from app.feature_distributions import compared, latest
from app.feature_pipeline import FeaturePlaces, first_line, newest_row
from feature_repo.expectations import Expectations, max_age_of
from feature_repo.services import declared_views, definitions, key_of, stored_features
from features.columns import StoredFeature
from features.drift import population_stability
from serving.artifact import ReleaseManifest
from training.distributions import Distributions
from training.report import STABLE
from warehouse.lake import analytics

DRIFT_SPAN = timedelta(days=30)
"""How far back the values lie that those of now are compared with."""
_FEWEST = 50
"""Entities below which a distribution says nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation, and what was found.

    Attributes:
        view: name of the feature view.
        feature: name of the feature; None when it is about the view.
        rule: `table`, `column`, `type`, `freshness`, `online`, `null`, `range`, `drift`, `training` or `rewritten`.
        expected: what the declaration says.
        found: what the table holds.
        holds: whether that is as expected.
    """

    view: str
    feature: str | None
    rule: str
    expected: str
    found: str
    holds: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def validate(
    places: FeaturePlaces, now: datetime, trained: tuple[ReleaseManifest, Distributions] | None = None
) -> list[Check]:
    """Check every declared view; blocks, so call it in a thread.

    Values are the newest of each entity that the table knows, as of now, and as of 30 days ago for drift.

    Args:
        places: where the features lie.
        now: the moment.
        trained: a release, and what it recorded of its features, to compare with; None for no such check.

    Raises:
        InputError: a declaration cannot be used.
    """
    online = {view.name: _materialized_until(view) for view in places.store().list_feature_views()}
    found: list[Check] = []
    for view in declared_views(definitions(places.data_dir)):
        try:
            found += _view(view, online.get(view.name), now)
        except (OSError, duckdb.Error, IbisError, pa.ArrowException) as error:
            found.append(Check(view.name, None, "table", "a Parquet file", first_line(error), holds=False))
    return found if trained is None else [*found, *_since_training(places, now, *trained)]


def _since_training(
    places: FeaturePlaces, now: datetime, manifest: ReleaseManifest, then: Distributions
) -> Iterator[Check]:
    """Check that features are what the release was trained on, and that what it was trained on still reads so."""
    views = {view.name: view for view in declared_views(definitions(places.data_dir))}
    for feature, columns in compared(places.data_dir, manifest.stored_features, then, now):
        if min(each.count for each in columns) < _FEWEST:
            continue
        fields = {field.name: field for field in views[feature.view].features}
        most = Expectations.of(fields[feature.name]).most_drift if feature.name in fields else None
        moved, rewritten = max(each.index for each in columns), max(each.rewritten or 0.0 for each in columns)
        for rule, limit, index in (("training", most, moved), ("rewritten", STABLE, rewritten)):
            if limit is not None:
                told = f"at most {limit:g} since {then.as_of:%Y-%m-%d}"
                yield Check(feature.view, feature.name, rule, told, f"{index:.3f}", index <= limit)


def _materialized_until(view: Any) -> datetime | None:
    return max((end for _, end in view.materialization_intervals), default=None)


def _view(view: Any, online: datetime | None, now: datetime) -> Iterator[Check]:
    source, key = view.batch_source, key_of(view)
    with analytics() as connection:
        table = connection.read_parquet(source.path)
        needed = (key, source.timestamp_field)
        missing = [name for name in needed if name not in table.columns]
        yield Check(view.name, None, "table", ", ".join(needed), _without(missing), not missing)
        if missing:
            return
        yield from _freshness(view, newest_row(table, source.timestamp_field, now), online, now)
        held = [each for each in stored_features(view) if each.name in table.columns]
        names = [each.name for each in held]
        current, before = (latest(table, key, source.timestamp_field, names, at) for at in (now, now - DRIFT_SPAN))
    fields = {field.name: field for field in view.features}
    for feature in stored_features(view):
        there = feature in held
        yield Check(view.name, feature.name, "column", "present", "present" if there else "not in the table", there)
        if there:
            yield from _feature(feature, Expectations.of(fields[feature.name]), current, before)


def _freshness(view: Any, newest: datetime | None, online: datetime | None, now: datetime) -> Iterator[Check]:
    max_age = max_age_of(view.tags)
    if max_age is None:
        return
    expected = f"at most {max_age} old"
    for rule, moment, nothing in (("freshness", newest, "no row"), ("online", online, "not materialized")):
        told = f"of {moment:%Y-%m-%d %H:%M} UTC" if moment is not None else nothing
        yield Check(view.name, None, rule, expected, told, moment is not None and now - moment <= max_age)


def _feature(feature: StoredFeature, expected: Expectations, current: pa.Table, before: pa.Table) -> Iterator[Check]:
    try:
        values, earlier = (feature.encode(each[feature.name].to_pylist()) for each in (current, before))
    except (TypeError, ValueError) as error:
        yield Check(feature.view, feature.name, "type", feature.kind.value, first_line(error), holds=False)
        return

    def check(rule: str, told: str, found: str, *, holds: bool) -> Check:
        return Check(feature.view, feature.name, rule, told, found, holds)

    if expected.most_null is not None and len(values):
        share = float(np.isnan(values).any(axis=1).mean())
        yield check("null", f"at most {expected.most_null:.1%}", f"{share:.1%}", holds=share <= expected.most_null)
    known = values[~np.isnan(values)]
    if len(known) and (expected.lowest is not None or expected.highest is not None):
        low, high = float(known.min()), float(known.max())
        holds = (expected.lowest is None or low >= expected.lowest) and (
            expected.highest is None or high <= expected.highest
        )
        yield check("range", _range(expected.lowest, expected.highest), _range(low, high), holds=holds)
    if expected.most_drift is not None and min(len(values), len(earlier)) >= _FEWEST:
        drift = _drift(earlier, values)
        yield check("drift", f"at most {expected.most_drift:g}", f"{drift:.3f}", holds=drift <= expected.most_drift)


def _drift(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    return max(population_stability(before[:, place], now[:, place]) for place in range(now.shape[1]))


def _range(low: float | None, high: float | None) -> str:
    return f"{'' if low is None else format(low, 'g')} to {'' if high is None else format(high, 'g')}".strip()


def _without(missing: list[str]) -> str:
    return f"no column {', '.join(missing)}" if missing else "there"


def failing(checks: list[Check]) -> list[Check]:
    """Return the checks that do not hold."""
    return [each for each in checks if not each.holds]


def report(checks: list[Check], now: datetime) -> dict[str, Any]:
    """Return what `waymark features validate --json` writes."""
    return {
        "as_of": now.astimezone(UTC).isoformat(),
        "holds": not failing(checks),
        "checks": [each.as_json() for each in checks],
    }
