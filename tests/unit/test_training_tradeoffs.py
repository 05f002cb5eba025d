"""What variety costs: measured by the arrangement that serving uses, from the model's own figures on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from app.cli.evaluations import print_evaluation
from features.similarity import fit_similarities, membership
from serving.diversity import diverse_places, likeness_of
from tests.simulated_history import simulated_history
from training import tradeoffs
from training.dataset import Examples, examples
from training.evaluate import Evaluation
from training.lists import NO_COURSE, first_ten, list_quality
from training.metrics import Metrics, gains
from training.providers import provider_concentration
from training.split import Protocol, decided, split
from training.tradeoffs import WEIGHTS, VariedLists

HISTORY = simulated_history()
TEST = split(HISTORY, Protocol.TIME_SPLIT, np.random.default_rng(1)).test
SIMILARITIES = fit_similarities(HISTORY.interactions.select(TEST.known), len(HISTORY.traits))
(PART,) = examples(HISTORY, TEST, SIMILARITIES)
COUNTS = np.bincount(HISTORY.interactions.courses, minlength=len(HISTORY.traits))
# Some candidates tie, as they do where nothing is known of them.
SCORES = np.round(PART.pair[:, 0] + PART.pair[:, 16] / 100, 1)
HISTORIES = decided(HISTORY, TEST, TEST.decisions)
COUNT = len(TEST.decisions)


def test_figures_are_those_of_lists_arranged_one_by_one() -> None:
    """Without weight the model's own; with it, the course that was taken stands where the varied list has it."""
    varied = VariedLists(HISTORY.traits.topics, WEIGHTS, COUNT, 7)
    varied.add(PART, SCORES)
    found = varied.judged(HISTORY, TEST, COUNTS)
    assert list(WEIGHTS) == [each.weight for each in found]
    plain = first_ten(PART.rows, PART.columns, SCORES, len(PART.decisions))
    assert found[0].lists.coverage == pytest.approx(list_quality(HISTORY, HISTORIES, plain, COUNTS).coverage, abs=0.1)
    topics = HISTORY.traits.topics
    for each in found:
        assert each.ndcg == pytest.approx(
            np.mean([_gain(row, each.weight, topics) for row in range(len(TEST.decisions))])
        )


def _gain(row: int, weight: float, topics: object) -> float:
    rows = np.flatnonzero(PART.rows == row)
    ordered = sorted(rows.tolist(), key=lambda one: (-SCORES[one], PART.taken[one], PART.columns[one]))
    sets = [frozenset(topics[[PART.columns[one]]].indices.tolist()) for one in ordered]  # type: ignore[index]
    places = diverse_places(likeness_of(sets), weight)
    taken = [PART.taken[ordered[place]] for place in places]
    return float(gains(np.array([taken.index(True) + 1]))[0]) if any(taken) else 0.0


def test_of_many_decisions_a_sample_is_arranged_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ones with any weight and in any parts; the figures are those of these decisions, the table says so."""
    monkeypatch.setattr(tradeoffs, "MOST", 12)
    varied = VariedLists(HISTORY.traits.topics, WEIGHTS, COUNT, 7)
    halves = [np.arange(COUNT) < COUNT // 2, np.arange(COUNT) >= COUNT // 2]
    for half in halves:
        within = half[PART.rows]
        rows = PART.rows[within] - PART.rows[within].min()
        part = replace(
            PART, decisions=PART.decisions[half], rows=rows, columns=PART.columns[within], taken=PART.taken[within]
        )
        varied.add(part, SCORES[within])
    found = varied.judged(HISTORY, TEST, COUNTS)
    chosen = np.sort(np.random.default_rng(7).choice(COUNT, 12, replace=False)).tolist()
    for each in found:
        assert each.decisions == 12
        assert each.ndcg == pytest.approx(np.mean([_gain(row, each.weight, HISTORY.traits.topics) for row in chosen]))
        assert each.low <= each.ndcg <= each.high
    figures = {name: Metrics(0.1, 0.2, 0.1, 0.3) for name in ("model", "popularity")}
    assert "12 of them, drawn" in printed(Evaluation(Protocol.TIME_SPLIT, COUNT, figures, 0.5, tradeoffs=found))


def test_lists_are_judged_by_their_definitions() -> None:
    """All at once as one by one: 1 - cosine of each pair of a list, divergence of its topics from the history's."""
    lists = first_ten(PART.rows, PART.columns, SCORES, COUNT)
    lists[0, 3:], lists[1] = NO_COURSE, NO_COURSE
    found = list_quality(HISTORY, HISTORIES, lists, COUNTS)
    content, topics = HISTORY.traits.content.toarray(), HISTORY.traits.topics.toarray()
    apart, divergences = [], []
    for row, one in enumerate(lists):
        courses = one[one != NO_COURSE]
        apart += [1 - content[ours] @ content[theirs] for ours in courses for theirs in courses if ours != theirs]
        before = HISTORIES.courses[HISTORIES.offsets[row] : HISTORIES.offsets[row + 1]]
        if len(courses):
            ours, theirs = (topics[each].sum(axis=0) / topics[each].sum() for each in (courses, before))
            middle = (ours + theirs) / 2
            halves = [np.sum(one[one > 0] * np.log2(one[one > 0] / middle[one > 0])) for one in (ours, theirs)]
            divergences.append(sum(halves) / 2)
    assert found.diversity == pytest.approx(np.mean(apart), rel=1e-5)
    assert found.calibration == pytest.approx(np.mean(divergences))
    bare = replace(HISTORY, traits=replace(HISTORY.traits, topics=membership([[]] * len(HISTORY.traits), np.arange(0))))
    assert 0.0 == list_quality(bare, HISTORIES, lists, COUNTS).calibration


