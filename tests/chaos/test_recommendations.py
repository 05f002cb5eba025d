"""Parts of the model's way are really taken away: the next strategy answers, says so, and no error reaches a client."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from typing import Any

import pytest

from app.trials import end_trial, try_release
from core.ids import decode_id
from database.queries.releases import RELEASES, register
from database.tables.models import TrialKind
from resolvers.accounts import claim_learner
from serving.artifact import load_release, write_release
from tests.chaos.conftest import Victim

pytestmark = pytest.mark.long(0.7)

SIGN_UP = (
    'mutation { signUp(input: { email: "%s@example.org", password: "correct horse", displayName: "Ada" }) '
    "{ session { accessToken refreshToken } userErrors { code } } }"
)
SIGN_IN = (
    'mutation { signIn(input: { email: "%s@example.org", password: "correct horse" }) { session { accessToken } } }'
)
TOPICS = "{ topics(first: 100) { nodes { id slug parent { id } } } }"


async def sign_up(victim: Victim, name: str = "ada") -> str:
    """Create an account without a history and return its access token."""
    data = await victim.ask(SIGN_UP % name)
    token: str = data["signUp"]["session"]["accessToken"]
    return token


async def sign_up_with_history(victim: Victim) -> None:
    """Create an account that claims a simulated learner, and sign the victim's client in as it."""
    data = await victim.ask(SIGN_UP % "grace")
    tokens = data["signUp"]["session"]
    viewer = await victim.ask("{ viewer { id } }", token=tokens["accessToken"])
    source = await known_source_id(victim)
    async with victim.parts.database.transaction() as connection:
        await claim_learner(
            connection, decode_id(viewer["viewer"]["id"]).number, "simulated", source, now=victim.clock()
        )
    given = f'refreshToken: "{tokens["refreshToken"]}"'
    refresh = f"mutation {{ refreshSession(input: {{ {given} }}) {{ session {{ accessToken }} }} }}"
    victim.token = (await victim.ask(refresh))["refreshSession"]["session"]["accessToken"]


async def known_source_id(victim: Victim) -> str:
    """Return the source id of a simulated learner with a history."""
    async with victim.parts.database.raw() as connection:
        found: str = await connection.fetchval(
            "SELECT l.source_id FROM learners l JOIN enrollments e ON e.learner_id = l.id "
            "WHERE l.source = 'simulated' GROUP BY l.id HAVING count(*) >= 5 ORDER BY l.id LIMIT 1"
        )
        return found


async def test_learner_with_a_history_is_answered_by_the_model(start: Any) -> None:
    """Courses that were not taken, best first, each with a reason; a course just enrolled in is gone at once."""
    async with start() as victim:
        await sign_up_with_history(victim)
        answer = await victim.recommended(first=20)
        assert "MODEL" == answer["strategy"]
        assert victim.engine.version == answer["modelVersion"]
        scores = [edge["score"] for edge in answer["edges"]]
        assert sorted(scores, reverse=True) == scores
        assert list(range(1, 21)) == [edge["rank"] for edge in answer["edges"]]
        assert all(edge["reasons"] for edge in answer["edges"])
        taken = await victim.ask("{ viewer { enrollments(first: 100) { nodes { course { id } } } } }")
        known = {node["course"]["id"] for node in taken["viewer"]["enrollments"]["nodes"]}
        shown = [edge["node"]["id"] for edge in answer["edges"]]
        assert not known & set(shown)
        await victim.ask(f'mutation {{ enroll(input: {{ courseId: "{shown[0]}" }}) {{ userErrors {{ code }} }} }}')
        again = await victim.recommended(first=20)
        assert "MODEL" == again["strategy"]
        assert shown[0] not in [edge["node"]["id"] for edge in again["edges"]]


async def test_new_learner_is_answered_by_preference_and_a_stranger_by_popularity(start: Any) -> None:
    """What was chosen at onboarding shows on the first page."""
    async with start() as victim:
        assert "POPULARITY" == (await victim.recommended())["strategy"]
        victim.token = await sign_up(victim)
        assert "POPULARITY" == (await victim.recommended())["strategy"]
        topics = (await victim.ask(TOPICS))["topics"]["nodes"]
        chosen = next(topic for topic in topics if topic["parent"] is not None)
        await victim.ask(
            f'mutation {{ saveLearningPreferences(input: {{ topicIds: ["{chosen["id"]}"], goals: [CURIOSITY], '
            'level: BEGINNER, languages: ["en"] }) { userErrors { code message } } }'
        )
        answer = await victim.ask("{ recommendedCourses(first: 3) { strategy nodes { topics { id } } } }")
        assert "PREFERENCE" == answer["recommendedCourses"]["strategy"]
        for node in answer["recommendedCourses"]["nodes"]:
            assert chosen["id"] in {topic["id"] for topic in node["topics"]}


async def test_valkey_killed_under_a_running_server(start: Any) -> None:
    """The online store is gone: popularity answers."""
    async with start() as victim:
        await sign_up_with_history(victim)
        assert "MODEL" == (await victim.recommended())["strategy"]
        victim.signal_valkey(signal.SIGKILL)
        answer = await victim.recommended()
        assert "POPULARITY" == answer["strategy"]
        assert answer["modelVersion"] is None
        assert 5 == len(answer["edges"])


