"""A model from history to a release that serving loads, and what serving refuses to load."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError, ReleaseError
from serving.artifact import (
    MANIFEST,
    NETWORK,
    RANKER,
    RETRIEVERS,
    ReleaseManifest,
    load_release,
    rewrite_release,
    verify_release,
    write_release,
)
from serving.ensembles import Scorer
from tests.simulated_history import CountedFeatures, simulated_history
from training import baselines, dataset, factors
from training.baselines import CLASSICS
from training.evaluate import BLEND
from training.metrics import NOT_RANKED, compared, gains, measured, ranks_among
from training.release import TrainedModel, TrainingOptions, judge, save, train
from training.split import Protocol

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HISTORY = simulated_history()
FEATURES = CountedFeatures(HISTORY)
OPTIONS = TrainingOptions(seed=3, threads=1, rounds=30)


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


@cache
def trained() -> TrainedModel:
    """Return a model of the simulated platform."""
    return train(HISTORY, FEATURES, OPTIONS, silent)


def saved(folder: Path) -> tuple[ReleaseManifest, str]:
    """Write the release."""
    return save(folder, trained(), HISTORY, FEATURES, service="ranking_v1", fingerprint="f1", options=OPTIONS, now=NOW)


def test_the_model_beats_the_baselines_where_sequences_matter() -> None:
    """On a platform where the next course follows from the last, ranking learns it and popularity does not."""
    evaluation = trained().evaluation
    model, baseline = evaluation.rankers["model"], evaluation.rankers["popularity"]
    assert evaluation.learners > 20
    assert model.ndcg > 2 * baseline.ndcg
    assert model.ndcg > evaluation.rankers["item-knn"].ndcg
    assert evaluation.gain == model.ndcg / baseline.ndcg


def test_training_twice_gives_the_same_model() -> None:
    """With the same data and seed every byte of the ranker is the same."""
    again = train(HISTORY, FEATURES, OPTIONS, silent)
    assert trained().ensemble.booster.save_raw() == again.ensemble.booster.save_raw()
    first, second = (each.ensemble.network for each in (trained(), again))
    assert first is not None
    assert second is not None
    for name, values in first.arrays.items():
        np.testing.assert_array_equal(values, second.arrays[name])
    assert trained().evaluation == again.evaluation


@pytest.mark.parametrize("protocol", list(Protocol))
def test_figures_do_not_depend_on_the_number_of_threads(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are worked on side by side, and their results taken in order; with many chunks nothing changes."""
    monkeypatch.setattr(dataset, "_FRAME", 5)
    monkeypatch.setattr(baselines, "_CHUNK", 5)
    monkeypatch.setattr(factors, "_CHUNK", 7)
    one, three = (judge(HISTORY, FEATURES, protocol, replace(OPTIONS, threads=threads), silent) for threads in (1, 3))
    assert one.as_json() == three.as_json()
    assert one.judgment is not None
    assert three.judgment is not None
    np.testing.assert_array_equal(one.judgment.model, three.judgment.model)
    assert one.notes == three.notes


def test_a_ranking_that_is_interrupted_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor while somebody holds the failure, and with it whatever its variables held."""
    monkeypatch.setattr(dataset, "_FRAME", 5)

    def stop(step: str, done: int, _total: int) -> None:
        if step.startswith("Ranking the held-out decisions") and done:
            raise InterruptedError

    with pytest.raises(InterruptedError) as failure:
        judge(HISTORY, FEATURES, Protocol.TIME_SPLIT, replace(OPTIONS, threads=3, rounds=2), stop, thorough=False)
    assert failure.tb is not None
    assert not [each for each in threading.enumerate() if each.name.startswith(("training", "similarities"))]


def test_progress_of_each_step_ends_at_its_total() -> None:
    """Whoever watches sees every step to its end."""
    seen: dict[str, tuple[int, int]] = {}

    def report(step: str, done: int, total: int) -> None:
        seen[step] = (done, total)

    evaluation = judge(HISTORY, FEATURES, Protocol.LEAVE_LAST_OUT, OPTIONS, report)
    assert 5 == len(seen)
    assert all(done == total > 0 for done, total in seen.values())
    assert Protocol.LEAVE_LAST_OUT.value == evaluation.as_json()["protocol"]
    assert json.loads(json.dumps(evaluation.as_json()))["rankers"]["model"]["ndcg"] > 0


def test_too_little_history_is_refused_with_its_size() -> None:
    """Nobody can learn from two learners, and the message says what there is."""
    with pytest.raises(InputError, match="decisions"):
        train(simulated_history(learners=2), FEATURES, OPTIONS, silent)
    with pytest.raises(InputError, match="too few for time-split"):
        train(simulated_history(learners=0), FEATURES, OPTIONS, silent)


def test_a_release_is_loaded_as_it_was_written(tmp_path: Path) -> None:
    """Scores, similarities and the description survive the way through the disk."""
    manifest, digest = saved(tmp_path)
    release = load_release(tmp_path / manifest.version, digest)
    assert manifest.model_copy(update={"files": release.manifest.files}) == release.manifest
    assert FEATURES.layout == release.layout
    for name, ours in trained().similarities.matrices.items():
        np.testing.assert_array_equal(ours.toarray(), release.similarities.matrices[name].toarray())
    for name, table in trained().similarities.towers.tables.items():
        np.testing.assert_array_equal(table, release.similarities.towers.tables[name])
    rows = np.random.default_rng(1).random((9, len(release.layout.names)), dtype=np.float32)
    expected = Scorer(trained().ensemble).scores(rows)
    np.testing.assert_array_equal(expected, Scorer(release.ensemble).scores(rows))
    assert expected.tolist() != release.ensemble.booster.inplace_predict(rows).tolist()
    assert [manifest.version] == [path.name for path in tmp_path.iterdir()]


def test_release_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Half of it would fill a disk that is full, and nobody would ever look for it."""
    manifest, digest = saved(tmp_path)
    release = load_release(tmp_path / manifest.version, digest)
    parts = (release.manifest, release.ensemble, release.course_ids, release.similarities)
    with pytest.raises(FileNotFoundError):
        write_release(tmp_path / "other", *parts, extras={"first": b"written", "absent/second": b"not written"})
    with pytest.raises(FileNotFoundError):
        rewrite_release(tmp_path / manifest.version, digest, tmp_path / "other", {"absent/second": b"not written"})
    assert [manifest.version] == [path.name for path in tmp_path.iterdir()]
    verify_release(tmp_path / manifest.version, digest)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [MANIFEST, RANKER, NETWORK, RETRIEVERS])