def test_variety_is_bought_with_accuracy() -> None:
    """The more weight, the more diverse the lists are."""
    varied = VariedLists(HISTORY.traits.topics, (0.0, 0.2, 1.0), COUNT, 7)
    varied.add(PART, SCORES)
    found = varied.judged(HISTORY, TEST, COUNTS)
    diversities = [each.lists.diversity for each in found]
    assert diversities == sorted(diversities)
    assert diversities[0] + 0.05 < diversities[-1]
    assert found[-1].ndcg < found[0].ndcg


def test_nothing_asked_is_nothing_measured() -> None:
    """Without weights, and without decisions."""
    none = VariedLists(HISTORY.traits.topics, (), COUNT, 7)
    none.add(PART, SCORES)
    assert () == none.judged(HISTORY, TEST, COUNTS)
    empty = VariedLists(HISTORY.traits.topics, (0.1,), 0, 7)
    nothing = np.empty(0, np.int64)
    part = Examples(nothing, nothing, nothing, nothing, nothing.astype(np.bool_), np.empty((0, 1), np.float32))
    empty.add(part, np.empty(0, np.float32))
    (found,) = empty.judged(HISTORY, TEST, COUNTS)
    assert (0.0, 0.0) == (found.ndcg, found.lists.coverage)


def test_tables_tell_tradeoffs_and_providers() -> None:
    """A line a weight with what is kept of NDCG, a line a kind of lists; without instructors no table of them."""
    varied = VariedLists(HISTORY.traits.topics, WEIGHTS, COUNT, 7)
    varied.add(PART, SCORES)
    lists = first_ten(PART.rows, PART.columns, SCORES, len(PART.decisions))
    taught = membership([[place % 7] for place in range(len(HISTORY.traits))], np.arange(7))
    providers = provider_concentration(replace(HISTORY, providers=taught), HISTORIES, lists, COUNTS)
    varieties = varied.judged(HISTORY, TEST, COUNTS)
    figures = {name: Metrics(0.1, 0.2, 0.1, 0.3) for name in ("model", "popularity")}
    evaluation = Evaluation(Protocol.TIME_SPLIT, 9, figures, 0.5, tradeoffs=varieties, providers=providers)
    told = printed(evaluation)
    assert "WAYMARK_RANKING__DIVERSITY" in told
    assert "100.0%" in told
    assert "Places of 7 instructors" in told
    assert "catalog" in told
    assert len(WEIGHTS) == len(evaluation.as_json()["tradeoffs"])
    assert 7 == evaluation.as_json()["providers"]["providers"]
    bare = replace(evaluation, tradeoffs=(), providers=None)
    assert "instructors" not in printed(bare)
    assert "DIVERSITY" not in printed(bare)
    assert bare.as_json()["providers"] is None


def printed(evaluation: Evaluation) -> str:
    """Return what the command prints."""
    console = Console(width=120)
    with console.capture() as captured:
        print_evaluation(console, evaluation)
    return captured.get()
