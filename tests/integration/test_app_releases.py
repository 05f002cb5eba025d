"""Releases that there are: compared, promoted by more than chance, rolled back, one at a time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import model
from app.comparisons import compare_releases
from app.releases import list_releases, promote, roll_back
from core.clock import ManualClock
from core.errors import InputError
from database.session import Database
from database.tables.audit import audit_log
from serving.artifact import MANIFEST, RANKER
from serving.releases import ReleaseHolder
from tests.judged_releases import AS_OF, Chosen, judgment, write
from training.judgment import JUDGMENT
from training.split import Protocol

GOOD, BETTER = [3, 9, 20, 1] * 30, [2, 8, 20, 1] * 30
CHANCE = [2, *GOOD[1:]]


class Registered:
    """A register with releases."""

    def __init__(self, database: Database, models_dir: Path, clock: ManualClock) -> None:
        self.database = database
        self.models_dir = models_dir
        self.clock = clock

    async def promote(self, version: str, reason: str | None = None) -> None:
        """Promote a release, by force if there is a reason."""
        self.clock.now += timedelta(minutes=1)
        await promote(
            self.database, self.models_dir, version, force=reason is not None, reason=reason, now=self.clock()
        )

    async def roll_back(self, expected: str | None) -> str:
        """Roll back; return what is live."""
        self.clock.now += timedelta(minutes=1)
        done = await roll_back(
            self.database, self.models_dir, expected=expected, reason="It is slow.", now=self.clock()
        )
        return done.live

    async def statuses(self) -> dict[str, str]:
        """Return the status of every release."""
        return {row.version: row.status for row in await list_releases(self.database)}


@pytest.fixture
async def registered(database: Database, clock: ManualClock, tmp_path: Path) -> Registered:
    """Two candidates, the second better than the first."""
    await write(database, tmp_path, clock, "good", judgment(GOOD))
    await write(database, tmp_path, clock, "better", judgment(BETTER))
    return Registered(database, tmp_path, clock)


async def test_release_that_is_better_by_more_than_chance_replaces_the_live_one(registered: Registered) -> None:
    """Promotion retires the one before, in one transaction, and is put on record."""
    await registered.promote("good")
    await registered.promote("better")
    assert {"good": "retired", "better": "live"} == await registered.statuses()
    async with registered.database.transaction() as connection:
        audited = (await connection.execute(select(audit_log.c.action, audit_log.c.details))).all()
    assert [("promoteRelease", None), ("promoteRelease", "good")] == [(row[0], row[1]["replaced"]) for row in audited]


@pytest.mark.parametrize(
    ("judged", "reason"),
    [
        (judgment(GOOD), r"NDCG@10 is 0\.\d+ .* same 120 decisions"),
        (judgment(CHANCE), "may be chance"),
        (judgment([20] * 120), "is more than chance, and for the worse"),
        (judgment(BETTER[:19]), "19 decisions in common, and 20"),
        (judgment(BETTER, first=1_000), "0 decisions in common"),
        (judgment(BETTER, as_of=AS_OF + 1), "different moments"),
        (judgment(BETTER, protocol=Protocol.LEAVE_LAST_OUT), "different protocols"),
        (None, "did not record"),
    ],
)
async def test_release_that_does_not_beat_the_live_one_needs_force(
    registered: Registered, judged: object, reason: str
) -> None:
    """It is refused with the figures or with what cannot be compared; forced, the reason is kept with it."""
    await registered.promote("good")
    await write(registered.database, registered.models_dir, registered.clock, "other", judged)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=reason):
        await registered.promote("other")
    with pytest.raises(InputError, match="--reason"):
        await registered.promote("other", " ")
    assert "live" == (await registered.statuses())["good"]
    await registered.promote("other", "An experiment.")
    rows = {row.version: row for row in await list_releases(registered.database)}
    assert ("live", "retired") == (rows["other"].status, rows["good"].status)
    promotion = rows["other"].metrics["promotion"]
    assert (True, "An experiment.") == (promotion["forced"], promotion["reason"])


async def test_what_cannot_be_promoted_says_why(registered: Registered) -> None:
    """Unknown, live already, worse than popularity, and damaged are different lines; no force makes a server fail."""
    await write(registered.database, registered.models_dir, registered.clock, "bad", judgment([10] * 120, popularity=1))
    with pytest.raises(InputError, match="popularity is 1"):
        await registered.promote("bad")
    await registered.promote("good")
    for version, reason in (("none", "no release none"), ("good", "live already")):
        with pytest.raises(InputError, match=reason):
            await registered.promote(version)
    (registered.models_dir / "better" / RANKER).write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be served"):
        await registered.promote("better", "I insist.")
    assert "live" == (await registered.statuses())["good"]


async def test_rolling_back_goes_back_step_by_step_and_never_forward(registered: Registered) -> None:
    """What was rolled back from is passed over, until it is promoted again."""
    await write(registered.database, registered.models_dir, registered.clock, "third", judgment(BETTER))
    await registered.promote("good")
    await registered.promote("better")
    assert "good" == await registered.roll_back("better")
    with pytest.raises(InputError, match="before good"):
        await registered.roll_back("good")
    await registered.promote("third", "Again.")
    assert "good" == await registered.roll_back("third")
    await registered.promote("better", "It was not its fault.")
    await registered.promote("third", "Nor its.")
    assert "better" == await registered.roll_back("third")
    assert "good" == await registered.roll_back("better")
    rows = {row.version: row for row in await list_releases(registered.database)}
    told = rows["better"].metrics["rolled_back"]
    assert ("good", "It is slow.") == (told["to"], told["reason"])
    async with registered.database.transaction() as connection:
        audited = (await connection.execute(select(audit_log.c.action, audit_log.c.details))).all()
    assert [("rollBackRelease", "better")] == [(row[0], row[1]["replaced"]) for row in audited[-1:]]


async def test_rollback_finds_what_was_live_before_although_a_clock_is_behind(registered: Registered) -> None:
    """A promotion is later than the one before it, whatever the clock of its machine says."""
    await registered.promote("good")
    registered.clock.now -= timedelta(minutes=5)
    await registered.promote("better")
    assert "good" == await registered.roll_back("better")


@pytest.mark.parametrize("reason", ["\udcff", "Slow.\0"])
async def test_reason_that_is_no_text_is_refused(registered: Registered, reason: str) -> None:
    """It is one line, and what was live stays live."""
    await registered.promote("good")
    with pytest.raises(InputError, match="no text"):
        await registered.promote("better", reason)
    with pytest.raises(InputError, match="no text"):
        await roll_back(
            registered.database, registered.models_dir, expected="good", reason=reason, now=registered.clock()
        )
    assert "live" == (await registered.statuses())["good"]


async def test_serving_follows_a_rollback(registered: Registered) -> None:
    """At its next look, without a restart."""
    holder = ReleaseHolder(registered.database, registered.models_dir)
    seen = []
    for step in (registered.promote("good"), registered.promote("better"), registered.roll_back("better")):
        await step
        assert await holder.refresh_if_newer()
        seen.append(holder.current.manifest.version if holder.current else None)
    assert ["good", "better", "good"] == seen


async def test_of_many_at_once_one_wins(registered: Registered) -> None:
    """The others are told what has become live; at every moment one release is live."""
    await registered.promote("good")
    await registered.promote("better")
    steps = [registered.roll_back("better") for _ in range(3)] + [registered.promote("better") for _ in range(2)]
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    assert all(isinstance(one, InputError | str) or one is None for one in outcomes), outcomes
    assert 1 <= sum(one == "good" for one in outcomes) <= 2
    assert 1 == list((await registered.statuses()).values()).count("live")


async def test_rollback_that_cannot_be_says_why_and_changes_nothing(registered: Registered) -> None:
    """Nothing live, another one live than was seen, and a damaged predecessor."""
    with pytest.raises(InputError, match="nothing to roll back"):
        await registered.roll_back(None)
    await registered.promote("good")
    await registered.promote("better")
    with pytest.raises(InputError, match="Meanwhile release better"):
        await registered.roll_back("good")
    (registered.models_dir / "good" / RANKER).unlink()
    with pytest.raises(InputError, match="cannot be served"):
        await registered.roll_back("better")
    assert "live" == (await registered.statuses())["better"]


async def test_comparison_tells_the_difference_and_its_interval(registered: Registered) -> None:
    """Of the decisions in common; the other way round it is the opposite."""
    await write(registered.database, registered.models_dir, registered.clock, "more", judgment([*BETTER, 1, 1]))
    there = (await compare_releases(registered.database, registered.models_dir, "more", "good", Chosen())).comparison
    back = (await compare_releases(registered.database, registered.models_dir, "good", "more", Chosen())).comparison
    assert (120, 2, 0) == (there.common, there.only_ours, there.only_theirs)
    assert 0 < there.low <= there.difference <= there.high
    assert -there.difference == pytest.approx(back.difference)
    assert (True, False) == (there.better, back.better)


@pytest.mark.parametrize(("damage", "said"), [(JUDGMENT, "damaged"), (MANIFEST, "damaged"), (None, "no release good")])
async def test_what_cannot_be_compared_says_why(
    registered: Registered, database: Database, damage: str | None, said: str
) -> None:
    """A damaged file and an unknown release are one line."""
    version = "good"
    if damage is None:
        version = "goodness"
    else:
        (registered.models_dir / version / damage).write_bytes(b"nothing")
    with pytest.raises(InputError, match=said):
        await compare_releases(database, registered.models_dir, "better", version, Chosen())


def test_commands_compare_and_roll_back(
    registered: Registered, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they print is what was found; what is refused is one line."""
    models = tmp_path / "data" / "models"
    models.parent.mkdir()
    models.symlink_to(registered.models_dir)
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WAYMARK_RECOMMENDATIONS", "off")
    runner, written = CliRunner(env={"COLUMNS": "200"}), tmp_path / "comparison.json"
    compared = runner.invoke(model.app, ["compare", "better", "good", "--json", str(written)])
    assert (0, None) == (compared.exit_code, compared.exception)
    assert "120 decisions in common" in compared.stdout
    assert "may be chance" not in compared.stdout
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert (["better", "good"], 120) == (figures["versions"], figures["common"])
    assert "may be chance" in runner.invoke(model.app, ["compare", "good", "good"]).stdout
    for version in ("good", "better"):
        assert f"Release {version} is live." in runner.invoke(model.app, ["promote", version]).stdout
    assert "Release good is live again; better is retired." in runner.invoke(model.app, ["rollback"]).stdout
    assert isinstance(runner.invoke(model.app, ["rollback"]).exception, InputError)
    (registered.models_dir / "better" / JUDGMENT).write_bytes(b"nothing")
    listed = runner.invoke(model.app, ["list"])
    assert (0, 1) == (listed.exit_code, listed.stdout.count(": The release file "))
    assert "better: The release file" in listed.stdout
    (registered.models_dir / "good" / RANKER).unlink()
    listed = runner.invoke(model.app, ["list"])
    assert (1, 2) == (listed.exit_code, listed.stdout.count(": The release file "))
    missing = runner.invoke(model.app, ["compare", "good", "better", "--json", str(tmp_path / "absent" / "x.json")])
    assert "does not exist" in str(missing.exception)


@pytest.mark.parametrize("order", [("good", "better"), ("better", "good"), ("better", "better")])
async def test_of_two_promotions_at_once_the_better_is_live(registered: Registered, order: tuple[str, str]) -> None:
    """They take turns: the second is compared with the first, is refused in one line or replaces it."""
    outcomes = await asyncio.gather(*(registered.promote(version) for version in order), return_exceptions=True)
    assert all(one is None or isinstance(one, InputError) for one in outcomes), outcomes
    assert None in outcomes
    statuses = await registered.statuses()
    assert ("live", 1) == (statuses["better"], list(statuses.values()).count("live"))
    async with registered.database.transaction() as connection:
        audited = (await connection.execute(select(audit_log.c.subject_id).order_by(audit_log.c.id))).scalars().all()
    assert outcomes.count(None) == len(audited)
    assert "better" == audited[-1]
