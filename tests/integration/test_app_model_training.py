"""A model's life: trained, registered, promoted or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from app.model_training import TrainingData, TrainingOutcome, evaluate_model, list_releases, promote, train_model
from core.clock import ManualClock
from core.errors import InputError
from database.queries import releases
from database.session import Database
from database.tables.audit import audit_log
from serving.artifact import load_release
from tests.simulated_history import CountedFeatures, simulated_history
from training.release import TrainingOptions
from training.split import Protocol

HISTORY = simulated_history()
DATA = TrainingData(HISTORY, CountedFeatures(HISTORY), "ranking_v1", "f1")
OPTIONS = TrainingOptions(threads=1, rounds=20)


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


async def trained(database: Database, folder: Path, clock: ManualClock) -> TrainingOutcome:
    """Train and register a release."""
    return await train_model(database, folder, DATA, clock=clock, options=OPTIONS, report=silent)


async def register(database: Database, clock: ManualClock, version: str, ndcg: float, **metrics: object) -> None:
    """Register a release with these figures and no files."""
    rankers = {"model": {"ndcg": ndcg}, "popularity": {"ndcg": 0.1}}
    described = {"protocol": "time-split", "learners": 9, "data_fingerprint": "f1", "rankers": rankers, **metrics}
    row = {
        "version": version,
        "location": version,
        "digest": "",
        "feature_service": "ranking_v1",
        "metrics": described,
        "training_rows": 1,
        "created_at": clock(),
    }
    async with database.transaction() as connection:
        await releases.register(connection, row)


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
    with pytest.raises(InputError, match=r"NDCG@10 is .* Use --force"):
        await promote(database, second.version, force=False, reason=None, now=clock())


async def test_a_better_release_replaces_the_live_one(database: Database, clock: ManualClock) -> None:
    """Promotion retires the one before, in one transaction."""
    await register(database, clock, "a", 0.2)
    await register(database, clock, "b", 0.3)
    await promote(database, "a", force=False, reason=None, now=clock())
    await promote(database, "b", force=False, reason=None, now=clock())
    assert {"a": "retired", "b": "live"} == await statuses(database)


@pytest.mark.parametrize(
    ("ndcg", "metrics", "reason"),
    [
        (0.2, {}, "live release is 0.2"),
        (0.9, {"data_fingerprint": "f2"}, "other data"),
        (0.9, {"protocol": "leave-last-out"}, "other data"),
        (0.9, {"learners": 8}, "other data"),
    ],
)
async def test_a_release_that_does_not_beat_the_live_one_needs_force(
    database: Database, clock: ManualClock, ndcg: float, metrics: dict[str, object], reason: str
) -> None:
    """It is refused with the figures; forced, it goes live and the reason is kept with it."""
    await register(database, clock, "a", 0.2)
    await promote(database, "a", force=False, reason=None, now=clock())
    await register(database, clock, "b", ndcg, **metrics)
    with pytest.raises(InputError, match=reason):
        await promote(database, "b", force=False, reason=None, now=clock())
    with pytest.raises(InputError, match="--reason"):
        await promote(database, "b", force=True, reason=" ", now=clock())
    await promote(database, "b", force=True, reason="An experiment.", now=clock())
    rows = {row.version: row for row in await list_releases(database)}
    assert ("live", "retired") == (rows["b"].status, rows["a"].status)
    promotion = rows["b"].metrics["promotion"]
    assert (True, "An experiment.") == (promotion["forced"], promotion["reason"])


async def test_what_cannot_be_promoted_says_why(database: Database, clock: ManualClock) -> None:
    """Unknown, live already, and worse than popularity are different lines."""
    await register(database, clock, "bad", 0.05)
    await register(database, clock, "good", 0.2)
    await promote(database, "good", force=False, reason=None, now=clock())
    for version, reason in (("none", "no release none"), ("good", "live already")):
        with pytest.raises(InputError, match=reason):
            await promote(database, version, force=False, reason=None, now=clock())


async def test_without_a_live_release_popularity_has_to_be_beaten(database: Database, clock: ManualClock) -> None:
    """A first release is compared with what is answered without it."""
    await register(database, clock, "bad", 0.05)
    with pytest.raises(InputError, match=r"popularity is 0\.1"):
        await promote(database, "bad", force=False, reason=None, now=clock())


async def test_evaluating_registers_nothing(database: Database) -> None:
    """An evaluation is a table, and no release."""
    evaluation = await evaluate_model(DATA, Protocol.TIME_SPLIT, OPTIONS, silent)
    assert evaluation.learners > 0
    assert {} == await statuses(database)
