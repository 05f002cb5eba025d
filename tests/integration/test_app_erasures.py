"""An erasure on a real PostgreSQL, Valkey and lake: no byte of the person is left in any copy, and others stay."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import pytest_asyncio
import redis
from pyarrow import parquet
from rich.console import Console
from sqlalchemy import insert, select, text, update

from app.cli import features as cli
from app.erasures import forget_in_valkey, forgetting
from app.feature_pipeline import FeaturePlaces, Materialization, materialize
from app.forgetting import Forgetting, ForgottenByReleases, forget_in_releases
from app.releases import list_releases, promote
from core.clock import ManualClock
from core.errors import InputError
from core.ids import time_ordered_uuid
from core.settings import DatabaseSettings
from database.notifications import listening
from database.session import Database
from database.tables.events import events as event_table
from database.tables.learners import erasures, learners
from database.tables.preferences import learning_preferences
from feature_repo.sources import LEARNER_ACTIVITY, table_path
from feature_repo.store import online_keys
from resolvers import enrollments, profile, sessions
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.profile import DeleteMyAccount
from resolvers.sessions import SignUp
from serving.artifact import MANIFEST
from serving.lists import ListPart, RankedLists
from serving.rankings import Strategy
from serving.releases import ReleaseHolder
from serving.valkey import valkey
from tests.judged_releases import judgment, write
from tests.small_accounts import EMAIL, NAME, PASSWORD, Contexts
from tests.small_learning import COURSE_ID
from tests.traces import DISTINCT, files_with, keys_with
from training.history import load_history
from training.judgment import JUDGMENT
from training.working import working
from warehouse.analytics import Analyst
from warehouse.export import export
from warehouse.lake import Lake, analytics
from warehouse.manifest import Manifest

LIFETIME = timedelta(minutes=30)
RELEASE = "20260301T120000000000Z"


@dataclass
class Copies:
    """A platform on which Ana, with an id that is easy to find, and Eva have done what leaves traces."""

    database: Database
    places: FeaturePlaces
    clock: ManualClock
    ana: Context
    eva: Context

    async def materialize(self) -> Materialization:
        """Materialize a minute later."""
        self.clock.now += timedelta(minutes=1)
        return await materialize(self.database, self.places, self.clock)

    async def delete_account(self) -> None:
        """Have Ana delete her account."""
        await profile.delete_my_account(self.ana, DeleteMyAccount(PASSWORD))

    def traces(self) -> tuple[set[str], set[bytes]]:
        """Return the files and the keys of Valkey that hold Ana's id."""
        return files_with(self.places.data_dir, DISTINCT), keys_with(self.places.redis_url, DISTINCT)

    def others(self) -> dict[str, Any]:
        """Return what lake, tables, Valkey and release hold of everybody else."""
        with analytics() as connection:
            log = self.places.lake.events(connection)
            found = connection.to_pyarrow(log.filter(log.learner_id != DISTINCT).order_by("event_id")).to_pylist()
            wishes = self.places.lake.preferences(connection)
            chosen = connection.to_pyarrow(wishes.filter(wishes.learner_id != DISTINCT)).to_pylist()
        table = parquet.ParquetFile(table_path(self.places.data_dir, LEARNER_ACTIVITY)).read().to_pylist()
        rows = sorted((row for row in table if row["learner_id"] != DISTINCT), key=str)
        (key,) = online_keys(self.places.project, [caller(self.eva).learner_id])
        with redis.Redis.from_url(self.places.redis_url) as client:
            online = {name: value for name, value in client.hgetall(key).items() if not name.startswith(b"_ts")}
        return {"events": found, "preferences": chosen, "table": rows, "online": online}

    async def forgotten_at(self) -> Any:
        """Return when Ana was on record as forgotten everywhere."""
        async with self.database.transaction() as connection:
            return (await connection.execute(select(erasures.c.forgotten_at))).scalar_one()


async def wish(database: Database, learner_id: int, now: Any) -> None:
    """Save what a learner wants."""
    row = {"learner_id": learner_id, "goals": [], "level": "BEGINNER", "languages": ["en"], "saved_at": now}
    async with database.transaction() as connection:
        await connection.execute(insert(learning_preferences), row)


