"""The life of a model, composed: lake and feature store in, a release out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import trace

from app import releases
from app.interruptible import in_thread
from app.wiring import Platform
from core.clock import Clock
from core.errors import InputError, ReleaseError, UnavailableError
from database.queries.history import TOPIC_PARENTS
from database.session import Database
from features.columns import StoredFeature
from serving.artifact import LearnedExposures, read_manifest
from training.dataset import PointInTimeFeatures
from training.distributions import Distributions
from training.evaluate import Evaluation
from training.exposures import Exposures, load_exposures
from training.history import LearningHistory, load_history
from training.rejudgment import after
from training.release import Report, TrainedModel, TrainingOptions, judge, moment_of, save, train
from training.split import Protocol, held_out_from
from training.working import NOTHING, Parts, work_key, working

if TYPE_CHECKING:
    from app.feature_pipeline import FeaturePlaces


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on.

    Attributes:
        history: the log.
        features: stored features as of any moment.
        service: name of the feature service that they come from.
        fingerprint: of the lake.
        stored: the features of the service, for a release to record.
        exposures: what learners were shown, to learn from it too; None for not at all.
        record: tells what the stored features were like at a moment, for a release to keep; None for not at all.
        until: moment that the log was cut at; None where it was not.
        tables: digest of the feature tables; None where they are no files, and nobody can tell whether they changed.
    """

    history: LearningHistory
    features: PointInTimeFeatures
    service: str
    fingerprint: str
    stored: tuple[StoredFeature, ...] = ()
    exposures: Exposures | None = None
    record: Callable[[datetime], Distributions] | None = None
    until: int | None = None
    tables: str | None = None

    def known_before(self, moment: int) -> TrainingData:
        """Return what was known strictly before a moment, microseconds since 1970.

        What was shown is cut by training itself, which reads only what was decided by the end of the log.

        Raises:
            InputError: nothing was.
        """
        history = self.history.until(moment)
        if not len(history.interactions):
            raise InputError("Nothing is known of before --until: no enrollment is that old.")
        return replace(self, history=history, until=moment)


@dataclass(frozen=True)
class TrainingOutcome:
    """What `waymark model train` reports.

    Attributes:
        version: of the new release.
        evaluation: of the same training on an earlier moment.
        live: whether it became live.
        exposures: what was learned from what learners had been shown.
        judged_since: moment that it was judged from instead of the last tenth of the log, because the live release has
            learned from what lies before; None where that was not chosen.
        resumed: parts of a training that was interrupted, which were not made again.
    """

    version: str
    evaluation: Evaluation
    live: bool
    exposures: LearnedExposures | None = None
    judged_since: datetime | None = None
    resumed: int = 0


@asynccontextmanager
async def training_data(parts: Platform, service: str, *, exposures: bool = False) -> AsyncIterator[TrainingData]:
    """Open the lake and the feature store of a platform and read the log.

    Args:
        parts: the opened platform.
        service: name of the feature service.
        exposures: whether to read what learners were shown.

    Raises:
        InputError: recommendations are off, nothing was exported yet, or there is no such feature service.
    """
    from app.feature_distributions import recorded, tables_digest  # noqa: PLC0415 - it imports Feast, which takes seconds.
    from training.pointintime import FeastFeatures  # noqa: PLC0415 - as above.

    places = feature_places(parts)
    contents = places.lake.contents()
    history = await learning_history(parts, places)
    store = await asyncio.to_thread(places.store)
    features = await asyncio.to_thread(FeastFeatures, store, service)
    shown = None
    if exposures:
        readable = await releases.of_layout(parts.database, parts.models_dir, features.layout.digest)
        shown = await asyncio.to_thread(load_exposures, places.lake, features.layout.names, readable)
    yield TrainingData(
        history,
        features,
        service,
        contents.fingerprint,
        features.stored,
        shown,
        partial(recorded, parts.data_dir, features.stored),
        tables=await asyncio.to_thread(tables_digest, parts.data_dir, features.stored),
    )


def feature_places(parts: Platform) -> FeaturePlaces:
    """Return where the features of a platform lie.

    Raises:
        InputError: recommendations are off.
    """
    if parts.redis_url is None:
        raise InputError("Models need the feature store: set WAYMARK_RECOMMENDATIONS=on.")
    from app.feature_pipeline import FeaturePlaces  # noqa: PLC0415 - it imports Feast, which takes seconds.

    return FeaturePlaces(parts.data_dir, parts.redis_url)


