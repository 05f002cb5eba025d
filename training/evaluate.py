"""How good a ranking is, against what it has to beat, in one run and on the same decisions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from features.interactions import Integers
from serving.ensembles import Ensemble
from training.baselines import CLASSICS, QUICK, Knowledge, Setting, blend, blended, scorer_ranks, tuned
from training.coldstart import ColdStart, cold_start
from training.dataset import PointInTimeFeatures
from training.history import LearningHistory
from training.judgment import Judgment
from training.lists import ListQuality, list_quality
from training.metrics import CUTOFF, NOT_RANKED, Comparison, Metrics, compared, exploration_cost, measured
from training.notes import Notes, curve_steps, notes
from training.providers import ProviderConcentration, provider_concentration
from training.ranking import model_ranks
from training.segments import segments
from training.split import Protocol, Split, Stage, decided
from training.tradeoffs import WEIGHTS, Tradeoff, VariedLists

Step = Callable[[str, int], Callable[[int], None]]
"""Told the name of a step and its total; returns what is told of each part that is done."""
BLEND = "linear-blend"


@dataclass(frozen=True)
class Segment:
    """A kind of decision.

    Attributes:
        name: which.
        learners: how many decisions.
        model: NDCG@10 of the model.
        popularity: that of popularity.
        ratio: the one over the other; infinite where popularity has none.
        low: lower end of the 95% bootstrap interval of `model`.
        high: its upper end.
    """

    name: str
    learners: int
    model: float
    popularity: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """The tables that `waymark model evaluate` prints.

    Attributes:
        protocol: how the decisions were chosen.
        learners: how many learners were evaluated.
        rankers: figures by name: all but `model-daily` know the same. `model-daily`, in a time split, knows what
            happened until the day of the decision, as serving does.
        retrieved: share of the decisions whose course was among the model's candidates.
        settings: what tuning chose for each baseline.
        comparisons: of the model with each baseline.
        segments: kinds of decisions, judged apart.
        lists: what the model's lists are like beyond that; None when it was not asked.
        tradeoffs: NDCG and lists at several weights of diversity, from none, of a sample where there are many; empty
            when it was not asked.
        providers: how its lists share places out among instructors; None where no course names any.
        cold_start: new learners of whom only stated topics are known; None when it was not asked.
        judgment: the ranks of every decision, which figures of two releases are compared by; no part of the tables.
        notes: curves for a report; no part of the tables.
        exploration_cost: share of the model's NDCG@10 that is lost when every list explores a new course.
    """

    protocol: Protocol
    learners: int
    rankers: dict[str, Metrics]
    retrieved: float
    settings: dict[str, dict[str, float]] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    segments: tuple[Segment, ...] = ()
    lists: ListQuality | None = None
    tradeoffs: tuple[Tradeoff, ...] = ()
    providers: ProviderConcentration | None = None
    cold_start: ColdStart | None = None
    exploration_cost: float = 0.0
    judgment: Judgment | None = field(default=None, repr=False, compare=False)
    notes: Notes | None = field(default=None, repr=False, compare=False)

    @property
    def gain(self) -> float:
        """NDCG@10 of the model over that of popularity."""
        baseline = self.rankers["popularity"].ndcg
        return self.rankers["model"].ndcg / baseline if baseline else float("inf")

    def as_json(self) -> dict[str, Any]:
        """Return every figure, as JSON has it: what is infinite is null."""
        described = {
            **asdict(replace(self, judgment=None, notes=None)),
            "protocol": self.protocol.value,
            "cutoff": CUTOFF,
        }
        return {name: _plain(value) for name, value in described.items() if name not in {"judgment", "notes"}}


def evaluate(
    history: LearningHistory,
    protocol: Protocol,
    divided: Split,
    ensemble: Ensemble,
    features: PointInTimeFeatures,
    *,
    seed: int,
    step: Step,
    thorough: bool = False,
    threads: int = 1,
) -> Evaluation:
    """Rank the courses of every test decision with the model and the baselines.

    Args:
        history: the log.
        protocol: named in the result.
        divided: what is known, and the decisions.
        ensemble: the ranker, which has seen none of the decisions.
        features: stored features as of each decision.
        seed: of tuning and resampling.
        step: draws progress.
        thorough: whether to compare with all baselines, which takes minutes, and not with the quick ones only.
        threads: how many may be used; the figures are the same with any.
    """
    rng = np.random.default_rng(seed)
    test = divided.test
    knowledge = Knowledge(history, history.interactions.select(test.known), threads=threads)
    similarities = history.similarities(test.known)
    ranks, settings = _baseline_ranks(history, divided, knowledge, rng, step=step, thorough=thorough)
    name = f"Ranking the held-out decisions ({protocol})"
    steps = curve_steps(ensemble.booster.num_boosted_rounds())
    varied = VariedLists(history.traits.topics, WEIGHTS if thorough else (), len(test.decisions), seed)
    advance = step(name, len(test.decisions))
    ranks["model"], lists, curve = model_ranks(
        history, test, similarities, ensemble, features, advance=advance, steps=steps, varied=varied, threads=threads
    )
    if test.until is not None:
        daily = replace(test, until=None)
        advance = step("Ranking them as of each day", len(test.decisions))
        ranks["model-daily"], *_ = model_ranks(
            history, daily, similarities, ensemble, features, advance=advance, threads=threads
        )
    figures, resampled = measured(ranks, rng)
    counts = np.bincount(knowledge.known.courses, minlength=knowledge.size)
    histories = decided(history, test, test.decisions)
    return Evaluation(
        protocol=protocol,
        learners=len(test.decisions),
        rankers=figures,
        retrieved=float(np.mean(ranks["model"] != NOT_RANKED)),
        settings={name: dict(setting) for name, setting in settings.items()},
        comparisons=tuple(
            compared(figures, resampled, "model", other) for other in ranks if not other.startswith("model")
        ),
        segments=_segments(history, test, ranks, seed),
        lists=list_quality(history, histories, lists, counts) if thorough else None,
        tradeoffs=varied.judged(history, test, counts),
        providers=provider_concentration(history, histories, lists, counts),
        cold_start=cold_start(history, test, counts, rng) if thorough else None,
        exploration_cost=exploration_cost(ranks["model"]),
        judgment=_judgment(history, protocol, test, ranks),
        notes=notes(curve, lists, int(history.published.sum())),
    )


def _judgment(history: LearningHistory, protocol: Protocol, test: Stage, ranks: dict[str, Integers]) -> Judgment:
    log, decisions = history.interactions, test.decisions
    return Judgment(
        protocol=protocol,
        as_of=-1 if test.until is None else test.until,
        learner_ids=history.learner_ids[log.learners[decisions]],
        course_ids=history.traits.course_ids[log.courses[decisions]],
        moments=log.moments[decisions],
        model=ranks["model"],
        popularity=ranks["popularity"],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _baseline_ranks(
    history: LearningHistory,
    divided: Split,
    knowledge: Knowledge,
    rng: np.random.Generator,
    *,
    step: Step,
    thorough: bool,
) -> tuple[dict[str, Integers], dict[str, Setting]]:
    names = tuple(CLASSICS) if thorough else QUICK
    validation = divided.validation
    earlier = Knowledge(history, history.interactions.select(validation.known), threads=knowledge.threads)
    best = tuned(names, earlier, validation, step("Tuning the baselines", len(names)))
    weights = blend(best, earlier, validation, rng) if thorough else None
    # What was fitted for tuning is large, and no longer needed.
    earlier.models.clear()
    advance = step("Ranking with the baselines", len(names) + (weights is not None))
    ranks = {}
    for name in names:
        ranks[name] = scorer_ranks(history, divided.test, CLASSICS[name].fit(knowledge, best[name]), knowledge.threads)
        advance(1)
    if weights is not None:
        ranks[BLEND] = scorer_ranks(history, divided.test, blended(best, weights, knowledge), knowledge.threads)
        advance(1)
    knowledge.models.clear()
    return ranks, best


def _segments(history: LearningHistory, test: Stage, ranks: dict[str, Integers], seed: int) -> tuple[Segment, ...]:
    found = []
    for name, mask in segments(history, test):
        chosen = {ranker: ranks[ranker][mask] for ranker in ("model", "popularity")}
        figures, _ = measured(chosen, np.random.default_rng(seed))
        model, baseline = figures["model"], figures["popularity"].ndcg
        ratio = model.ndcg / baseline if baseline else float("inf")
        found.append(Segment(name, int(mask.sum()), model.ndcg, baseline, ratio, model.low, model.high))
    return tuple(found)