async def keep_list(copies: Copies, learner_id: int) -> None:
    """Keep a ranked list of a learner, as serving does."""
    now, list_id = copies.clock(), time_ordered_uuid(copies.clock())
    async with valkey(copies.places.redis_url, patience=10.0) as store:
        lists = RankedLists(store, LIFETIME)
        part = ListPart("question", Strategy.POPULARITY, None, [[1, 1.0, []]], ended=True, made_at=now)
        await lists.keep(learner_id, list_id, 0, part, now)
        await lists.remember(learner_id, "state", list_id, now)


@pytest_asyncio.fixture
async def copies(
    content: Database, strangers: Contexts, clock: ManualClock, tmp_path: Path, valkey_url: str
) -> AsyncIterator[Copies]:
    """Everything that is copied, of both."""
    eva, ana = strangers(), strangers()
    await sessions.sign_up(eva, SignUp("eva@example.com", PASSWORD, "Eva"))
    async with content.transaction() as connection:
        await connection.execute(text(f"ALTER SEQUENCE learners_id_seq RESTART WITH {DISTINCT}"))
    await sessions.sign_up(ana, SignUp(EMAIL, PASSWORD, NAME))
    assert DISTINCT == caller(ana).learner_id
    places = FeaturePlaces(tmp_path / "data", valkey_url, project=f"test_{UUID(int=id(clock)).hex}")
    made = Copies(content, places, clock, ana, eva)
    for one in (eva, ana):
        await enrollments.enroll(one, enrollments.Enroll(COURSE_ID))
        await wish(content, caller(one).learner_id, clock())
    judged = judgment([1] * 30)
    ids = judged.learner_ids.copy()
    ids[7] = DISTINCT
    await write(content, places.data_dir / "models", clock, RELEASE, replace(judged, learner_ids=ids))
    await made.materialize()
    for one in (eva, ana):
        await keep_list(made, caller(one).learner_id)
    with pytest.raises(KeyboardInterrupt):
        _interrupted_training(places.data_dir / "training")
    yield made
    await forget_in_valkey(valkey_url, [DISTINCT, caller(eva).learner_id], project=places.project)


def _interrupted_training(folder: Path) -> None:
    with working(folder, "key") as parts:
        parts.keep("examples", {"learners": np.array([DISTINCT])})
        raise KeyboardInterrupt


async def test_an_erased_person_is_in_no_copy(copies: Copies) -> None:
    """The next materialization finds and removes every trace, tells how many, and leaves others as they were."""
    files, keys = copies.traces()
    assert {"lake", "features", "models", "training"} == {name.split("/")[0] for name in files}
    assert {"events", "preferences"} <= {name.split("/")[1] for name in files if name.startswith("lake/")}
    assert 3 == len(keys)
    before = copies.others()
    await copies.delete_account()
    assert (files, keys) == copies.traces()
    assert await copies.forgotten_at() is None

    done = await copies.materialize()

    assert (set(), set()) == copies.traces()
    assert before == copies.others()
    told = done.forgetting
    assert (1, 1, 1, 1, 2, 1, 1) == (
        told.learners, told.events, told.files, told.online, told.lists, told.releases, told.trainings
    )  # fmt: skip
    assert copies.clock() == await copies.forgotten_at()
    # The release serves as before, from its new place, and is judged on everybody else.
    assert [f"{RELEASE}.1"] == _names(copies.places.data_dir / "models")
    await promote(
        copies.database, copies.places.data_dir / "models", RELEASE, force=True, reason="Because.", now=copies.clock()
    )
    holder = ReleaseHolder(copies.database, copies.places.data_dir / "models")
    assert await holder.refresh_if_newer()
    assert [f"{RELEASE}.1"] == [row.location for row in await list_releases(copies.database)]


async def test_a_repetition_changes_nothing(copies: Copies, tmp_path: Path, clock: ManualClock) -> None:
    """The lake is then the one that a first export of the same database gives."""
    await copies.delete_account()
    first = await copies.materialize()
    at = await copies.forgotten_at()
    again = await copies.materialize()
    assert (0, 0, 0, 0, 0) == (
        again.forgetting.learners,
        again.forgetting.files,
        again.forgetting.online,
        again.forgetting.releases,
        again.forgetting.lists,
    )
    assert (False, first.export.fingerprint, at) == (
        again.export.changed,
        again.export.fingerprint,
        await copies.forgotten_at(),
    )
    anew = await export(copies.database, Lake(tmp_path / "anew"), clock)
    assert (first.export.fingerprint, first.export.total) == (anew.fingerprint, anew.total)


