"""Decisions of the past with the courses that could have been shown, and how each looked at that moment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from features.histories import DAY, Floats, Histories, History, Popularity
from features.interactions import Integers
from features.pair import PAIR_FEATURES, pair_features
from features.relations import Relations, relate
from features.similarity import Similarities
from features.vector import VectorLayout
from serving.candidates import select_candidates
from training.history import LearningHistory
from training.parallel import in_order
from training.split import Stage, decided
from training.working import NOTHING, Arrays, Parts, as_text, of_text

SAMPLED = 30
"""Candidates a training decision keeps besides the course that was taken, drawn uniformly: only hard ones mislead."""
_FRAME = 2048
"""Decisions whose candidates are joined with features at once."""


class PointInTimeFeatures(Protocol):
    """Stored features as they were at a moment; `training.pointintime` asks Feast for them."""

    @property
    def layout(self) -> VectorLayout:
        """Names of the learner and course features that are read."""
        ...

    def read_learners(self, learner_ids: Integers, moments: Integers) -> NDArray[Any]:
        """Return float64[d, k]: what was known strictly before the moments (microseconds), NaN where nothing was."""
        ...

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return float32[m, k]: what was known strictly before the moments (microseconds), NaN where nothing was."""
        ...


@dataclass(frozen=True)
class Defaulted:
    """Stored features for a ranker that was fitted: what is missing is read as serving reads it.

    Attributes:
        features: stored features as of any moment.
        defaults: `ReleaseManifest.defaults`.
    """

    features: PointInTimeFeatures
    defaults: Mapping[str, float]

    @cached_property
    def layout(self) -> VectorLayout:
        """Names of the columns, with the defaults."""
        return replace(self.features.layout, defaults=self.defaults)

    def read_learners(self, learner_ids: Integers, moments: Integers) -> NDArray[Any]:
        """Return what the features do."""
        return self.features.read_learners(learner_ids, moments)

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return what the features do."""
        return self.features.read_courses(course_ids, moments)


@dataclass(frozen=True)
class Examples:
    """Candidates of decisions.

    Attributes:
        decisions: int64[d], positions of the enrollments that were decided on.
        moments: int64[d], what everything is as of, microseconds since 1970.
        rows: int64[m], the decision (0 to d - 1) of each candidate, ascending.
        columns: int64[m], position of the candidate course.
        taken: bool[m], whether it is the course that was taken.
        pair: float32[m, len(PAIR_FEATURES)].
    """

    decisions: Integers
    moments: Integers
    rows: Integers
    columns: Integers
    taken: NDArray[np.bool_]
    pair: Floats


@dataclass(frozen=True)
class Dataset:
    """What a ranker is fitted on.

    Attributes:
        vectors: float32[m, number of features].
        taken: bool[m], one in each group.
        groups: int64[m], ascending: candidates of one decision share a number.
        decisions: how many decisions there are.
        retrieved: share of the decisions whose course was among the candidates; the others teach nothing.
        weights: float64[number of groups with candidates]; None where all count alike.
    """

    vectors: Floats
    taken: NDArray[np.bool_]
    groups: Integers
    decisions: int
    retrieved: float
    weights: NDArray[np.float64] | None = None


def examples(
    history: LearningHistory,
    stage: Stage,
    similarities: Similarities,
    rng: np.random.Generator | None = None,
    *,
    threads: int = 1,
) -> Generator[Examples]:
    """Yield the candidates of a stage's decisions, chunk by chunk.

    Args:
        history: the log; of each decision only what lies strictly before it is read.
        stage: the decisions.
        similarities: fitted on what the stage knows.
        rng: samples candidates for training; None keeps all of them.
        threads: how many chunks are looked for at a time; with `rng` always one.
    """
    chunks = (
        replace(stage, decisions=stage.decisions[start : start + _FRAME])
        for start in range(0, len(stage.decisions), _FRAME)
    )
    return in_order(lambda chunk: _examples(history, chunk, similarities, rng), chunks, threads if rng is None else 1)


def training_set(
    history: LearningHistory,
    stages: tuple[Stage, ...],
    features: PointInTimeFeatures,
    rng: np.random.Generator,
    *,
    advance: Callable[[int], None] = lambda _: None,
    parts: Parts = NOTHING,
    threads: int = 1,
) -> Dataset:
    """Return the training examples of all stages, each with statistics fitted on what lay before it.

    Args:
        history: the log.
        stages: the decisions, in stages.
        features: stored features as of each decision.
        rng: samples candidates.
        advance: told how many decisions were done.
        parts: where the examples of finished stages are kept.
        threads: with more than one, the similarities of the next stage are fitted meanwhile.
    """
    found = []
    with _Similarities(history, stages, ahead=threads > 1) as state:
        for number, stage in enumerate(stages):
            kept = parts.kept(f"stage-{number}")
            if kept is None:
                kept = _stage_examples(history, stage, features, state.of(number), rng, advance=advance)
                # Who goes on from here draws what would have been drawn.
                parts.keep(f"stage-{number}", {**kept, "random": as_text(rng.bit_generator.state)})
            else:
                rng.bit_generator.state = of_text(kept["random"])
                advance(len(stage.decisions))
            found.append(kept)
    offsets = np.cumsum([0, *(len(stage.decisions) for stage in stages)])
    groups = [each["groups"] + offset for each, offset in zip(found, offsets, strict=False)]
    return Dataset(
        vectors=np.concatenate([np.empty((0, len(features.layout.names)), np.float32), *_each(found, "vectors")]),
        taken=np.concatenate([np.empty(0, np.bool_), *_each(found, "taken")]),
        groups=np.concatenate([np.empty(0, np.int64), *groups]),
        decisions=int(offsets[-1]),
        retrieved=sum(len(np.unique(each)) for each in groups) / max(1, int(offsets[-1])),
    )


def _each(found: Sequence[Arrays], name: str) -> list[NDArray[Any]]:
    return [each[name] for each in found]


class _Similarities:
    """Similarities of one stage after the other, fitted when they are asked for; two may know the same.

    Args:
        history: the log.
        stages: in the order that they are asked for; some may be left out.
        ahead: whether those of the next stage are fitted meanwhile, in a thread.
    """

    def __init__(self, history: LearningHistory, stages: Sequence[Stage], *, ahead: bool) -> None:
        self._history = history
        self._stages = stages
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="similarities") if ahead else None
        self._fitted: tuple[NDArray[np.bool_], Similarities] | None = None
        self._next: tuple[NDArray[np.bool_], Future[Similarities]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def of(self, number: int) -> Similarities:
        """Return those of a stage."""
        known = self._stages[number].known
        if self._fitted is None or self._fitted[0] is not known:
            # What is not needed any more makes room before more is fitted.
            self._fitted = None
            self._fitted = (known, self._made(known))
            self._begin_next(number)
        return self._fitted[1]

    def _made(self, known: NDArray[np.bool_]) -> Similarities:
        if self._next is not None and self._next[0] is known:
            return self._next[1].result()
        return self._history.similarities(known)

    def _begin_next(self, number: int) -> None:
        known = self._stages[number].known
        later = next((each.known for each in self._stages[number:] if each.known is not known), None)
        self._next = None
        if self._pool is not None and later is not None:
            self._next = (later, self._pool.submit(self._history.similarities, later))


def _stage_examples(
    history: LearningHistory,
    stage: Stage,
    features: PointInTimeFeatures,
    similarities: Similarities,
    rng: np.random.Generator,
    *,
    advance: Callable[[int], None],
) -> Arrays:
    """Return `vectors`, `taken` and `groups` of a stage, as of `Dataset`, its groups counted from 0."""
    vectors, taken = [np.empty((0, len(features.layout.names)), np.float32)], [np.empty(0, np.bool_)]
    groups, done = [np.empty(0, np.int64)], 0
    for part in examples(history, stage, similarities, rng):
        vectors.append(with_features(history, part, features))
        taken.append(part.taken)
        groups.append(part.rows + done)
        done += len(part.decisions)
        advance(len(part.decisions))
    return {"vectors": np.concatenate(vectors), "taken": np.concatenate(taken), "groups": np.concatenate(groups)}


def with_features(history: LearningHistory, part: Examples, features: PointInTimeFeatures) -> Floats:
    """Return float32[m, number of features]: the candidates' vectors, with features as of the moments."""
    log = history.interactions
    learners = features.read_learners(history.learner_ids[log.learners[part.decisions]], part.moments)
    courses = features.read_courses(history.traits.course_ids[part.columns], part.moments[part.rows])
    return features.layout.assemble(part.moments[part.rows], learners[part.rows], courses, part.pair)


