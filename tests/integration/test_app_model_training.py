"""A model's life: trained, registered, promoted or refused."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.model_training import TrainingData, TrainingOutcome, evaluate_model, train_model
from app.releases import list_releases, of_layout, promote
from core.clock import ManualClock
from core.errors import InputError, UnavailableError
from database.session import Database
from database.tables.audit import audit_log
from serving.artifact import load_release
from serving.ranker import as_microseconds
from tests.simulated_history import CountedFeatures, simulated_history
from training.distributions import Distributions
from training.release import Report, TrainingOptions
from training.split import Protocol

HISTORY = simulated_history()
DATA = TrainingData(HISTORY, CountedFeatures(HISTORY), "ranking_v1", "f1")
OPTIONS = TrainingOptions(threads=1, rounds=20)


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


async def trained(database: Database, folder: Path, clock: ManualClock) -> TrainingOutcome:
    """Train and register a release."""
    return await train_model(database, folder, DATA, clock=clock, options=OPTIONS, report=silent)


async def statuses(database: Database) -> dict[str, str]:
    """Return the status of every release."""
    return {row.version: row.status for row in await list_releases(database)}


async def test_the_first_release_that_beats_popularity_is_live(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Training writes, registers and audits it; what is registered is what can be loaded."""
    outcome = await trained(database, tmp_path, clock)
    (row,) = await list_releases(database)
    assert (True, outcome.version, "live", clock()) == (outcome.live, row.version, row.status, row.promoted_at)
    release = load_release(tmp_path / row.location, row.digest)
    assert ("ranking_v1", "f1") == (release.manifest.feature_service, release.manifest.data_fingerprint)
    assert outcome.evaluation.as_json() == release.manifest.metrics
    async with database.transaction() as connection:
        audited = (await connection.execute(select(audit_log.c.action, audit_log.c.subject_id))).all()
    assert [("promoteRelease", outcome.version)] == audited


async def test_the_same_model_again_is_a_candidate_and_not_promoted(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """A release that is only as good as the live one stays a candidate."""
    first = await trained(database, tmp_path, clock)
    clock.now = clock.now.replace(hour=13)
    second = await trained(database, tmp_path, clock)
    assert {first.version: "live", second.version: "candidate"} == await statuses(database)
    with pytest.raises(InputError, match=r"NDCG@10 is .* may be chance\. Use --force"):
        await promote(database, tmp_path, second.version, force=False, reason=None, now=clock())


async def test_release_that_cannot_be_written_is_told_and_not_registered(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """In one line: the disk is full, or something else is in its place."""
    (tmp_path / "models").write_bytes(b"")
    data = replace(DATA, history=simulated_history(learners=120))
    options = replace(OPTIONS, rounds=2)
    with pytest.raises(UnavailableError, match=r"cannot be written below .*: File exists\. The same command"):
        await train_model(database, tmp_path / "models", data, clock=clock, options=options, report=silent)
    assert [] == await list_releases(database)


async def test_evaluating_registers_nothing(database: Database) -> None:
    """An evaluation is a table, and no release."""
    evaluation = await evaluate_model(DATA, Protocol.TIME_SPLIT, OPTIONS, silent)
    assert evaluation.learners > 0
    assert {} == await statuses(database)


async def test_an_evaluation_that_is_interrupted_ends_at_its_next_report() -> None:
    """Ctrl-C waits for its thread, which has nothing more to compute, and not for minutes."""
    began, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def report(step: str, _done: int, _total: int) -> None:
        told.append(step)
        began.set()
        go_on.wait()

    waiting = asyncio.ensure_future(evaluate_model(DATA, Protocol.TIME_SPLIT, OPTIONS, report))
    await asyncio.to_thread(began.wait)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert 1 == len(told)


async def test_a_range_is_recorded_and_nothing_after_it_is_known(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """The manifest says what was asked for; the log ends before it; before everything there is nothing to train on."""
    moments = HISTORY.interactions.moments
    since, until = (int(each) for each in np.quantile(moments, [0.3, 0.8]))
    asked: list[datetime] = []

    def record(moment: datetime) -> Distributions:
        asked.append(moment)
        return Distributions(as_of=moment, features={})

    outcome = await train_model(
        database,
        tmp_path,
        replace(DATA, record=record).known_before(until),
        clock=clock,
        options=replace(OPTIONS, since=since),
        report=silent,
    )
    (row,) = await list_releases(database)
    manifest = load_release(tmp_path / row.location, row.digest).manifest
    assert outcome.version == manifest.version
    assert manifest.since is not None
    assert manifest.until is not None
    assert [since, until] == as_microseconds([manifest.since, manifest.until]).tolist()
    assert [manifest.trained_until] == asked
    assert manifest.trained_until < manifest.until
    assert moments[moments < until].max() == as_microseconds([manifest.trained_until])[0]
    with pytest.raises(InputError, match="no enrollment is that old"):
        DATA.known_before(int(moments.min()))


async def test_releases_of_a_layout_are_found_by_their_files(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Exposures are read of releases whose columns mean what ours do; nobody knows that of one without files."""
    history = simulated_history(learners=120)
    outcome = await train_model(
        database,
        tmp_path,
        TrainingData(history, CountedFeatures(history), "ranking_v1", "f1"),
        clock=clock,
        options=replace(OPTIONS, rounds=2),
        report=silent,
    )
    digest = DATA.features.layout.digest
    assert {outcome.version} == await of_layout(database, tmp_path, digest)
    assert set() == await of_layout(database, tmp_path, "another")
    assert set() == await of_layout(database, tmp_path / "elsewhere", digest)


async def test_an_interrupted_training_gives_the_release_it_would_have_given(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Ended at a report, gone on with, the digests of the files are those of a training that nobody interrupted."""
    history, working_dir = simulated_history(learners=120), tmp_path / "training"
    data = TrainingData(history, CountedFeatures(history), "ranking_v1", "f1", tables="t")

    def ended(step: str, _done: int, _total: int) -> None:
        if step.startswith("Ranking them"):
            raise InputError(step)

    async def again(told: Report, working_dir: Path | None = working_dir) -> TrainingOutcome:
        return await train_model(
            database,
            tmp_path / "models",
            data,
            clock=clock,
            options=replace(OPTIONS, rounds=5),
            report=told,
            working_dir=working_dir,
        )

    uninterrupted = await again(silent, working_dir=None)
    with pytest.raises(InputError, match="Ranking them"):
        await again(ended)
    clock.now = clock.now.replace(hour=14)
    resumed = await again(silent)
    assert (0, 1) == (uninterrupted.resumed, resumed.resumed)
    assert ["lock"] == [path.name for path in working_dir.iterdir()]
    files = [
        load_release(tmp_path / "models" / row.location, row.digest).manifest.files
        for row in await list_releases(database)
    ]
    assert files[0] == files[1]