async def test_valkey_that_hangs_and_comes_back(start: Any) -> None:
    """Slower than the deadline is as good as gone; when it answers again the model is back."""
    async with start() as victim:
        await sign_up_with_history(victim)
        victim.signal_valkey(signal.SIGSTOP)
        try:
            assert "POPULARITY" == (await victim.recommended())["strategy"]
        finally:
            victim.signal_valkey(signal.SIGCONT)
        # A server that shares its cores may be too slow for one answer, and no longer for all of them.
        async with asyncio.timeout(30):
            while True:
                victim.clock.now += timedelta(minutes=1)
                if "MODEL" == (await victim.recommended())["strategy"]:
                    break


async def test_stale_features_are_not_used(start: Any) -> None:
    """Features older than the limit of 14 days are as good as missing."""
    async with start() as victim:
        await sign_up_with_history(victim)
        for days, strategy in ((13, "MODEL"), (2, "POPULARITY")):
            victim.clock.now += timedelta(days=days)
            victim.token = None
            victim.token = (await victim.ask(SIGN_IN % "grace"))["signIn"]["session"]["accessToken"]
            assert strategy == (await victim.recommended())["strategy"]


async def test_damaged_release_is_refused_and_the_old_one_kept(start: Any) -> None:
    """A release whose features do not match, or whose files changed, is never loaded."""
    async with start() as victim:
        await sign_up_with_history(victim)
        before = victim.engine.version
        (folder,) = [path for path in victim.parts.models_dir.iterdir() if path.is_dir()]
        copy = folder.with_name("tampered")
        copy.mkdir()
        for path in folder.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        manifest = json.loads((copy / "release.json").read_text())
        manifest["vector_names"][0] = "something_else"
        (copy / "release.json").write_text(json.dumps(manifest))
        async with victim.parts.database.raw() as connection:
            await connection.execute("UPDATE model_releases SET status = 'retired'")
            await connection.execute(
                "INSERT INTO model_releases (version, status, location, digest, feature_service, metrics, "
                "training_rows, created_at, promoted_at) SELECT 'tampered', 'live', 'tampered', digest, "
                "feature_service, metrics, training_rows, created_at, promoted_at FROM model_releases"
            )
        await victim.engine.refresh()
        answer = await victim.recommended()
        assert ("MODEL", before) == (answer["strategy"], answer["modelVersion"])


async def test_canary_is_shown_until_it_ends_and_is_nobodys_trouble_when_it_is_damaged(start: Any) -> None:
    """Shown within one look; a process that cannot load it goes on with the live release, and all do when it ends."""
    async with start() as victim:
        await sign_up_with_history(victim)
        live = await victim.recommended()
        await _copy_release(victim, "second")
        place = (victim.parts.database, victim.parts.models_dir)
        await try_release(*place, "second", kind=TrialKind.CANARY, percent=100.0, now=victim.clock())
        await victim.engine.refresh()
        canary = await victim.recommended()
        assert live["modelVersion"] not in {None, "second"}
        assert "second" == canary["modelVersion"]
        assert all(edge["reasons"] for edge in canary["edges"])
        (victim.parts.models_dir / "second" / "ranker.ubj").write_bytes(b"")
        async with _another_engine(victim) as engine:
            assert (live["modelVersion"], "canary 100%") == (engine.version, str(engine.trial))
            assert engine.trial.model is None
        await end_trial(victim.parts.database, reason=None, now=victim.clock())
        await victim.engine.refresh()
        assert live == await victim.recommended()


async def _copy_release(victim: Victim, version: str) -> None:
    """Register the live release under another name, as a candidate."""
    async with victim.parts.database.reader() as reader:
        (row,) = await reader.fetch(RELEASES)
    folder = victim.parts.models_dir / row.location
    loaded = load_release(folder, row.digest)
    manifest = loaded.manifest.model_copy(update={"version": version})
    path = victim.parts.models_dir / version
    digest = write_release(path, manifest, loaded.ensemble, loaded.course_ids, loaded.similarities)
    names = ("feature_service", "metrics", "training_rows", "created_at")
    values = {name: getattr(row, name) for name in names}
    async with victim.parts.database.transaction() as connection:
        await register(connection, {**values, "version": version, "location": version, "digest": digest})


@pytest.mark.parametrize("part", ["release", "features"])
async def test_platform_without_a_model_or_features(start: Any, part: str) -> None:
    """Nothing was trained, or nothing was materialized: popularity answers."""
    table = {"release": "model_releases", "features": "feature_materializations"}[part]
    async with start() as victim:
        await sign_up_with_history(victim)
        async with victim.parts.database.raw() as connection:
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two names of ours.
        async with _another_engine(victim) as engine:
            assert engine.unready(victim.clock()) is not None


def _another_engine(victim: Victim) -> Any:
    from app.ranking import ranking_engine  # noqa: PLC0415 - Feast takes seconds to import.

    return ranking_engine(victim.parts)
