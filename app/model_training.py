"""The life of a model, composed: lake and feature store in, releases registered and promoted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from opentelemetry import trace

from app.wiring import Platform
from core.clock import Clock
from core.errors import InputError
from database.queries import releases as queries
from database.queries.history import TOPIC_PARENTS
from database.queries.releases import RELEASES, ReleaseRow
from database.session import Database
from database.tables.models import ReleaseStatus
from features.columns import StoredFeature
from security.audit import DONE, Subject, record
from training.dataset import PointInTimeFeatures
from training.evaluate import Evaluation
from training.history import LearningHistory, load_history
from training.release import Report, TrainingOptions, judge, save, train
from training.split import Protocol


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on.

    Attributes:
        history: the log.
        features: stored features as of any moment.
        service: name of the feature service that they come from.
        fingerprint: of the lake.
        stored: the features of the service, for a release to record.
    """

    history: LearningHistory
    features: PointInTimeFeatures
    service: str
    fingerprint: str
    stored: tuple[StoredFeature, ...] = ()


@dataclass(frozen=True)
class TrainingOutcome:
    """What `waymark model train` reports.

    Attributes:
        version: of the new release.
        evaluation: of the same training on an earlier moment.
        live: whether it became live.
    """

    version: str
    evaluation: Evaluation
    live: bool


@asynccontextmanager
async def training_data(parts: Platform, service: str) -> AsyncIterator[TrainingData]:
    """Open the lake and the feature store of a platform and read the log.

    Raises:
        InputError: recommendations are off, nothing was exported yet, or there is no such feature service.
    """
    if parts.redis_url is None:
        raise InputError("Models need the feature store: set WAYMARK_RECOMMENDATIONS=on.")
    from app.feature_pipeline import FeaturePlaces  # noqa: PLC0415 - it imports Feast, which takes seconds.
    from training.pointintime import FeastFeatures  # noqa: PLC0415 - as above.

    places = FeaturePlaces(parts.data_dir, parts.redis_url)
    contents = places.lake.contents()
    parents = await topic_parents(parts.database)
    history = await asyncio.to_thread(load_history, places.lake, parents)
    store = await asyncio.to_thread(places.store)
    features = await asyncio.to_thread(FeastFeatures, store, service)
    yield TrainingData(history, features, service, contents.fingerprint, features.stored)


async def topic_parents(database: Database) -> dict[int, int]:
    """Return the parent of every topic that has one."""
    async with database.reader() as reader:
        return {row.id: row.parent_id for row in await reader.fetch(TOPIC_PARENTS)}


async def train_model(
    database: Database,
    models_dir: Path,
    data: TrainingData,
    *,
    clock: Clock,
    options: TrainingOptions,
    report: Report,
) -> TrainingOutcome:
    """Train, write and register a release; it becomes live if none is and it beats popularity.

    Raises:
        InputError: there is too little history.
    """
    with trace.get_tracer("waymark.training").start_as_current_span("model.train") as span:
        trained = await asyncio.to_thread(train, data.history, data.features, options, report)
        span.set_attribute("waymark.decisions", trained.decisions)
        span.set_attribute("waymark.ndcg", trained.evaluation.rankers["model"].ndcg)
    now = clock()
    manifest, digest = await asyncio.to_thread(
        save,
        models_dir,
        trained,
        data.history,
        data.features,
        service=data.service,
        fingerprint=data.fingerprint,
        options=options,
        now=now,
        stored=data.stored,
    )
    row = {
        "version": manifest.version,
        "location": manifest.version,
        "digest": digest,
        "feature_service": data.service,
        "metrics": {**manifest.metrics, "data_fingerprint": data.fingerprint},
        "training_rows": trained.decisions,
        "created_at": now,
    }
    live = await _register(database, row, beats_popularity=trained.evaluation.gain > 1)
    return TrainingOutcome(manifest.version, trained.evaluation, live)


async def evaluate_model(
    data: TrainingData, protocol: Protocol, options: TrainingOptions, report: Report
) -> Evaluation:
    """Train and judge by a protocol; nothing is written.

    Raises:
        InputError: there is too little history.
    """
    return await asyncio.to_thread(judge, data.history, data.features, protocol, options, report)


async def list_releases(database: Database) -> list[ReleaseRow]:
    """Return all releases, the newest first."""
    async with database.reader() as reader:
        return await reader.fetch(RELEASES)


async def promote(database: Database, version: str, *, force: bool, reason: str | None, now: datetime) -> None:
    """Make a release live; serving follows at its next look.

    Raises:
        InputError: there is no such release, it is live, or it does not beat the live one and is not forced.
    """
    if force and not (reason or "").strip():
        raise InputError("--force needs --reason: why a release goes live that did not beat the live one.")
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        found = {row.version: row for row in await queries.all_releases(connection)}
        if version not in found:
            raise InputError(f"There is no release {version}: see `waymark model list`.")
        live = next((row for row in found.values() if row.status == ReleaseStatus.LIVE.value), None)
        if live is not None and live.version == version:
            raise InputError(f"Release {version} is live already.")
        refusal = _refusal(found[version].metrics, live.metrics if live is not None else None)
        if refusal is not None and not force:
            raise InputError(f"Release {version} is not promoted: {refusal} Use --force --reason TEXT to insist.")
        forced = {"forced": refusal is not None, "reason": reason, "at": now.isoformat()}
        await queries.make_live(connection, version, now, {**found[version].metrics, "promotion": forced})
        await _audit(connection, version, now, replaced=live.version if live else None, forced=refusal is not None)


async def _register(database: Database, row: dict[str, Any], *, beats_popularity: bool) -> bool:
    async with database.transaction() as connection:
        await queries.take_turn(connection)
        first = not await queries.has_live(connection)
        await queries.register(connection, row)
        live = first and beats_popularity
        if live:
            await queries.make_live(connection, row["version"], row["created_at"], row["metrics"])
            await _audit(connection, row["version"], row["created_at"], replaced=None, forced=False)
        return live


async def _audit(connection: Any, version: str, now: datetime, *, replaced: str | None, forced: bool) -> None:
    await record(
        connection,
        actor=None,
        action="promoteRelease",
        subject=Subject("ModelRelease", version),
        outcome=DONE,
        details={"replaced": replaced, "forced": forced},
        request_id=None,
        now=now,
    )


def _refusal(candidate: dict[str, Any], live: dict[str, Any] | None) -> str | None:
    """Return why a release must not go live; None when it may."""
    ours = candidate["rankers"]["model"]["ndcg"]
    if live is None:
        baseline = candidate["rankers"]["popularity"]["ndcg"]
        return None if ours > baseline else f"its NDCG@10 is {ours:.4f} and that of popularity is {baseline:.4f}."
    compared = ("protocol", "learners", "data_fingerprint")
    if any(candidate.get(name) != live.get(name) for name in compared):
        return "the live release was evaluated on other data, so that their figures cannot be compared."
    theirs = live["rankers"]["model"]["ndcg"]
    return None if ours > theirs else f"its NDCG@10 is {ours:.4f} and that of the live release is {theirs:.4f}."
