"""From the outbox to features that can be asked for: export, compute, declare, materialize, announce.

Every step can be repeated and every file is replaced whole, so that a run that was killed is mended by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import redis
import redis.asyncio
from opentelemetry import trace

from app.course_neighbors import refresh_neighbors
from app.forgetting import Forgetting, forget
from app.progress import Report
from core.clock import Clock
from core.errors import InputError, UnavailableError
from database.queries.exports import FEATURES_LOCK, turn
from database.queries.materializations import LATEST_MATERIALIZATION, MaterializationRow, announce
from database.session import Database
from feature_repo.expectations import max_age_of
from feature_repo.services import declared_views, definitions, key_of
from feature_repo.sources import COURSE_POPULARITY, COURSE_PROFILE, LEARNER_ACTIVITY, table_path
from feature_repo.store import PROJECT, open_store, write_config
from features import course, learner
from warehouse.export import ExportReport, export
from warehouse.lake import Lake, analytics

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FeaturePlaces:
    """Where features lie.

    Attributes:
        data_dir: the lake and the feature tables are below it.
        redis_url: the online store.
        project: name that keeps platforms apart on one Redis.
    """

    data_dir: Path
    redis_url: str
    project: str = PROJECT

    @property
    def mark(self) -> str:
        """Key of the moment that the online features are of, which goes when they go."""
        return f"{self.project}:features_as_of"

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.data_dir / "lake")

    def store(self) -> FeatureStore:
        """Open the feature store, for writing."""
        return open_store(self.data_dir, self.redis_url, self.project)


@dataclass(frozen=True, slots=True)
class Materialization:
    """What `materialize` did.

    Attributes:
        export: what was new in the lake.
        features_as_of: moment that the online features are of.
        row_counts: entities written, by feature view.
        failures: why a view was not written, by its name; what is online of it stays until it is too old.
        forgetting: what was deleted of people who were erased.
    """

    export: ExportReport
    features_as_of: datetime
    row_counts: Mapping[str, int]
    failures: Mapping[str, str] = field(default_factory=dict)
    forgetting: Forgetting = field(default_factory=Forgetting)


@dataclass(frozen=True, slots=True)
class ListedView:
    """A feature view as Feast's registry knows it.

    Attributes:
        name: of the view.
        entity: whom its features are about.
        description: when its values change.
        features: name, type and meaning of each.
    """

    name: str
    entity: str
    description: str
    features: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class FeatureListing:
    """What `waymark features list` prints.

    Attributes:
        views: in the order of their declaration.
        features_as_of: moment of the newest materialization, if there was any.
        age: how long ago that is.
    """

    views: tuple[ListedView, ...]
    features_as_of: datetime | None
    age: timedelta | None


def quiet(_step: str, _done: int, _total: int) -> None:
    """Report nothing."""


async def apply(database: Database, places: FeaturePlaces, clock: Clock, report: Report = quiet) -> ExportReport:
    """Bring lake and feature tables up to the outbox and declare the features to Feast; the online store stays.

    Raises:
        InputError: the lake or the feature store cannot be used.
        UnavailableError: a file cannot be written.
    """
    async with turn(database, FEATURES_LOCK):
        return (await _prepared(database, places, clock, report))[0]


async def materialize(
    database: Database,
    places: FeaturePlaces,
    clock: Clock,
    *,
    as_of: datetime | None = None,
    report: Report = quiet,
) -> Materialization:
    """Do what `apply` does, write the features of a moment to the online store, forget the erased, and announce it.

    Entities that have no features at the moment are not written; what an earlier run wrote of them stays. A view
    whose table cannot be read, or is older than it declares, is left out and named, and keeps no other from being
    written.

    Args:
        database: the outbox, and where the materialization is announced.
        places: where features lie.
        clock: the current moment.
        as_of: the moment; now when not given.
        report: told of each step.

    Raises:
        InputError: `as_of` lies in the future, or the lake cannot be used.
        UnavailableError: the online store cannot be reached, or a file cannot be written.
    """
    moment = as_of or clock()
    if moment > clock():
        raise InputError("Features cannot be materialized as of a moment in the future.")
    tracer = trace.get_tracer("waymark.features")
    with tracer.start_as_current_span("features.materialize") as span:
        span.set_attribute("waymark.features_as_of", moment.isoformat())
        return await _materialize(database, places, clock, moment, report)


async def _materialize(
    database: Database, places: FeaturePlaces, clock: Clock, moment: datetime, report: Report
) -> Materialization:
    async with turn(database, FEATURES_LOCK):
        exported, store = await _prepared(database, places, clock, report)
        report("Materializing features", 0, 1)
        counts, failures = await asyncio.to_thread(_write_online, store, places, moment)
        # After what is online was written, of tables from before somebody was erased perhaps.
        forgetting = await forget(
            database,
            places.data_dir,
            exported.forgotten,
            clock(),
            redis_url=places.redis_url,
            project=places.project,
        )
        await _mark(places, moment)
        await refresh_neighbors(database, places.lake, moment)
        async with database.transaction() as connection:
            await announce(connection, features_as_of=moment, finished_at=clock(), row_counts=counts)
        report("Materializing features", 1, 1)
        return Materialization(exported, moment, counts, failures, forgetting)


async def is_online(places: FeaturePlaces, announced: MaterializationRow) -> bool:
    """Say whether the online store holds what was announced; one that lost its data does not.

    Raises:
        UnavailableError: it cannot be reached.
    """
    async with _online(places) as client:
        return bool(await client.get(places.mark) == _moment_text(announced.features_as_of))


async def _mark(places: FeaturePlaces, moment: datetime) -> None:
    async with _online(places) as client:
        await client.set(places.mark, _moment_text(moment))


@contextlib.asynccontextmanager
async def _online(places: FeaturePlaces) -> AsyncIterator[redis.asyncio.Redis]:
    try:
        async with redis.asyncio.Redis.from_url(places.redis_url) as client:
            yield client
    except (redis.RedisError, OSError) as error:
        raise UnavailableError(f"The online store cannot be reached: {error}") from error


def _moment_text(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat().encode()


async def latest_materialization(database: Database) -> MaterializationRow | None:
    """Return the newest materialization; None before the first."""
    async with database.reader() as reader:
        return await reader.fetch_first(LATEST_MATERIALIZATION)


async def listing(database: Database, places: FeaturePlaces, now: datetime) -> FeatureListing:
    """Return what is declared, and how fresh the online store is."""
    declared = await asyncio.to_thread(lambda: places.store().list_feature_views())
    order = {view.name: place for place, view in enumerate(declared_views(definitions(places.data_dir)))}
    views = tuple(
        ListedView(
            name=view.name,
            entity=", ".join(view.entities),
            description=view.description,
            features=tuple((field.name, str(field.dtype), field.description) for field in view.features),
        )
        for view in sorted(declared, key=lambda view: order.get(view.name, len(order)))
    )
    latest = await latest_materialization(database)
    if latest is None:
        return FeatureListing(views, None, None)
    return FeatureListing(views, latest.features_as_of, now - latest.features_as_of)


def feature_tables(lake: Lake, connection: Any) -> dict[str, ibis.Table]:
    """Return the expression of each feature view's table over the lake, by view."""
    events, courses = lake.events(connection), lake.courses(connection)
    return {
        LEARNER_ACTIVITY: learner.learner_features(events, courses),
        COURSE_POPULARITY: course.course_popularity(events),
        COURSE_PROFILE: course.course_profile(courses),
    }


