"""A model that is trained again on newer data is promoted without force, or refused with a reason, by command."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import model
from app.comparisons import compare_releases, weigh
from app.feature_pipeline import FeaturePlaces, materialize
from app.releases import Weighed, promote
from core.clock import ManualClock
from core.errors import InputError
from database.session import Database, open_database
from features.columns import StoredFeature
from serving.artifact import RANKER
from tests.integration.test_app_model_commands import enroll, fill
from tests.judged_releases import AS_OF, Chosen, judgment, write
from tests.simulated_history import simulated_events
from tests.simulated_ranking import NOW
from training import fit, network_fitting
from training.history import EPOCH
from training.judgment import JUDGMENT, Judgment
from training.pointintime import FeastFeatures
from training.split import ENOUGH_HELD_OUT

LEARNERS = 300
EVENTS = simulated_events(learners=LEARNERS).sort_values("occurred_at")
EARLIER, LATER = EVENTS.iloc[: len(EVENTS) * 8 // 10], EVENTS.iloc[len(EVENTS) * 8 // 10 :]
PUPILS = 2_400
DAILY = simulated_events(learners=PUPILS).sort_values("occurred_at")
GOOD, BETTER = [3, 9, 20, 1] * 30, [2, 8, 20, 1] * 30
RUNNER = CliRunner(env={"COLUMNS": "250"})


@pytest.fixture
def grown(
    tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> Callable[[pd.DataFrame], FeaturePlaces]:
    """What imports events into a platform, first of all its courses and learners, and materializes anew."""
    redis_url = f"redis://{urlsplit(valkey_url).netloc}/11"
    monkeypatch.setenv("WAYMARK_DATABASE_URL", database_url)
    monkeypatch.setenv("WAYMARK_REDIS_URL", redis_url)
    monkeypatch.setenv("WAYMARK_DATA_DIR", str(tmp_path))
    places = FeaturePlaces(tmp_path, redis_url)

    filled: list[pd.DataFrame] = []

    def grow(events: pd.DataFrame) -> FeaturePlaces:
        async def prepare() -> None:
            async with open_database(database_url) as database:
                if not filled:
                    await fill(database, events, PUPILS)
                else:
                    await enroll(database, events)
                await materialize(database, places, clock)
            filled.append(events)

        asyncio.run(prepare())
        return places

    return grow


def trained(rounds: int, *arguments: str) -> str:
    """Train a release; return its version."""
    done = RUNNER.invoke(model.app, ["train", "--threads", "1", "--rounds", str(rounds), *arguments])
    assert (0, None) == (done.exit_code, done.exception)
    return done.stdout.split("Release ")[1].split()[0]


def poor() -> str:
    """Train a release of a single condition and no network: more trees, or either of them, would be good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fit._PARAMETERS, "max_depth", 1)
        patch.setattr(network_fitting, "FEWEST_DECISIONS", sys.maxsize)
        return trained(1)


def said(*arguments: str) -> str:
    """Return what a command prints, or why it is refused."""
    done = RUNNER.invoke(model.app, [*arguments])
    return str(done.exception) if done.exception is not None else done.stdout


@pytest.mark.long(1.0)
@pytest.mark.timeout(600)
def test_retrained_model_takes_the_place_of_an_older_one_without_force(
    grown: Callable[[pd.DataFrame], FeaturePlaces],
) -> None:
    """Newer events, another training: the live release is judged again on what it has not seen, and the better wins."""
    grown(EARLIER)
    good, bad = trained(20), poor()
    places = grown(LATER)
    worse = poor()
    refused = said("promote", worse)
    assert f"Release {worse} is not promoted: its NDCG@10 is" in refused
    assert "is more than chance, and for the worse" in refused
    forced = said("promote", bad, "--force", "--reason", "A rehearsal.")
    assert f"Release {bad} is live." in forced
    better = trained(20)
    promoted = said("promote", better)
    assert f"Release {bad} has learned from the log until" in promoted
    assert f"held-out decisions of {better} that are later" in promoted
    assert f"Release {better} is live." in promoted
    assert "(forced)" not in next(line for line in said("list").splitlines() if better in line)
    written = places.data_dir / "comparison.json"
    compared = said("compare", good, better, "--json", str(written))
    assert f"Release {good} has learned from the log until" in compared
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert ([good], [good, better]) == (figures["judged_again"], figures["versions"])
    assert figures["common"] >= 20
    # What cannot be asked is told, with the release that cannot: here the older one, whose file is damaged.
    (places.data_dir / "models" / good / RANKER).write_bytes(b"nothing")
    damaged = said("compare", better, good)
    assert f"Release {good} is to be judged again on newer decisions. Release {good} cannot be served" in damaged
    with pytest.raises(InputError, match="do not declare elsewhere:ages any more"):
        FeastFeatures(places.store(), (StoredFeature("course", "elsewhere", "ages"),))


