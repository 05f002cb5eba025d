"""History in, a model that can be released out: evaluated on a future it has not seen, then fitted on everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import xgboost

from features.columns import StoredFeature
from features.similarity import Similarities, fit_similarities
from serving.artifact import ReleaseManifest, write_release
from training.dataset import Dataset, Defaulted, PointInTimeFeatures, training_set
from training.evaluate import Evaluation, evaluate
from training.fit import ROUNDS, SEED, fit_ranker
from training.history import LearningHistory
from training.judgment import JUDGMENT
from training.notes import NOTES
from training.split import Protocol, Stage, split, training_stages

Report = Callable[[str, int, int], None]
"""Told the name of a step, how much of it is done, and of how much."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        seed: of everything random.
        threads: how many threads XGBoost may use.
        rounds: how many trees the ranker has.
    """

    seed: int = SEED
    threads: int = 2
    rounds: int = ROUNDS


@dataclass(frozen=True)
class FittedModel:
    """A ranker with its retrievers.

    Attributes:
        booster: reads the vectors of the features' layout.
        similarities: in the order of the history's courses.
        decisions: how many decisions the ranker was fitted on.
        defaults: `ReleaseManifest.defaults`.
    """

    booster: xgboost.Booster
    similarities: Similarities
    decisions: int
    defaults: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedModel:
    """What a release is written from.

    Attributes:
        booster: fitted on decisions up to the end of the history.
        similarities: fitted on all of it.
        evaluation: of the same training, done on what lay before the last tenth and judged on that.
        decisions: how many decisions the ranker was fitted on.
        defaults: `ReleaseManifest.defaults`.
    """

    booster: xgboost.Booster
    similarities: Similarities
    evaluation: Evaluation
    decisions: int
    defaults: Mapping[str, float] = field(default_factory=dict)


def train(
    history: LearningHistory, features: PointInTimeFeatures, options: TrainingOptions, report: Report
) -> TrainedModel:
    """Evaluate on the end of the history, then fit on all of it.

    Raises:
        InputError: there is too little history.
    """
    evaluation = judge(history, features, Protocol.TIME_SPLIT, options, report, thorough=False)
    end = int(history.interactions.moments.max()) + 1
    fitted = fit_before(history, features, end, options, report)
    return TrainedModel(fitted.booster, fitted.similarities, evaluation, fitted.decisions, fitted.defaults)


def fit_before(
    history: LearningHistory, features: PointInTimeFeatures, moment: int, options: TrainingOptions, report: Report
) -> FittedModel:
    """Fit a model that has seen nothing of a moment (microseconds) and later.

    Raises:
        InputError: too little lies before it.
    """
    rng = np.random.default_rng(options.seed)
    stages = training_stages(history, moment, rng)
    booster, dataset = _fit(history, stages, features, rng, options=options, report=report)
    known = history.interactions.select(history.known(moment))
    similarities = fit_similarities(known, len(history.traits))
    return FittedModel(booster, similarities, dataset.decisions, _defaults(dataset, features.layout.names))


def judge(
    history: LearningHistory,
    features: PointInTimeFeatures,
    protocol: Protocol,
    options: TrainingOptions,
    report: Report,
    *,
    thorough: bool = True,
) -> Evaluation:
    """Fit on what a protocol lets be known, and rank the decisions it asks about.

    Args:
        history: the log.
        features: stored features as of any moment.
        protocol: what is known, and what is asked.
        options: how to train.
        report: draws progress.
        thorough: whether to compare with every baseline; `evaluate` says what is left out otherwise.

    Raises:
        InputError: there is too little history.
    """
    rng = np.random.default_rng(options.seed)
    divided = split(history, protocol, rng)
    booster, dataset = _fit(history, divided.training, features, rng, options=options, report=report)
    return evaluate(
        history,
        protocol,
        divided,
        booster,
        Defaulted(features, _defaults(dataset, features.layout.names)),
        seed=options.seed,
        step=lambda name, total: _counted(name, total, report),
        thorough=thorough,
    )


def save(
    models_dir: Path,
    trained: TrainedModel,
    history: LearningHistory,
    features: PointInTimeFeatures,
    *,
    service: str,
    fingerprint: str,
    options: TrainingOptions,
    now: datetime,
    stored: tuple[StoredFeature, ...] = (),
) -> tuple[ReleaseManifest, str]:
    """Write a release to its own folder below `models_dir`.

    Returns:
        Its manifest and the manifest's digest.
    """
    version = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    moments = history.interactions.moments
    layout = features.layout
    manifest = ReleaseManifest(
        version=version,
        created_at=now,
        feature_service=service,
        stored_features=stored,
        learner_features=layout.learner,
        course_features=layout.course,
        vector_names=layout.names,
        vector_digest=layout.digest,
        defaults=dict(trained.defaults),
        data_fingerprint=fingerprint,
        trained_from=_moment(int(moments.min())),
        trained_until=_moment(int(moments.max())),
        training_decisions=trained.decisions,
        seed=options.seed,
        rounds=options.rounds,
        metrics=trained.evaluation.as_json(),
        code_version=installed_version("waymark"),
    )
    models_dir.mkdir(parents=True, exist_ok=True)
    digest = write_release(
        models_dir / version,
        manifest,
        trained.booster,
        history.traits.course_ids,
        trained.similarities,
        extras=_extras(trained.evaluation),
    )
    return manifest, digest


def _fit(
    history: LearningHistory,
    stages: tuple[Stage, ...],
    features: PointInTimeFeatures,
    rng: np.random.Generator,
    *,
    options: TrainingOptions,
    report: Report,
) -> tuple[xgboost.Booster, Dataset]:
    total = sum(len(stage.decisions) for stage in stages)
    dataset = training_set(history, stages, features, rng, _counted("Looking back at decisions", total, report))
    rounds = _counted("Fitting the ranker", options.rounds, report)
    booster = fit_ranker(
        dataset,
        features.layout,
        rounds=options.rounds,
        seed=options.seed,
        threads=options.threads,
        advance=lambda: rounds(1),
    )
    return booster, dataset


def _defaults(dataset: Dataset, names: tuple[str, ...]) -> dict[str, float]:
    if not len(dataset.vectors):
        return {}
    # A ranker that saw a column without gaps has learned nothing of them, and would go some arbitrary way.
    columns = zip(names, dataset.vectors.T, strict=True)
    return {name: float(np.median(values)) for name, values in columns if not np.isnan(values).any()}


def _counted(step: str, total: int, report: Report) -> Callable[[int], None]:
    done = 0
    report(step, 0, total)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(step, done, total)

    return advance


def _extras(evaluation: Evaluation) -> dict[str, bytes]:
    found = {JUDGMENT: evaluation.judgment, NOTES: evaluation.notes}
    return {name: each.packed() for name, each in found.items() if each is not None}


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
