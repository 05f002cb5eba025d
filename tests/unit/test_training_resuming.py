"""A training that was interrupted goes on where it was, and gives the release that it would have given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from features.interactions import Integers
from tests.simulated_history import CountedFeatures, simulated_history
from training.history import LearningHistory
from training.parts import evaluation_as_arrays, evaluation_of
from training.release import TrainedModel, TrainingOptions, judge, train
from training.split import Protocol
from training.working import NOTHING, Parts, as_text, of_text, work_key, working

ROOT = Path(__file__).resolve().parents[2]
HISTORY = simulated_history(learners=120)
OPTIONS = TrainingOptions(seed=3, threads=1, rounds=8)


class StoppedError(Exception):
    """The training was ended from outside."""


def interrupted(folder: Path, work: Callable[[Parts], object], key: str = "key") -> None:
    """Do some work, and end before the training does."""

    def ended() -> None:
        with working(folder, key) as parts:
            work(parts)
            raise StoppedError

    with pytest.raises(StoppedError):
        ended()


class Counted(CountedFeatures):
    """Stored features that count how often they are asked for."""

    asked = 0

    def read_learners(self, learner_ids: Integers, moments: Integers) -> np.ndarray:
        """Return what there is."""
        self.asked += 1
        return super().read_learners(learner_ids, moments)


def trained(parts: Parts = NOTHING, last: int = 0, kill_at: str = "") -> TrainedModel:
    """Train; stop at the last report of progress that is asked for, or kill the process at a step."""
    calls = 0

    def report(step: str, _done: int, _total: int) -> None:
        nonlocal calls
        calls += 1
        if kill_at and step.startswith(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        if calls == last:
            raise StoppedError

    return train(HISTORY, CountedFeatures(HISTORY), OPTIONS, report, parts=parts)


@cache
def whole() -> tuple[bytes, ...]:
    """Return what a training gives that nobody interrupted."""
    return told(trained())


def told(model: TrainedModel) -> tuple[bytes, ...]:
    """Return every byte of what a release is made of."""
    evaluation = model.evaluation
    assert evaluation.judgment is not None
    assert evaluation.notes is not None
    matrices, network = model.similarities.matrices.values(), model.ensemble.network
    return (
        bytes(model.ensemble.booster.save_raw("ubj")),
        *(bytes(each) for each in (network.arrays.values() if network is not None else ())),
        *(bytes(part) for each in matrices for part in (each.data, each.indices, each.indptr)),
        evaluation.judgment.packed(),
        evaluation.notes.packed(),
        repr((evaluation.as_json(), model.decisions, model.defaults)).encode(),
    )


@cache
def reports() -> int:
    """Return how many reports a training makes."""
    count = 0

    def counted(_step: str, _done: int, _total: int) -> None:
        nonlocal count
        count += 1

    train(HISTORY, CountedFeatures(HISTORY), OPTIONS, counted)
    return count


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.75])
def test_what_was_interrupted_goes_on_to_the_same_release(tmp_path: Path, share: float) -> None:
    """Wherever it stops, and stops again, the bytes are those of a training that did not, and nothing is left."""
    for last in (max(1, int(reports() * share)), 2):
        interrupted(tmp_path, partial(trained, last=last))
    with working(tmp_path, "key") as parts:
        assert whole() == told(trained(parts))
        assert bool(parts.found) == (share > 0.05)
    assert ["lock"] == [path.name for path in tmp_path.iterdir()]


def test_a_killed_process_is_gone_on_from(tmp_path: Path) -> None:
    """SIGKILL leaves no time to tidy up; what had been finished by then counts."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.unit.test_training_resuming import trained, working\n"
        "with working(Path(sys.argv[1]), 'key') as parts:\n"
        "    trained(parts, kill_at='Ranking the held-out')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, env=dict(os.environ), check=False)
    assert -signal.SIGKILL == done.returncode
    with working(tmp_path, "key") as parts:
        assert whole() == told(trained(parts))
        assert {"judge-ranker"} == parts.found