async def written(database: Database, folder: Path, clock: ManualClock) -> None:
    """Write a live release, and a candidate that was judged as of a later moment."""
    await write(database, folder, clock, "good", judgment(GOOD))
    await promote(database, folder, "good", force=False, reason=None, now=clock())
    await write(database, folder, clock, "other", judgment(BETTER, as_of=AS_OF + 1))


async def test_log_that_was_changed_cannot_be_compared_over(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Both know it to its end, so that neither has unseen decisions of the other."""
    await written(database, tmp_path, clock)
    found = await weigh(database, tmp_path, "other", Chosen())
    assert found is not None
    weighed, compared = found
    assert compared is None
    assert "train both on the same lake" in str(weighed.refusal)
    with pytest.raises(InputError, match=r"it cannot be compared\. Both have learned .* Use --force"):
        await promote(database, tmp_path, "other", force=False, reason=None, now=clock(), weighed=weighed)


async def test_what_became_live_meanwhile_was_not_compared(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """A promotion by a comparison with what is live no more is refused; what both recorded needs no weighing."""
    await written(database, tmp_path, clock)
    await write(database, tmp_path, clock, "better", judgment(BETTER))
    assert await weigh(database, tmp_path, "better", Chosen()) is None
    assert await weigh(database, tmp_path, "good", Chosen()) is None
    before = Weighed("good", None)
    await promote(database, tmp_path, "better", force=False, reason=None, now=clock())
    with pytest.raises(InputError, match="Meanwhile release better has become live"):
        await promote(database, tmp_path, "other", force=False, reason=None, now=clock(), weighed=before)


@pytest.mark.parametrize(("ranks", "remedy"), [(GOOD, "--held-out-since 2023-11-21T22:13:21"), (BETTER, None)])
async def test_live_release_that_knew_more_when_both_were_asked_is_told(
    database: Database, clock: ManualClock, tmp_path: Path, ranks: list[int], remedy: str | None
) -> None:
    """The log of the live one reaches past the moment: a refusal says how to be judged by as much knowledge."""
    end = EPOCH + timedelta(microseconds=AS_OF, days=7)
    await write(database, tmp_path, clock, "good", None, trained_until=end)
    await promote(database, tmp_path, "good", force=True, reason="Nothing was recorded.", now=clock())
    await write(database, tmp_path, clock, "other", judgment(ranks), trained_until=end + timedelta(days=7))
    judges = Chosen({"good": GOOD}, later=19)
    found = await weigh(database, tmp_path, "other", judges)
    assert found is not None
    weighed, compared = found
    assert compared is not None
    assert ([("good", AS_OF)], True, "other") == (judges.asked, compared.knew_more, compared.other.version)
    if remedy is not None:
        assert remedy in str(weighed.refusal)
    else:
        await promote(database, tmp_path, "other", force=False, reason=None, now=clock(), weighed=weighed)


async def test_older_release_is_judged_again_also_when_it_is_the_one_to_promote(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Which is older is told by the logs; without its judgment the newer one cannot ask anything."""
    older, asked = NOW - timedelta(days=9), judgment(GOOD, as_of=AS_OF + 5)
    await write(database, tmp_path, clock, "newer", asked)
    await write(database, tmp_path, clock, "older", judgment(GOOD), trained_until=older)
    await write(database, tmp_path, clock, "silent", None, trained_until=NOW + timedelta(days=1))

    for ours, theirs in (("older", "newer"), ("newer", "older")):
        judges = Chosen({"older": BETTER})
        compared = await compare_releases(database, tmp_path, ours, theirs, judges)
        assert [("older", asked.as_of)] == judges.asked
        assert (["older"], "newer") == ([each.version for each in compared.again], compared.other.version)
        assert (compared.comparison.difference > 0) == (ours == "older")
    with pytest.raises(InputError, match="silent was trained by a version that did not record"):
        await compare_releases(database, tmp_path, "silent", "older", Chosen())


async def test_what_came_after_the_logs_of_both_decides_once_it_is_enough(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Neither has learned from it; it is enough when it is as much as the newer one was judged on since the older."""
    older, later = NOW - timedelta(days=9), NOW + timedelta(microseconds=1)
    await write(database, tmp_path, clock, "older", judgment(GOOD), trained_until=older)
    moments = np.full(120, int((NOW - EPOCH) / timedelta(microseconds=1)))
    of_newer = replace(judgment(BETTER, as_of=AS_OF + 1), moments=moments)
    await write(database, tmp_path, clock, "newer", of_newer)
    asked = int((later - EPOCH) / timedelta(microseconds=1))
    ranks = {"older": BETTER, "newer": GOOD}
    for ours, theirs in (("older", "newer"), ("newer", "older")):
        few, enough = Chosen(ranks, later=119), Chosen(ranks, later=120)
        before = await compare_releases(database, tmp_path, ours, theirs, few)
        assert [("older", AS_OF + 1)] == few.asked
        assert ["older"] == [each.version for each in before.again]
        compared = await compare_releases(database, tmp_path, ours, theirs, enough)
        assert [(ours, asked), (theirs, asked)] == enough.asked
        assert ([ours, theirs], later) == ([each.version for each in compared.again], compared.as_of)
        assert (False, ours == "older") == (compared.knew_more, compared.comparison.better)
    # What nobody recorded can be asked, and so can two of one log that were judged as of different moments.
    await write(database, tmp_path, clock, "silent", None)
    found = await compare_releases(database, tmp_path, "silent", "newer", Chosen({**ranks, "silent": BETTER}, later=20))
    assert (20, True) == (found.comparison.common, found.comparison.better)


@pytest.mark.long(1.0)
@pytest.mark.timeout(600)
def test_who_trains_daily_compares_without_a_flag(grown: Callable[[pd.DataFrame], FeaturePlaces]) -> None:
    """A few days later a release is judged by what the live one knew; and still later both by what came after both."""
    parts = (0.86, 0.93)
    first, second = [DAILY.iloc[: int(len(DAILY) * share)] for share in parts]
    places = grown(first)
    live = poor()
    grown(second.iloc[len(first) :])
    told = said("train", "--threads", "1", "--rounds", "12")
    end = first["occurred_at"].max()
    assert f"It was judged on what came after {end:%Y-%m-%d %H:%M}, until when the live release has learned" in told
    daily = told.split("Release ")[1].split()[0]
    judged = Judgment.unpacked((places.data_dir / "models" / daily / JUDGMENT).read_bytes())
    assert (end + timedelta(microseconds=1)).to_pydatetime() == EPOCH + timedelta(microseconds=judged.as_of)
    assert len(judged.moments) >= ENOUGH_HELD_OUT
    promoted = said("promote", daily)
    assert f"{len(judged.moments)} held-out decisions of {daily} that are later. NDCG@10 differs by +" in promoted
    assert f"Release {daily} is live." in promoted
    grown(DAILY.iloc[len(second) :])
    refused = said("promote", live)
    assert "is more than chance, and for the worse" in refused
    compared = said("compare", daily, live)
    assert f"decisions that came after the logs of both, {second['occurred_at'].max():%Y-%m-%d %H:%M}." in compared