async def _prepared(
    database: Database, places: FeaturePlaces, clock: Clock, report: Report
) -> tuple[ExportReport, FeatureStore]:
    report("Exporting events", 0, 1)
    with trace.get_tracer("waymark.warehouse").start_as_current_span("lake.export"):
        exported = await export(database, places.lake, clock)
    report("Exporting events", 1, 1)
    await asyncio.to_thread(_compute, places, report)
    store = await asyncio.to_thread(_declare, places)
    return exported, store


def _compute(places: FeaturePlaces, report: Report) -> None:
    with analytics() as connection:
        tables = feature_tables(places.lake, connection)
        for done, (view, table) in enumerate(tables.items()):
            report("Computing features", done, len(tables))
            _replace(table_path(places.data_dir, view), table.to_parquet)
        report("Computing features", len(tables), len(tables))


def _replace(path: Path, write: Callable[[str], None]) -> None:
    """Write a file beside the one that is there and put it in its place, at once."""
    draft = path.with_suffix(".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(str(draft))
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, duckdb.Error) as error:
        raise UnavailableError(f"The feature table {path} cannot be written: {error}") from error


def _declare(places: FeaturePlaces) -> FeatureStore:
    found, store = definitions(places.data_dir), places.store()
    try:
        with _silence():
            store.apply(found, objects_to_delete=undeclared(store, found), partial=False)
    except (redis.RedisError, OSError) as error:
        raise UnavailableError(f"The online store cannot be reached: {error}") from error
    try:
        write_config(places.data_dir, places.project)
    except OSError as error:
        raise UnavailableError(f"The settings of Feast's tools cannot be written: {error}") from error
    return store