def test_finished_parts_are_not_made_again(tmp_path: Path) -> None:
    """After the evaluation only the fit on everything is left, which asks the feature store; after that nothing is."""
    features = Counted(HISTORY)
    interrupted(tmp_path, lambda parts: train(HISTORY, features, OPTIONS, lambda *_: None, parts=parts))
    asked = features.asked
    assert asked > 0
    # Examples are most of what is kept: those that a ranker was fitted on are gone.
    kept = {f"{name}.part" for name in ("judge-ranker", "judge-evaluation", "fit-ranker", "fit-similarities")}
    assert kept == {path.name for path in (tmp_path / "key").iterdir()}
    with working(tmp_path, "key") as parts:
        train(HISTORY, features, OPTIONS, lambda *_: None, parts=parts)
        assert {"judge-evaluation", "fit-ranker", "fit-similarities"} == parts.found
    assert asked == features.asked


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone", "pickled"])
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: str) -> None:
    """What is not to the last bit what was kept counts for nothing."""
    parts = Parts(tmp_path)
    parts.keep("one", {"a": np.arange(5)})
    assert [0, 1, 2, 3, 4] == (parts.kept("one") or {})["a"].tolist()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-30] ^= 1
    elif damage == "cut":
        del content[-1]
    elif damage == "empty":
        content.clear()
    path.write_bytes(content)
    if damage == "gone":
        path.unlink()
    if damage == "pickled":
        with pytest.raises(ValueError, match="Object arrays"):
            parts.keep("one", {"a": np.array([{}], object)})
        assert (parts.kept("one") or {})["a"].tolist() == [0, 1, 2, 3, 4]
        return
    assert parts.kept("one") is None
    assert parts.kept("two") is None


def test_another_training_takes_the_place_of_what_does_not_match(tmp_path: Path) -> None:
    """Parts of another key are deleted by the next training; one that runs meanwhile keeps nothing of its own."""
    interrupted(tmp_path, lambda parts: parts.keep("one", {"a": np.arange(5)}), "old")
    assert (tmp_path / "old" / "one.part").exists()
    with working(tmp_path, "new") as parts:
        assert not (tmp_path / "old").exists()
        with working(tmp_path, "other") as others:
            others.keep("one", {"a": np.arange(5)})
            assert others.kept("one") is None
        assert parts.kept("one") is None
    assert ["lock"] == [path.name for path in tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_costs_no_training(tmp_path: Path) -> None:
    """Parts are a convenience: without a folder, or when it vanishes, nothing is kept and nothing is raised."""
    (tmp_path / "file").write_text("")
    with working(tmp_path / "file", "key") as parts:
        assert parts is NOTHING
    with working(tmp_path / "folder", "key") as parts:
        (tmp_path / "folder" / "key").rmdir()
        parts.keep("one", {"a": np.arange(5)})
        assert parts.kept("one") is None


def test_whatever_determines_a_training_is_in_its_key() -> None:
    """Another course, moment, seed, range or digest is another training; the same again is the same."""
    log = HISTORY.interactions

    def key(history: LearningHistory = HISTORY, options: TrainingOptions = OPTIONS, tables: str = "t") -> str:
        return work_key("lake", tables, history, None, options)

    moved = replace(log, moments=log.moments + 1)
    kinds = {
        key(),
        key(tables="u"),
        key(options=replace(OPTIONS, seed=4)),
        key(options=replace(OPTIONS, rounds=9)),
        key(options=replace(OPTIONS, since=0)),
        key(replace(HISTORY, interactions=moved)),
        key(replace(HISTORY, published=~HISTORY.published)),
        key(replace(HISTORY, traits=replace(HISTORY.traits, topics=HISTORY.traits.topics * 2))),
        work_key({"a": 1}),
        work_key({"a": (1,)}),
        work_key(np.arange(2)),
        work_key(np.arange(2, dtype=np.int32)),
    }
    assert 12 == len(kinds)
    with pytest.raises(TypeError, match="object"):
        work_key(object())
    assert key() == work_key("lake", "t", simulated_history(learners=120), None, replace(OPTIONS))


def test_every_figure_of_an_evaluation_survives() -> None:
    """Infinite ratios, lists, new learners and curves too; random numbers go on where they were."""
    evaluation = judge(HISTORY, CountedFeatures(HISTORY), Protocol.LEAVE_LAST_OUT, OPTIONS, lambda *_: None)
    first, *others = evaluation.comparisons
    evaluation = replace(evaluation, comparisons=(replace(first, ratio=float("inf")), *others))
    again = evaluation_of(evaluation_as_arrays(evaluation))
    assert evaluation == again
    assert evaluation.as_json() == again.as_json()
    assert evaluation.notes == again.notes
    rng, other = np.random.default_rng(1), np.random.default_rng(2)
    other.bit_generator.state = of_text(as_text(rng.bit_generator.state))
    assert rng.random() == other.random()