def candidates(
    history: LearningHistory, histories: Histories, similarities: Similarities
) -> Iterator[tuple[History, Relations, Integers]]:
    """Yield each history, how it relates to all courses, and int64[m], its candidates, ascending."""
    traits = history.traits
    days, places = np.unique(histories.now // DAY * DAY, return_inverse=True)
    popular = [Popularity.of(counts) for counts in history.popularity(days)]
    for one, place in zip(histories, places.tolist(), strict=True):
        relations = relate(one, similarities, traits, popular[place])
        eligible = history.published.copy()
        eligible[one.courses] = False
        yield one, relations, select_candidates(relations, eligible)


def _examples(
    history: LearningHistory, stage: Stage, similarities: Similarities, rng: np.random.Generator | None
) -> Examples:
    log, decisions = history.interactions, stage.decisions
    histories = decided(history, stage, decisions)
    # What was taken at the very same instant, or between the moment and the decision, is no negative either.
    taken_by_then = history.before(log.learners[decisions], log.moments[decisions] + 1)
    lengths, columns, pairs = [], [np.empty(0, np.int64)], [np.empty((0, len(PAIR_FEATURES)), np.float32)]
    asked = zip(log.courses[decisions].tolist(), taken_by_then, strict=True)
    for (target, also), (one, relations, found) in zip(
        asked, candidates(history, histories, similarities), strict=True
    ):
        kept = found if rng is None else _sampled(found, target, also.courses, rng)
        lengths.append(len(kept))
        columns.append(kept)
        pairs.append(pair_features(relations, one, history.traits, kept))
    rows, every = np.repeat(np.arange(len(decisions), dtype=np.int64), lengths), np.concatenate(columns)
    taken = every == log.courses[decisions][rows]
    return Examples(decisions, histories.now, rows, every, taken, np.concatenate(pairs))


def _sampled(columns: Integers, target: int, also: Integers, rng: np.random.Generator) -> Integers:
    """Return the course that was taken and `SAMPLED` others, or nothing when it is no candidate.

    Args:
        columns: int64[m], the candidates, ascending.
        target: the course that was taken.
        also: int64[], courses that are neither.
        rng: draws the others.
    """
    drawn = rng.random(len(columns))
    if not (columns == target).any():
        return columns[:0]
    drawn[np.isin(columns, also)] = np.inf
    drawn[columns == target] = -1.0
    kept = np.argsort(drawn)[: SAMPLED + 1]
    return columns[np.sort(kept[np.isfinite(drawn[kept])])]