def undeclared(store: FeatureStore, found: Sequence[Any]) -> list[Any]:
    """Return the views and services of the registry that are not declared any more."""
    names = {(type(each).__name__, each.name) for each in found}
    known = [*store.list_feature_services(), *store.list_feature_views()]
    return [each for each in known if (type(each).__name__, each.name) not in names]


def _write_online(
    store: FeatureStore, places: FeaturePlaces, moment: datetime
) -> tuple[dict[str, int], dict[str, str]]:
    """Return how many entities were written, by view, and why a view was not."""
    counts: dict[str, int] = {}
    failures: dict[str, str] = {}
    for view in declared_views(definitions(places.data_dir)):
        try:
            count, newest = _rows(view, moment)
            max_age = max_age_of(view.tags)
            if max_age is not None and (newest is None or moment - newest > max_age):
                failures[view.name] = f"its newest row is of {newest}, and it declares to be {max_age} old at most"
                continue
            with _silence():
                store.materialize(BEGINNING, moment, feature_views=[view.name])
            counts[view.name] = count
        except (redis.RedisError, OSError) as error:
            raise UnavailableError(f"The online store cannot be reached: {error}") from error
        except Exception as error:  # noqa: BLE001 - whatever a table that somebody else writes may be like.
            failures[view.name] = first_line(error)
    _forget_earlier_runs(store)
    return counts, failures


def _forget_earlier_runs(store: FeatureStore) -> None:
    # Feast appends each run to the view, and reads all of them with it: every run covers all time, one is enough.
    for view in store.list_feature_views():
        view.materialization_intervals = view.materialization_intervals[-1:]
        store.registry.apply_feature_view(view, store.project)


def _rows(view: FeatureView, moment: datetime) -> tuple[int, datetime | None]:
    """Return how many entities a view's table has up to a moment, and the moment of the newest row."""
    with analytics() as connection:
        table = connection.read_parquet(view.batch_source.path)
        stamp = view.batch_source.timestamp_field
        known = table.filter(table[stamp].cast("timestamp('UTC')") <= moment)
        return int(known[key_of(view)].nunique().execute()), newest_row(table, stamp, moment)


def newest_row(table: ibis.Table, stamp: str, moment: datetime) -> datetime | None:
    """Return the moment of the newest row at or before another, UTC; None when there is none."""
    stamps = table[stamp].cast("timestamp('UTC')")
    newest: datetime | None = (
        table.filter(stamps <= moment).aggregate(newest=stamps.max()).to_pyarrow()["newest"][0].as_py()
    )
    return newest


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without its period, for a table or a message of one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep Feast from printing: what is worth knowing is reported in our own words."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
