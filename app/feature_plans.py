"""What `waymark features apply` would change in Feast's registry, and what feature tables hold of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
from feast import FeatureService
from ibis.common.exceptions import IbisError

from app.feature_pipeline import FeaturePlaces, first_line
from feature_repo.services import declared_views, definitions, key_of
from feature_repo.sources import table_path
from feature_repo.store import registry_path
from warehouse.lake import analytics

ADDED, CHANGED, REMOVED = "added", "changed", "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is declared and what the registry holds.

    Attributes:
        what: `added`, `changed` or `removed`.
        kind: `view`, `field` or `service`.
        name: of it; of a field with its view, as Feast writes it.
        detail: from what to what.
    """

    what: str
    kind: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a view's table holds of a range of the past.

    Attributes:
        view: its name.
        computed: whether this code computes the table; somebody else writes it otherwise.
        rows: how many rows lie in the range.
        entities: how many entities have one at or before the end of the range.
        earliest: moment of the first row of all; None when there is none.
        failure: why the table cannot be read; None when it can.
    """

    view: str
    computed: bool
    rows: int
    entities: int
    earliest: datetime | None
    failure: str | None = None


def plan(places: FeaturePlaces) -> list[Change]:
    """Compare what is declared with the registry; nothing is written. Blocks, so call it in a thread.

    Raises:
        InputError: a declaration cannot be used.
    """
    found = definitions(places.data_dir)
    views: dict[str, Any] = {}
    services: dict[str, Any] = {}
    # Opening a registry that is not there would make it.
    if registry_path(places.data_dir).exists():
        store = places.store()
        views = {each.name: each for each in store.list_feature_views()}
        services = {each.name: each for each in store.list_feature_services()}
    declared = {each.name: each for each in declared_views(found)}
    offered = {each.name: each for each in found if isinstance(each, FeatureService)}
    changes = list(_differences("view", views, declared, _view_properties))
    for name in sorted(views.keys() | declared.keys()):
        before, after = (_fields(each[name]) if name in each else {} for each in (views, declared))
        changes += _differences("field", before, after, _field_properties)
    return changes + list(_differences("service", services, offered, _service_properties))


def coverage(places: FeaturePlaces, start: datetime, end: datetime) -> list[Coverage]:
    """Return what each declared view's table holds from `start` up to `end`; blocks, so call it in a thread.

    Raises:
        InputError: a declaration cannot be used.
    """
    return [_coverage(places, view, start, end) for view in declared_views(definitions(places.data_dir))]


def _coverage(places: FeaturePlaces, view: Any, start: datetime, end: datetime) -> Coverage:
    source, key = view.batch_source, key_of(view)
    computed = source.path == str(table_path(places.data_dir, view.name))
    try:
        with analytics() as connection:
            table = connection.read_parquet(source.path)
            stamps = table[source.timestamp_field].cast("timestamp('UTC')")
            found = table.aggregate(
                rows=((stamps >= start) & (stamps < end)).sum(),
                entities=table[key].nunique(where=stamps < end),
                earliest=stamps.min(),
            )
            (row,) = found.to_pyarrow().to_pylist()
    except (OSError, duckdb.Error, IbisError) as error:
        return Coverage(view.name, computed, 0, 0, None, first_line(error))
    return Coverage(view.name, computed, int(row["rows"] or 0), int(row["entities"]), row["earliest"])


def _differences(kind: str, known: Mapping[str, Any], declared: Mapping[str, Any], properties: Any) -> Iterator[Change]:
    for name in sorted(known.keys() | declared.keys()):
        if name not in known:
            told = "; ".join(f"{each} {value}" for each, value in properties(declared[name]).items() if value)
            yield Change(ADDED, kind, name, told)
        elif name not in declared:
            yield Change(REMOVED, kind, name, "")
        else:
            before, after = properties(known[name]), properties(declared[name])
            changed = [each for each in after if before[each] != after[each]]
            if changed:
                told = "; ".join(f"{each}: {before[each] or 'none'} -> {after[each] or 'none'}" for each in changed)
                yield Change(CHANGED, kind, name, told)


def _fields(view: Any) -> dict[str, Any]:
    return {f"{view.name}:{field.name}": field for field in view.features}


def _view_properties(view: Any) -> dict[str, str]:
    return {
        "entity": ", ".join(view.entities),
        "source": view.batch_source.path,
        "tags": _pairs(view.tags),
        "description": view.description,
    }


def _field_properties(field: Any) -> dict[str, str]:
    return {"type": str(field.dtype), "tags": _pairs(field.tags), "description": field.description}


def _service_properties(service: Any) -> dict[str, str]:
    projections: Sequence[Any] = service.feature_view_projections
    names = sorted(f"{each.name}:{feature.name}" for each in projections for feature in each.features)
    return {"features": ", ".join(names), "description": service.description}


def _pairs(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={tags[name]}" for name in sorted(tags))