@pytest.mark.parametrize("damage", [_cut, _flipped, Path.unlink])
def test_a_damaged_release_is_refused(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    """A missing, truncated or changed file is noticed before anything is parsed."""
    manifest, digest = saved(tmp_path)
    damage(tmp_path / manifest.version / name)
    with pytest.raises(ReleaseError, match=r"damaged|cannot be read"):
        load_release(tmp_path / manifest.version, digest)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "format"),
        ({"course_features": ["course_renamed"]}, "other features"),
        ({"vector_digest": "0"}, "other features"),
        ({"files": {}}, "lacks a file"),
    ],
)
def test_a_release_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    """A manifest with a right digest still has to describe what this code computes."""
    manifest, _ = saved(tmp_path)
    path = tmp_path / manifest.version / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ReleaseError, match=reason):
        load_release(tmp_path / manifest.version, _digest(path))


@pytest.mark.parametrize("name", [RANKER, NETWORK, RETRIEVERS])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    """Even with right digests, what cannot be parsed is an error of its own and no crash."""
    manifest, _ = saved(tmp_path)
    folder = tmp_path / manifest.version
    (folder / name).write_bytes(b"{}")
    described = json.loads((folder / MANIFEST).read_text())
    described["files"][name] = _digest(folder / name)
    (folder / MANIFEST).write_text(json.dumps(described))
    with pytest.raises(ReleaseError, match="cannot be read"):
        load_release(folder, _digest(folder / MANIFEST))


def _digest(path: Path) -> str:

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_draft_that_was_left_behind_does_not_matter(tmp_path: Path) -> None:
    """After a crash while writing, the same release can be written again."""
    draft = tmp_path / f".{NOW:%Y%m%dT%H%M%S%f}Z.draft"
    draft.mkdir()
    (draft / RANKER).write_bytes(b"half")
    manifest, digest = saved(tmp_path)
    assert manifest.version == load_release(tmp_path / manifest.version, digest).manifest.version
    assert not draft.exists()


def test_ties_count_against_the_target_and_taken_courses_do_not_count() -> None:
    """A target that ties with two others is third; one that may not be shown has no rank."""
    scores = np.array([[1.0, 1.0, 1.0, 0.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    eligible = np.array([[True, True, True, True, False], [True, True, True, True, False]])
    assert [3, NOT_RANKED] == ranks_among(scores, np.array([1, 4]), eligible).tolist()


def test_metrics_are_of_the_first_ten() -> None:
    """Rank 1 gains 1, rank 3 a half, rank 11 and no rank nothing."""
    figures, _ = measured({"model": np.array([1, 3, 11, NOT_RANKED])}, np.random.default_rng(1))
    found = figures["model"]
    assert (0.5, 0.375) == (found.hit_rate, found.ndcg)
    assert 0.0 <= found.low < found.ndcg < found.high < 1.0


def test_comparisons_are_paired() -> None:
    """A ranker that is better by half on each learner is so in every resample; without a baseline it is infinite."""
    ranks = {"good": np.array([1, 1, 1, 1]), "worse": np.array([3, 3, 3, 3]), "none": np.full(4, NOT_RANKED)}
    figures, resampled = measured(ranks, np.random.default_rng(1))
    found = compared(figures, resampled, "good", "worse")
    assert (2.0, 2.0, 2.0) == (found.ratio, found.low, found.high)
    assert np.inf == compared(figures, resampled, "good", "none").ratio
    assert [1.0, 0.5, 0.0] == [float(gains(each)[0]) for each in ranks.values()]


def test_every_classic_is_tuned_and_compared() -> None:
    """A thorough evaluation knows the strong models, their settings, segments, lists and new learners."""
    evaluation = judge(HISTORY, FEATURES, Protocol.TIME_SPLIT, OPTIONS, silent)
    assert {*CLASSICS, BLEND, "model", "model-daily"} == evaluation.rankers.keys()
    assert {*CLASSICS, BLEND} == {each.baseline for each in evaluation.comparisons}
    assert evaluation.settings["ease-recency"]["ridge"] in {50.0, 100.0, 200.0, 400.0}
    assert all(each.low <= each.ratio <= each.high for each in evaluation.comparisons)
    # Who stays in a topic and in a series is found by what is taken together; popularity knows nothing of either.
    for name in ("item-knn", "als", "ease", "ease-recency", "transitions", BLEND):
        assert evaluation.rankers[name].ndcg > 1.5 * evaluation.rankers["popularity"].ndcg, name
    assert evaluation.lists is not None
    assert 0.3 < evaluation.lists.coverage <= 1.0
    assert evaluation.cold_start is not None
    assert evaluation.cold_start.ratio > 1.5