async def learning_history(parts: Platform, places: FeaturePlaces) -> LearningHistory:
    """Read the log of a platform.

    Raises:
        InputError: nothing was exported yet.
    """
    parents = await topic_parents(parts.database)
    return await asyncio.to_thread(load_history, places.lake, parents, parts.clock())


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
    working_dir: Path | None = None,
) -> TrainingOutcome:
    """Train, write and register a release; it becomes live if none is and it beats popularity.

    Args:
        database: with the register.
        models_dir: folder of the releases.
        data: what to train on.
        clock: tells when the release was made.
        options: how to train. Where they do not say what to hold out, it is what the live release has not learned from,
            if that is less than the last tenth of the log and still enough.
        report: draws progress.
        working_dir: where finished parts are kept until the release is registered; None for nowhere.

    Raises:
        InputError: there is too little history.
        UnavailableError: the release cannot be written.
    """
    asked = options.held_out_since
    if asked is None:
        options = replace(options, held_out_since=await _as_the_live_one(database, models_dir, data.history))
    keeping: AbstractContextManager[Parts] = nullcontext(NOTHING)
    if working_dir is not None and data.tables is not None:
        determines = (data.fingerprint, data.tables, data.service, data.stored, data.history, data.exposures, options)
        keeping = working(working_dir, await asyncio.to_thread(work_key, *determines))
    with keeping as parts:
        with trace.get_tracer("waymark.training").start_as_current_span("model.train") as span:
            trained = await in_thread(
                lambda told: train(data.history, data.features, options, told, exposures=data.exposures, parts=parts),
                report,
            )
            span.set_attribute("waymark.decisions", trained.decisions)
            span.set_attribute("waymark.ndcg", trained.evaluation.rankers["model"].ndcg)
        outcome = await _registered(database, models_dir, data, trained, now=clock(), options=options)
        chosen = None if asked is not None else moment_of(options.held_out_since)
        return replace(outcome, judged_since=chosen, resumed=len(parts.found))


async def _as_the_live_one(database: Database, models_dir: Path, history: LearningHistory) -> int | None:
    """Return where to hold out from, so that the live release knows nothing more; None for the last tenth."""
    live = releases.live_of(await releases.list_releases(database))
    if live is None:
        return None
    try:
        manifest = await asyncio.to_thread(read_manifest, models_dir / live.location, live.digest)
    except ReleaseError:
        # Nothing can be compared with it then, whatever is held out; `promote` says why.
        return None
    return await asyncio.to_thread(held_out_from, history, after(manifest.trained_until))


async def _registered(
    database: Database,
    models_dir: Path,
    data: TrainingData,
    trained: TrainedModel,
    *,
    now: datetime,
    options: TrainingOptions,
) -> TrainingOutcome:
    """Write a release and register it."""
    distributions = None
    if data.record is not None:
        distributions = await asyncio.to_thread(data.record, data.history.span[1])
    try:
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
            distributions=distributions,
            until=data.until,
        )
    except OSError as error:
        raise UnavailableError(
            f"The release cannot be written below {models_dir}: {error.strerror}. The same command tries again."
        ) from error
    row = {
        "version": manifest.version,
        "location": manifest.version,
        "digest": digest,
        "feature_service": data.service,
        "metrics": {**manifest.metrics, "data_fingerprint": data.fingerprint},
        "training_rows": trained.decisions,
        "created_at": now,
    }
    judgment = trained.evaluation.judgment
    assert judgment is not None  # noqa: S101 - every evaluation has one.
    live = await releases.register(database, row, judgment)
    return TrainingOutcome(manifest.version, trained.evaluation, live, trained.exposures)


async def evaluate_model(
    data: TrainingData, protocol: Protocol, options: TrainingOptions, report: Report
) -> Evaluation:
    """Train and judge by a protocol; nothing is written.

    Raises:
        InputError: there is too little history.
    """
    return await in_thread(
        lambda told: judge(data.history, data.features, protocol, options, told, exposures=data.exposures), report
    )
