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
from training.dataset import Examples, examples
from training.evaluate import Evaluation
from training.lists import first_ten, list_quality
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


def test_figures_are_those_of_lists_arranged_one_by_one() -> None:
    """Without weight the model's own; with it, the course that was taken stands where the varied list has it."""
    varied = VariedLists(HISTORY.traits.topics, WEIGHTS)
    varied.add(PART, SCORES)
    found = varied.judged(HISTORY, HISTORIES, COUNTS)
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


def test_variety_is_bought_with_accuracy() -> None:
    """The more weight, the more diverse the lists are."""
    varied = VariedLists(HISTORY.traits.topics, (0.0, 0.2, 1.0))
    varied.add(PART, SCORES)
    found = varied.judged(HISTORY, HISTORIES, COUNTS)
    diversities = [each.lists.diversity for each in found]
    assert diversities == sorted(diversities)
    assert diversities[0] + 0.05 < diversities[-1]
    assert found[-1].ndcg < found[0].ndcg


def test_nothing_asked_is_nothing_measured() -> None:
    """Without weights, and without decisions."""
    none = VariedLists(HISTORY.traits.topics, ())
    none.add(PART, SCORES)
    assert () == none.judged(HISTORY, HISTORIES, COUNTS)
    empty = VariedLists(HISTORY.traits.topics, (0.1,))
    nothing = np.empty(0, np.int64)
    part = Examples(nothing, nothing, nothing, nothing, nothing.astype(np.bool_), np.empty((0, 1), np.float32))
    empty.add(part, np.empty(0, np.float32))
    (found,) = empty.judged(HISTORY, HISTORIES, COUNTS)
    assert (0.0, 0.0) == (found.ndcg, found.lists.coverage)


def test_tables_tell_tradeoffs_and_providers() -> None:
    """A line a weight with what is kept of NDCG, a line a kind of lists; without instructors no table of them."""
    varied = VariedLists(HISTORY.traits.topics, WEIGHTS)
    varied.add(PART, SCORES)
    lists = first_ten(PART.rows, PART.columns, SCORES, len(PART.decisions))
    taught = membership([[place % 7] for place in range(len(HISTORY.traits))], np.arange(7))
    providers = provider_concentration(replace(HISTORY, providers=taught), HISTORIES, lists, COUNTS)
    tradeoffs = varied.judged(HISTORY, HISTORIES, COUNTS)
    figures = {name: Metrics(0.1, 0.2, 0.1, 0.3) for name in ("model", "popularity")}
    evaluation = Evaluation(Protocol.TIME_SPLIT, 9, figures, 0.5, tradeoffs=tradeoffs, providers=providers)
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