async def test_what_is_restored_is_forgotten_again(copies: Copies) -> None:
    """A lake of before the erasure, and events that come after it, bring nobody back."""
    backup = copies.places.data_dir.with_name("backup")
    shutil.copytree(copies.places.data_dir, backup)
    await copies.delete_account()
    await copies.materialize()
    shutil.rmtree(copies.places.data_dir / "lake")
    shutil.copytree(backup / "lake", copies.places.data_dir / "lake")
    late = {"kind": "enrolled", "learner_id": DISTINCT, "occurred_at": copies.clock(), "recorded_at": copies.clock()}
    async with copies.database.transaction() as connection:
        await connection.execute(insert(event_table), late)
    done = await copies.materialize()
    assert (1, 1) == (done.forgetting.learners, done.forgetting.events)
    assert (set(), set()) == copies.traces()
    assert copies.clock() == await copies.forgotten_at()


class KilledError(BaseException):
    """The process ends here."""


async def test_a_crash_anywhere_is_completed_by_the_next_run(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is killed between files, readers find whole files, and the next run gives the same lake."""
    for day in range(5):
        at = copies.clock() - timedelta(days=40 + day)
        rows = [
            {"kind": "enrolled", "learner_id": one, "course_id": 2, "occurred_at": at, "recorded_at": at}
            for one in (DISTINCT, caller(copies.eva).learner_id)
        ]
        async with copies.database.transaction() as connection:
            await connection.execute(insert(event_table), rows)
    await copies.materialize()
    before = copies.others()
    await copies.delete_account()
    whole = copies.places.lake.path
    backup = whole.with_name("backup")
    shutil.copytree(whole, backup)
    fingerprint = (await export(copies.database, copies.places.lake, copies.clock)).fingerprint
    steps = 0
    while True:
        shutil.rmtree(whole)
        shutil.copytree(backup, whole)
        with monkeypatch.context() as patch:
            left = [steps]
            for name in ("replace", "unlink"):
                patch.setattr(os, name, _killing(getattr(os, name), left))
            try:
                await export(copies.database, copies.places.lake, copies.clock)
            except KilledError:
                steps += 1
            else:
                break
        assert before["events"] == copies.others()["events"]
        assert fingerprint == (await export(copies.database, copies.places.lake, copies.clock)).fingerprint
        assert set() == files_with(whole, DISTINCT)
        assert before["events"] == copies.others()["events"]
    # The manifest was replaced, and six files of events and two snapshots of preferences were deleted.
    assert steps >= 8
    shutil.rmtree(backup)


def _killing(step: Any, left: list[int]) -> Any:
    def killed(*arguments: Any, **named: Any) -> Any:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        return step(*arguments, **named)

    return killed


async def test_readers_meanwhile_see_the_lake_of_before_or_after(copies: Copies) -> None:
    """Who reads while files are deleted reads again, and never sees others' events missing, or an error."""
    lake, eva = copies.places.lake, caller(copies.eva).learner_id
    for day in range(30):
        at = copies.clock() - timedelta(days=40 + day)
        rows = [
            {"kind": "enrolled", "learner_id": one, "course_id": course, "occurred_at": at, "recorded_at": at}
            for one in (DISTINCT, eva)
            for course in (2 + day % 10,)
        ]
        async with copies.database.transaction() as connection:
            await connection.execute(insert(event_table), rows)
    await export(copies.database, lake, copies.clock)
    before, backup = lake.contents(), lake.path.with_name("backup")
    shutil.copytree(lake.path, backup)
    await copies.delete_account()
    analyst = Analyst(lake.path, patience=60.0)
    read: list[tuple[int, int]] = []
    failures: list[BaseException] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            try:
                # Not of an earlier question, which would be answered from memory.
                analyst._known.clear()
                history = load_history(lake, {})
                report = analyst.platform()
                assert report is not None
                mine = int((history.learner_ids[history.interactions.learners] == eva).sum())
                read.append((mine, report.days[0].enrollments))
            except BaseException as error:  # noqa: BLE001 - that is what is looked for.
                failures.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for turn in range(20):
            await export(copies.database, lake, copies.clock)
            # The lake of before comes back: its files first, then its manifest.
            for file in before.files:
                # A file that is listed all along is never written again.
                if not (lake.path / file.path).exists():
                    shutil.copy(backup / file.path, lake.path / file.path)
            lake.commit(before.model_copy(update={"exported_at": before.exported_at + timedelta(seconds=turn)}))
    finally:
        ended.set()
        await asyncio.to_thread(reader.join)
    assert [] == failures
    assert {11} == {mine for mine, _ in read}
    assert {1, 2} >= {first for _, first in read}


async def test_who_reads_by_the_manifest_of_before_reads_again(copies: Copies) -> None:
    """A file that was deleted between the manifest and the reading of it is no error and hides nothing."""
    lake, loop = copies.places.lake, asyncio.get_running_loop()
    before = lake.contents()
    await copies.delete_account()
    listed: list[Manifest] = []

    def read() -> int:
        listed.append(lake.contents())
        if listed == [before]:
            asyncio.run_coroutine_threadsafe(export(copies.database, lake, copies.clock), loop).result(60)
        with analytics() as connection:
            return int(lake.table(connection, listed[-1].events).count().execute())

    rows = await asyncio.to_thread(lake.reading, read)
    assert [before, lake.contents()] == listed
    assert 0 < rows < before.event_count


async def test_serving_forgets_in_valkey_without_a_materialization(copies: Copies, database_url: str) -> None:
    """Moments after the commit nothing of them is in Valkey, and what is written again is deleted at the next look."""
    project = copies.places.project
    (key,) = online_keys(project, [DISTINCT])
    assert key in copies.traces()[1]
    # The online store of the platform, and not the one of this test.
    (served,) = online_keys("waymark", [DISTINCT])
    with redis.Redis.from_url(copies.places.redis_url) as client:
        client.hset(served, "name", "value")
        async with (
            listening(database_url, DatabaseSettings()) as notifications,
            forgetting(
                copies.database,
                copies.places.redis_url,
                copies.clock,
                notifications,
                list_lifetime=LIFETIME,
                interval=0.1,
            ),
        ):
            await copies.delete_account()
            await _until(lambda: {key} == copies.traces()[1])
            # As by a materialization that was killed before it forgot.
            client.hset(served, "name", "value")
            await _until(lambda: not client.exists(served))
    assert await copies.forgotten_at() is None


async def test_serving_outlives_a_valkey_that_is_away(copies: Copies, database_url: str, caplog: Any) -> None:
    """It is told in the log, and the next look comes."""
    nowhere = "redis://127.0.0.1:1/0"
    await copies.delete_account()
    async with (
        listening(database_url, DatabaseSettings()) as notifications,
        forgetting(copies.database, nowhere, copies.clock, notifications, list_lifetime=LIFETIME, interval=0.01),
    ):
        await _until(lambda: caplog.text.count("stays in Valkey for now") >= 2)


async def _until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110 - Valkey has no event for it.
        await asyncio.sleep(0.02)


async def test_a_table_of_somebody_else_is_named(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is theirs to write; until they do, the erasure is not on record as complete, and nothing of it is online."""
    from feast import FeatureView, FileSource  # noqa: PLC0415 - after our import has kept its filters out.

    from feature_repo import services  # noqa: PLC0415 - as above.
    from feature_repo.entities import learner_entity  # noqa: PLC0415 - as above.
    from feature_repo.expectations import number  # noqa: PLC0415 - as above.

    path = copies.places.data_dir / "signals.parquet"
    rows = {"learner_id": [DISTINCT, 1], "mood": [1.0, 2.0]}
    stamps = pd.Series([copies.clock()] * 2).astype("datetime64[us, UTC]")
    pd.DataFrame({**rows, "event_timestamp": stamps}).to_parquet(path)
    view = FeatureView(
        name="signals",
        entities=[learner_entity()],
        ttl=timedelta(0),
        schema=[number("mood", "As somebody says.")],
        source=FileSource(name="signals_table", path=str(path), timestamp_field="event_timestamp"),
    )
    monkeypatch.setattr(services, "_added", lambda _: [view])
    await copies.delete_account()
    done = await copies.materialize()
    assert {"signals": 1} == done.forgetting.held
    assert ({"signals.parquet"}, set()) == copies.traces()
    assert await copies.forgotten_at() is None
    pd.DataFrame({"learner_id": [1], "mood": [2.0], "event_timestamp": stamps[1:]}).to_parquet(path)
    assert {} == (await copies.materialize()).forgetting.held
    assert copies.clock() == await copies.forgotten_at()


async def test_an_imported_learner_leaves_a_keyed_hash(copies: Copies) -> None:
    """Not the source's own id, which would tell who it was."""
    async with copies.database.transaction() as connection:
        await connection.execute(
            update(learners).where(learners.c.id == DISTINCT).values(source="udemy", source_id="learner-0815")
        )
    await copies.delete_account()
    async with copies.database.transaction() as connection:
        row = (await connection.execute(select(erasures.c.source, erasures.c.source_index))).one()
    assert ("udemy", copies.ana.services.cipher.source_index("udemy", "learner-0815")) == (row[0], bytes(row[1]))
    assert b"0815" not in bytes(row[1])


async def test_only_copies_of_a_release_that_is_there_are_deleted(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """What a crash left of a rewriting goes; where the registered folder is missing, another may be all there is."""
    await write(database, tmp_path, clock, RELEASE, judgment([1] * 30))
    for left in (f"{RELEASE}.1", f".{RELEASE}.1.draft", f"{RELEASE}.mine", "another"):
        shutil.copytree(tmp_path / RELEASE, tmp_path / left)
    assert ForgottenByReleases() == await forget_in_releases(database, tmp_path, [DISTINCT])
    assert {RELEASE, f"{RELEASE}.mine", "another"} == set(_names(tmp_path))
    shutil.move(tmp_path / RELEASE, tmp_path / f"{RELEASE}.2")
    assert ForgottenByReleases() == await forget_in_releases(database, tmp_path, [DISTINCT])
    assert f"{RELEASE}.2" in _names(tmp_path)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_run_tells_what_it_removed() -> None:
    """In a line, and a line for each table that others must clean; nothing removed is nothing said."""
    told = StringIO()
    console = Console(file=told, width=200)
    cli._print_forgetting(console, Forgetting())
    assert not told.getvalue()
    cli._print_forgetting(console, Forgetting(learners=1, events=3, online=1, held={"signals": 2}))
    assert [
        "Who was erased is forgotten; changed or deleted: 3 events of the lake, 1 learners online.",
        "The table of signals still holds 2 who were erased: whoever writes it must leave them out.",
    ] == told.getvalue().splitlines()
    cli._print_forgetting(console, Forgetting(kept={"a": None, "b": 2}))
    assert "The folder models/a may hold people who were erased: it is damaged" in told.getvalue()
    assert "The folder models/b still holds 2 who were erased: it is damaged" in told.getvalue()


@pytest.mark.parametrize("unreadable", [False, True])
async def test_a_damaged_release_is_told(copies: Copies, *, unreadable: bool) -> None:
    """It is not written anew; the erasure is on record when it is restored or deleted, and not before."""
    models = copies.places.data_dir / "models"
    (registered,) = [path for path in models.iterdir() if (path / JUDGMENT).exists()]
    damaged = registered / (JUDGMENT if unreadable else MANIFEST)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-50])
    await copies.delete_account()
    for _ in range(2):
        done = await copies.materialize()
        assert {registered.name: None if unreadable else 1} == done.forgetting.kept
        assert not done.forgetting.complete
        assert await copies.forgotten_at() is None
    damaged.write_bytes(content)
    done = await copies.materialize()
    assert (1, {}) == (done.forgetting.releases, done.forgetting.kept)
    assert copies.clock() == await copies.forgotten_at()


async def test_a_folder_that_no_register_has_is_told(copies: Copies) -> None:
    """A crash before a release is registered leaves one; a training may be about to register it."""
    models = copies.places.data_dir / "models"
    (registered,) = [path for path in models.iterdir() if (path / JUDGMENT).exists()]
    shutil.copytree(registered, models / "20260101T000000000000Z")
    await copies.delete_account()
    done = await copies.materialize()
    assert (1, {"20260101T000000000000Z": 1}) == (done.forgetting.releases, done.forgetting.kept)
    assert await copies.forgotten_at() is None
    shutil.rmtree(models / "20260101T000000000000Z")
    assert (await copies.materialize()).forgetting.complete
    assert copies.clock() == await copies.forgotten_at()


async def test_a_damaged_lake_is_told(copies: Copies) -> None:
    """What cannot be looked through cannot be called forgotten."""
    await copies.delete_account()
    (first, *_) = copies.places.lake.contents().events
    (copies.places.lake.path / first.path).write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(InputError, match="damaged"):
        await copies.materialize()
