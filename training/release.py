"""History in, a model that can be released out: evaluated on a future it has not seen, then fitted on everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np

from features.columns import StoredFeature
from features.interactions import Integers
from features.similarity import Similarities, positions_of
from serving.artifact import LearnedExposures, ReleaseManifest, write_release
from serving.ensembles import Ensemble
from serving.trees import TreeScorer
from training.dataset import Dataset, Defaulted, PointInTimeFeatures, training_set
from training.distributions import DISTRIBUTIONS, Distributions
from training.evaluate import Evaluation, evaluate
from training.exposures import Exposures
from training.fit import ROUNDS, SEED, fit_ranker
from training.history import EPOCH, NEVER, LearningHistory
from training.judgment import JUDGMENT
from training.lessons import taught
from training.network_fitting import EPOCHS, fit_network
from training.notes import NOTES
from training.parts import FittedRanker, evaluation_as_arrays, evaluation_of
from training.split import Protocol, Stage, split, training_stages
from training.working import NOTHING, Parts

Report = Callable[[str, int, int], None]
"""Told the name of a step, how much of it is done, and of how much."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        seed: of everything random.
        threads: how many threads may be used; the figures are the same with any.
        rounds: how many trees the ranker has.
        since: first moment (microseconds since 1970) that decisions are learned from; None for a share of the latest.
            What lies before it still feeds statistics and histories.
        held_out_since: first moment (microseconds since 1970) of the decisions that a time split judges on; None for
            the last tenth of the log. What is released is fitted on everything all the same.
    """

    seed: int = SEED
    threads: int = 2
    rounds: int = ROUNDS
    since: int | None = None
    held_out_since: int | None = None


@dataclass(frozen=True)
class FittedModel:
    """A ranker with its retrievers.

    Attributes:
        ensemble: reads the vectors of the features' layout.
        similarities: in the order of the history's courses.
        decisions: how many decisions the ranker was fitted on.
        defaults: `ReleaseManifest.defaults`.
        exposures: `ReleaseManifest.exposures`.
    """

    ensemble: Ensemble
    similarities: Similarities
    decisions: int
    defaults: Mapping[str, float] = field(default_factory=dict)
    exposures: LearnedExposures | None = None


@dataclass(frozen=True)
class TrainedModel:
    """What a release is written from.

    Attributes:
        ensemble: fitted on decisions up to the end of the history.
        similarities: fitted on all of it.
        evaluation: of the same training, done on what lay before the last tenth and judged on that.
        decisions: how many decisions the ranker was fitted on.
        defaults: `ReleaseManifest.defaults`.
        exposures: `ReleaseManifest.exposures`.
    """

    ensemble: Ensemble
    similarities: Similarities
    evaluation: Evaluation
    decisions: int
    defaults: Mapping[str, float] = field(default_factory=dict)
    exposures: LearnedExposures | None = None


def train(
    history: LearningHistory,
    features: PointInTimeFeatures,
    options: TrainingOptions,
    report: Report,
    *,
    exposures: Exposures | None = None,
    parts: Parts = NOTHING,
) -> TrainedModel:
    """Evaluate on the end of the history, then fit on all of it.

    Args:
        history: the log.
        features: stored features as of any moment.
        options: how to train.
        report: draws progress.
        exposures: what learners were shown, to learn from it too; None for not at all.
        parts: where finished parts are kept.

    Raises:
        InputError: there is too little history.
    """
    judging = parts.within("judge")
    evaluation = judge(
        history, features, Protocol.TIME_SPLIT, options, report, thorough=False, exposures=exposures, parts=judging
    )
    end = int(history.interactions.moments.max()) + 1
    fitted = fit_before(history, features, end, options, report, exposures=exposures, parts=parts.within("fit"))
    return TrainedModel(
        fitted.ensemble, fitted.similarities, evaluation, fitted.decisions, fitted.defaults, fitted.exposures
    )


def fit_before(
    history: LearningHistory,
    features: PointInTimeFeatures,
    moment: int,
    options: TrainingOptions,
    report: Report,
    *,
    exposures: Exposures | None = None,
    parts: Parts = NOTHING,
) -> FittedModel:
    """Fit a model that has seen nothing of a moment (microseconds) and later.

    Raises:
        InputError: too little lies before it.
    """
    rng = np.random.default_rng(options.seed)
    stages = training_stages(history, moment, rng, options.since)
    shown = exposures.between(_start(options), moment) if exposures is not None else None
    fitted = _fit(history, stages, features, rng, shown, options=options, report=report, parts=parts)
    kept = parts.kept("similarities")
    if kept is None:
        similarities = history.similarities(history.known(moment))
        parts.keep("similarities", similarities.arrays)
    else:
        similarities = Similarities.of(kept, len(history.traits))
    return FittedModel(fitted.ensemble, similarities, fitted.decisions, fitted.defaults, fitted.exposures)


def judge(
    history: LearningHistory,
    features: PointInTimeFeatures,
    protocol: Protocol,
    options: TrainingOptions,
    report: Report,
    *,
    thorough: bool = True,
    exposures: Exposures | None = None,
    parts: Parts = NOTHING,
) -> Evaluation:
    """Fit on what a protocol lets be known, and rank the decisions it asks about.

    Args:
        history: the log.
        features: stored features as of any moment.
        protocol: what is known, and what is asked.
        options: how to train.
        report: draws progress.
        thorough: whether to compare with every baseline; `evaluate` says what is left out otherwise.
        exposures: what learners were shown, to learn from it too; None for not at all.
        parts: where finished parts are kept.

    Raises:
        InputError: there is too little history.
    """
    kept = parts.kept("evaluation")
    if kept is not None:
        return evaluation_of(kept)
    rng = np.random.default_rng(options.seed)
    divided = split(history, protocol, rng, options.since, options.held_out_since)
    shown = None
    if exposures is not None:
        shown = exposures.between(_start(options), _hidden_from(history, divided.test, exposures))
    fitted = _fit(history, divided.training, features, rng, shown, options=options, report=report, parts=parts)
    found = evaluate(
        history,
        protocol,
        divided,
        fitted.ensemble,
        Defaulted(features, fitted.defaults),
        seed=options.seed,
        step=lambda name, total: counted(name, total, report),
        thorough=thorough,
        threads=options.threads,
    )
    parts.keep("evaluation", evaluation_as_arrays(found))
    return found


def _start(options: TrainingOptions) -> int:
    return -NEVER if options.since is None else options.since


def _hidden_from(history: LearningHistory, test: Stage, exposures: Exposures) -> int | Integers:
    """Return the moment from which on a test hides what learners were shown; int64[s] where each has its own."""
    if test.until is not None:
        return test.until
    log = history.interactions
    hidden = np.full(len(history.learner_ids), NEVER)
    hidden[log.learners[test.decisions]] = log.moments[test.decisions]
    places, known = positions_of(exposures.learner_ids, history.learner_ids)
    return np.where(known, hidden[np.where(known, places, 0)], NEVER)


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
    distributions: Distributions | None = None,
    until: int | None = None,
) -> tuple[ReleaseManifest, str]:
    """Write a release to its own folder below `models_dir`.

    Args:
        models_dir: folder of the releases.
        trained: what to write.
        history: the log that it was trained on.
        features: that it was trained with.
        service: name of their feature service.
        fingerprint: of the lake.
        options: how it was trained.
        now: the moment, which names the release.
        stored: features of the service.
        distributions: what they were like at the end of the history.
        until: moment (microseconds since 1970) that the history was cut at; None where it was not.

    Returns:
        Its manifest and the manifest's digest.
    """
    version = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    layout = features.layout
    trained_from, trained_until = history.span
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
        since=moment_of(options.since),
        until=moment_of(until),
        trained_from=trained_from,
        trained_until=trained_until,
        training_decisions=trained.decisions,
        exposures=trained.exposures,
        seed=options.seed,
        rounds=options.rounds,
        metrics=trained.evaluation.as_json(),
        code_version=installed_version("waymark"),
    )
    models_dir.mkdir(parents=True, exist_ok=True)
    digest = write_release(
        models_dir / version,
        manifest,
        trained.ensemble,
        history.traits.course_ids,
        trained.similarities,
        extras=_extras(trained.evaluation, distributions),
    )
    return manifest, digest


def _fit(
    history: LearningHistory,
    stages: tuple[Stage, ...],
    features: PointInTimeFeatures,
    rng: np.random.Generator,
    shown: Exposures | None,
    *,
    options: TrainingOptions,
    report: Report,
    parts: Parts,
) -> FittedRanker:
    kept = parts.kept("ranker")
    if kept is not None:
        return FittedRanker.of(kept)
    looking = parts.within("examples")
    total = sum(len(stage.decisions) for stage in stages)
    advance = counted("Looking back at decisions", total, report)
    dataset = training_set(history, stages, features, rng, advance=advance, parts=looking, threads=options.threads)
    defaults = _defaults(dataset, features.layout.names)
    record = None
    if shown is not None:
        dataset, record = taught(dataset, shown, replace(features.layout, defaults=defaults).fill)
    rounds = counted("Fitting the ranker", options.rounds, report)
    booster = fit_ranker(
        dataset,
        features.layout,
        rounds=options.rounds,
        seed=options.seed,
        threads=options.threads,
        advance=lambda: rounds(1),
    )
    network = fit_network(
        dataset,
        TreeScorer(booster).scores(dataset.vectors),
        seed=options.seed,
        begin=lambda: counted("Fitting the network", EPOCHS, report),
    )
    fitted = FittedRanker(Ensemble(booster, network), dataset.decisions, defaults, record)
    parts.keep("ranker", fitted.as_arrays())
    # They are most of what is kept, and nobody needs them any more.
    looking.drop()
    return fitted


def _defaults(dataset: Dataset, names: tuple[str, ...]) -> dict[str, float]:
    if not len(dataset.vectors):
        return {}
    # A ranker that saw a column without gaps has learned nothing of them, and would go some arbitrary way.
    columns = zip(names, dataset.vectors.T, strict=True)
    return {name: float(np.median(values)) for name, values in columns if not np.isnan(values).any()}


def counted(step: str, total: int, report: Report) -> Callable[[int], None]:
    """Begin a step; return what is told how much more of it is done."""
    done = 0
    report(step, 0, total)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(step, done, total)

    return advance


def _extras(evaluation: Evaluation, distributions: Distributions | None) -> dict[str, bytes]:
    found = {JUDGMENT: evaluation.judgment, NOTES: evaluation.notes, DISTRIBUTIONS: distributions}
    return {name: each.packed() for name, each in found.items() if each is not None}


def moment_of(microseconds: int | None) -> datetime | None:
    """Return the moment that is so long after 1970."""
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
