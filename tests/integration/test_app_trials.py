"""Trials in the register: one at a time, in turn with promotions and rollbacks, on record; and the commands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from feast import FeatureService
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from app.cli import model
from app.feature_pipeline import FeaturePlaces
from app.releases import Tried, list_releases, promote, roll_back
from app.trial_outcomes import Side, compare_sides
from app.trials import Declares, declared_services, end_trial, try_release
from core.clock import ManualClock
from core.errors import InputError
from core.ids import time_ordered_uuid
from database.migrate import differences, migrate
from database.queries.recommendations import Feedback, count_once
from database.session import Database, open_database
from database.tables.audit import audit_log
from database.tables.enrollments import enrollments
from database.tables.models import TrialKind, model_releases
from feature_repo.store import registry_path
from features.columns import StoredFeature
from serving.artifact import RANKER
from serving.trials import is_in_canary
from tests.integration.test_migrations import to_revision
from tests.judged_releases import judgment, write
from tests.small_platform import add_course, add_learner

GOOD, BETTER = [3, 9, 20, 1] * 30, [2, 8, 20, 1] * 30
CANARY, SHADOW = TrialKind.CANARY, TrialKind.SHADOW


class Registered:
    """A register in which `good` is live, and `better` and `other` are candidates."""

    def __init__(self, database: Database, models_dir: Path, clock: ManualClock) -> None:
        self.database = database
        self.models_dir = models_dir
        self.clock = clock

    async def attempt(self, version: str, kind: TrialKind = CANARY, percent: float | None = 5.0) -> Tried | None:
        """Try a release a minute later; return how it was tried until then."""
        self.clock.now += timedelta(minutes=1)
        share = percent if kind is CANARY else None
        return await try_release(
            self.database, self.models_dir, version, kind=kind, percent=share, reason="A look.", now=self.clock()
        )

    async def promote(self, version: str) -> Tried | None:
        """Promote a release; return the trial that is over."""
        self.clock.now += timedelta(minutes=1)
        return await promote(self.database, self.models_dir, version, force=True, reason="A test.", now=self.clock())

    async def tried(self) -> list[tuple[str, str, float | None]]:
        """Return version, kind and share of what is tried."""
        rows = await list_releases(self.database)
        return [(row.version, row.trial, row.trial_percent) for row in rows if row.trial is not None]

    async def audited(self) -> list[tuple[str, dict[str, Any]]]:
        """Return actions and details of the trail, the oldest first."""
        async with self.database.transaction() as connection:
            query = select(audit_log.c.action, audit_log.c.details).order_by(audit_log.c.id)
            return [(row.action, row.details) for row in await connection.execute(query)]


@pytest.fixture
async def registered(database: Database, clock: ManualClock, tmp_path: Path) -> Registered:
    """Three releases, one of them live."""
    made = Registered(database, tmp_path / "models", clock)
    made.models_dir.mkdir()
    for version, ranks in (("good", GOOD), ("better", BETTER), ("other", GOOD)):
        await write(database, made.models_dir, clock, version, judgment(ranks))
    await made.promote("good")
    return made


async def test_trial_begins_changes_and_ends_on_record(registered: Registered) -> None:
    """From shadow to canary, through shares, back to shadow, and out; each step once, each with its moment."""
    steps: list[tuple[TrialKind, float | None, str | None]] = [
        (SHADOW, None, None),
        (CANARY, 5.0, "shadow"),
        (CANARY, 12.5, "canary 5%"),
        (SHADOW, None, "canary 12.5%"),
    ]
    for kind, percent, before in steps:
        was = await registered.attempt("better", kind, percent)
        assert before == (None if was is None else str(was))
        assert [("better", kind.value, percent)] == await registered.tried()
    (row,) = [row for row in await list_releases(registered.database) if row.trial]
    assert (registered.clock(), "candidate") == (row.trial_since, row.status)
    assert "shadow" == str(await registered.attempt("better", SHADOW))
    ended = await end_trial(registered.database, reason="Seen enough.", now=registered.clock())
    assert ("better", "shadow") == (ended.version, str(ended))
    assert [] == await registered.tried()
    audited = await registered.audited()
    assert ["promoteRelease", *["tryRelease"] * 4, "endTrial"] == [action for action, _ in audited]
    assert [None, "5", "12.5", None] == [details["percent"] for action, details in audited if action == "tryRelease"]
    rows = {row.version: row for row in await list_releases(registered.database)}
    assert "Seen enough." == rows["better"].metrics["trial"]["reason"]


@pytest.mark.parametrize("promoted", ["better", "other"])
async def test_promotion_ends_a_trial(registered: Registered, promoted: str) -> None:
    """Of the release that is tried, which is the usual end, and of another one; the trail names what ended."""
    await registered.attempt("better")
    ended = await registered.promote(promoted)
    assert ("better", "canary 5%") == ((ended.version, str(ended)) if ended else None)
    assert [] == await registered.tried()
    assert ("promoteRelease", "better") == (
        (last := (await registered.audited())[-1])[0],
        last[1]["endedTrial"],
    )
    assert None is await registered.promote("good")


async def test_rollback_ends_a_trial(registered: Registered) -> None:
    """What was live before is live again, and nobody is shown anything newer."""
    await registered.promote("better")
    await registered.attempt("other", CANARY, 50.0)
    done = await roll_back(
        registered.database, registered.models_dir, expected="better", reason=None, now=registered.clock()
    )
    assert ("good", "better", "canary 50%") == (done.live, done.retired, str(done.ended))
    assert [] == await registered.tried()
    assert "other" == (await registered.audited())[-1][1]["endedTrial"]


async def test_rollback_that_cannot_be_leaves_the_trial_and_tells_how_to_end_it(registered: Registered) -> None:
    """Nothing was live before: the operator who wants the canary gone is told the command."""
    await registered.attempt("better")
    with pytest.raises(InputError, match=r"before good.*only the trial of better.*waymark model end-trial"):
        await roll_back(
            registered.database, registered.models_dir, expected="good", reason=None, now=registered.clock()
        )
    assert [("better", "canary", 5.0)] == await registered.tried()


def damage(registered: Registered) -> None:
    """Take the bytes of a file of the candidate."""
    (registered.models_dir / "better" / RANKER).write_bytes(b"nothing")


@pytest.mark.parametrize(
    ("version", "percent", "before", "said"),
    [
        ("nothing", 5.0, None, "no release nothing"),
        ("good", 5.0, None, "good is live already"),
        ("better", 0.001, None, "0.01 to 100 percent"),
        ("better", float("nan"), None, "0.01 to 100 percent"),
        ("better", 101.0, None, "0.01 to 100 percent"),
        ("better", 5.0, damage, "cannot be served: .*damaged"),
    ],
)
async def test_what_cannot_be_tried_says_why(
    registered: Registered, version: str, percent: float, before: Callable[[Registered], None] | None, said: str
) -> None:
    """And nothing is tried."""
    if before is not None:
        before(registered)
    with pytest.raises(InputError, match=said):
        await registered.attempt(version, CANARY, percent)
    assert [] == await registered.tried()


async def test_release_that_reads_a_column_in_another_way_is_not_tried(registered: Registered) -> None:
    """One process could not serve both what they were trained on."""
    for version, view in (("one", "popularity"), ("two", "elsewhere")):
        stored = (StoredFeature("course", view, "course_enrollments_30d"),)
        await write(
            registered.database,
            registered.models_dir,
            registered.clock,
            version,
            judgment(GOOD),
            stored_features=stored,
        )
    await registered.promote("one")
    with pytest.raises(InputError, match=r"two cannot be tried: .*course_enrollments_30d in another way"):
        await registered.attempt("two")


async def test_release_whose_features_nobody_declares_is_not_tried(registered: Registered, tmp_path: Path) -> None:
    """Serving would refuse one that has not recorded what it reads and whose service is gone; a real registry says."""
    places = FeaturePlaces(tmp_path, "redis://127.0.0.1:1")
    declares = declared_services(places)
    assert not declares("other")
    assert not registry_path(tmp_path).exists()
    places.store().apply([FeatureService(name="other", features=[])])
    assert (True, False) == (declares("other"), declares("ranking_v1"))

    async def attempt(told: Declares | None) -> Tried | None:
        return await try_release(
            registered.database,
            registered.models_dir,
            "better",
            kind=SHADOW,
            now=registered.clock(),
            declares=told,
        )

    with pytest.raises(InputError, match="better cannot be tried: it reads the feature service ranking_v1, which is"):
        await attempt(declares)
    assert [] == await registered.tried()
    await attempt(lambda _: True)
    assert [("better", "shadow", None)] == await registered.tried()


async def test_nothing_is_tried_beside_nothing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """While no release is live; and there is no trial to end."""
    await write(database, tmp_path, clock, "better", judgment(BETTER))
    with pytest.raises(InputError, match="No release is live"):
        await Registered(database, tmp_path, clock).attempt("better")
    with pytest.raises(InputError, match="nothing to end"):
        await end_trial(database, reason=None, now=clock())


async def test_of_many_at_once_one_is_tried(registered: Registered) -> None:
    """The others are told which; and a promotion at the same moment leaves no trial of what is live."""
    outcomes = await asyncio.gather(
        *(registered.attempt(version) for version in ("better", "other") * 3), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, InputError)]
    assert 3 == len(refused)
    assert all("one is at a time" in str(one) for one in refused)
    (tried,) = await registered.tried()
    steps = [registered.promote(tried[0]), *(registered.attempt(tried[0], CANARY, 7.0) for _ in range(3))]
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    assert all(isinstance(one, InputError | Tried) for one in outcomes), outcomes
    assert [] == await registered.tried()


@pytest.mark.parametrize(
    "values",
    [
        {"trial": "canary", "trial_percent": None},
        {"trial": "shadow", "trial_percent": 5.0},
        {"trial": None, "trial_percent": 5.0},
        {"trial": "canary", "trial_percent": 0.0},
        {"trial": "canary", "trial_percent": 100.5},
        {"trial": "guess", "trial_percent": None},
        {"trial": "shadow", "trial_percent": None, "trial_since": None},
    ],
)
async def test_database_refuses_what_is_no_trial(registered: Registered, values: dict[str, Any]) -> None:
    """Whoever writes it: a canary has a share, a shadow has none, both have a moment."""
    row = {"trial_since": registered.clock(), **values}
    with pytest.raises(IntegrityError):
        async with registered.database.transaction() as connection:
            await connection.execute(update(model_releases).where(model_releases.c.version == "better").values(**row))


async def test_database_holds_one_trial_and_none_of_the_live_release(registered: Registered) -> None:
    """A shadow beside a canary is one too many."""
    await registered.attempt("better")
    for version in ("other", "good"):
        with pytest.raises(IntegrityError):
            async with registered.database.transaction() as connection:
                await connection.execute(
                    update(model_releases)
                    .where(model_releases.c.version == version)
                    .values(trial="shadow", trial_since=registered.clock())
                )


async def test_releases_of_an_older_database_are_not_tried(registered: Registered) -> None:
    """The migration keeps them as they are; taken back, a trial is over and the live release is live."""
    await registered.attempt("better")
    async with registered.database.transaction() as connection:
        await connection.run_sync(to_revision, "0008")
        found = await connection.execute(text("SELECT version, status FROM model_releases ORDER BY version"))
        assert [("better", "candidate"), ("good", "live"), ("other", "candidate")] == [tuple(row) for row in found]
    await migrate(registered.database)
    assert [] == await registered.tried()
    async with registered.database.transaction() as connection:
        assert [] == await connection.run_sync(differences)


async def seen(
    database: Database, learner: int, made: datetime, now: datetime, *, clicks: int = 0, enrolls: bool = False
) -> None:
    """Let a learner see two courses of a list, and click and enroll from it."""
    named = time_ordered_uuid(made)
    shown = [Feedback(named, course, "IMPRESSION") for course in (1, 2)]
    clicked = [Feedback(named, course, "CLICK") for course in range(1, clicks + 1)]
    async with database.transaction() as connection:
        await count_once(connection, learner, [*shown, *clicked], now)
        if enrolls:
            row = {"learner_id": learner, "course_id": 1, "status": "ACTIVE", "enrolled_at": now}
            await connection.execute(insert(enrollments).values(**row, recommendation_id=named))


async def test_sides_of_a_canary_are_compared_by_what_their_learners_do(registered: Registered) -> None:
    """Of lists made since it began, each learner once and where they belong."""
    for course in (1, 2):
        await add_course(registered.database, course)
    for learner in range(1, 41):
        await add_learner(registered.database, learner)
    began = registered.clock() + timedelta(minutes=1)
    await registered.attempt("better", CANARY, 50.0)
    registered.clock.now += timedelta(hours=1)
    now = registered.clock()
    inside = [learner for learner in range(1, 41) if is_in_canary("better", learner, 50.0)]
    for learner in range(1, 31):
        one = learner in inside
        await seen(registered.database, learner, began, now, clicks=2 if one else 0, enrolls=one and learner % 2 == 0)
    # Of a list that was made before, and before it began, nothing counts.
    await seen(registered.database, 31, began - timedelta(minutes=1), now, clicks=1, enrolls=True)
    await seen(registered.database, 32, began, began - timedelta(minutes=1), clicks=1)
    found = await compare_sides(registered.database)
    ours = [learner for learner in inside if learner <= 30]
    even = sum(learner % 2 == 0 for learner in ours)
    assert ("good", began) == (found.live, found.tried.since)
    assert Side(len(ours), 2 * len(ours), 2 * len(ours), even, len(ours), even) == found.canary
    assert Side(30 - len(ours), 60 - 2 * len(ours), 0, 0, 0, 0) == found.others
    difference, low, _ = found.difference("clicked")
    assert 0 < low < difference == 1.0


async def test_shadow_has_no_sides(registered: Registered) -> None:
    """Nobody is shown it; and without a trial there is nothing to compare."""
    with pytest.raises(InputError, match="No release is tried"):
        await compare_sides(registered.database)
    await registered.attempt("better", SHADOW)
    found = await compare_sides(registered.database)
    assert (SHADOW, 0, 0) == (found.tried.kind, found.canary.learners, found.others.learners)


async def show_to_both_sides(database_url: str, since: datetime, now: datetime) -> None:
    """Let somebody of either side click, in a canary of 5% that began at a moment."""
    inside = next(learner for learner in range(1, 1_000) if is_in_canary("better", learner, 5.0))
    outside = next(learner for learner in range(1, 1_000) if not is_in_canary("better", learner, 5.0))
    async with open_database(database_url) as database:
        async with database.transaction() as connection:
            await connection.execute(
                update(model_releases).where(model_releases.c.trial.is_not(None)).values(trial_since=since)
            )
        for learner in (inside, outside):
            await add_learner(database, learner)
            await seen(database, learner, now, now, clicks=1)


def test_commands_try_change_and_end(
    registered: Registered, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what is shown to whom now, and how it ends; the list tells who is tried."""
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WAYMARK_RECOMMENDATIONS", "off")
    runner = CliRunner(env={"COLUMNS": "200"})

    def run(*arguments: str) -> str:
        result = runner.invoke(model.app, list(arguments))
        assert (0, None) == (result.exit_code, result.exception), result.output
        return result.stdout

    assert registered.models_dir.exists()
    assert "Release better ranks in shadow" in run("shadow", "better")
    assert "shadow" in run("list")
    assert "Nobody is shown it" in run("trial")
    said = run("canary", "better", "--percent", "5", "--reason", "It is Monday.")
    assert "shown to 5% of the learners (until now: shadow)" in said
    assert "canary 5%" in run("list")
    assert "There is nobody to compare yet on one side." in run("trial")
    since, now = registered.clock() - timedelta(hours=1), registered.clock()
    asyncio.run(show_to_both_sides(database_url, since, now))
    said = run("trial")
    assert re.search(r"Release better: canary 5% since 2026-03-01 11:01 UTC, beside good\.", said)
    assert re.search(r"Learners who clicked +│ +1 \(100\.00%\) │ +1 \(100\.00%\)", said)
    assert "The share of learners who clicked differs by +0.00%, 95% -79.35% to +79.35%: it may be chance." in said
    refused = runner.invoke(model.app, ["shadow", "other"])
    assert "better is tried already (canary 5%)" in str(refused.exception)
    assert "Release better is not tried any more (it was: canary 5%)." in run("end-trial")
    assert isinstance(runner.invoke(model.app, ["end-trial"]).exception, InputError)
    run("canary", "better", "--percent", "5")
    assert "Release better is live.\n" == run("promote", "better")
    run("canary", "other", "--percent", "50")
    said = run("rollback")
    assert "Release good is live again; better is retired. The trial of other (canary 50%) is over" in said
