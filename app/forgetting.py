"""What a materialization forgets besides the lake: whoever deleted their account is left in no copy of the tables.

The lake forgets in `warehouse.export`, and the feature tables are computed from it anew. What is here is the rest:
Valkey, what releases were judged on, and the parts of interrupted trainings. Each place is looked through for everybody
who was ever erased, whatever earlier runs did, so that what was restored or left by a crash is forgotten too.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa

from app.erasures import forget_in_valkey
from app.feature_distributions import UNREADABLE
from core.errors import ReleaseError, UnavailableError
from database.queries import releases as release_queries
from database.queries.erasures import ERASURES, mark_forgotten
from database.session import Database
from feature_repo.services import declared_views, definitions, key_of
from feature_repo.sources import LEARNER_ACTIVITY
from features import learner
from serving.artifact import MANIFEST, read_extra, read_manifest, rewrite_release
from training.judgment import JUDGMENT, Judgment
from training.working import drop_all
from warehouse.forgetting import Forgotten
from warehouse.lake import analytics

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What a materialization did so that people who were erased are forgotten.

    Attributes:
        learners: how many the lake held something of.
        events: how many events were taken out of it.
        files: how many of its files were written anew.
        online: how many learners were deleted from the online store.
        lists: how many keys of ranked lists were deleted.
        releases: how many releases were written anew without decisions that they had been judged on.
        trainings: of how many interrupted trainings the parts were deleted.
        held: how many of them a table still holds that somebody else writes, by its view.
        kept: how many of them the folder of a release still holds that cannot be written anew, because it is damaged
            or not registered, by its name; None where nobody can tell.
    """

    learners: int = 0
    events: int = 0
    files: int = 0
    online: int = 0
    lists: int = 0
    releases: int = 0
    trainings: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether no copy is known to hold any of them."""
        return not self.held and not self.kept


@dataclass(frozen=True, slots=True)
class ForgottenByReleases:
    """What was forgotten of what releases were judged on.

    Attributes:
        rewritten: how many releases had to be written anew.
        kept: who is still in the folder of a release, by its name; None where nobody can tell.
    """

    rewritten: int = 0
    kept: Mapping[str, frozenset[int] | None] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[int]:
        """Who is known to be in some folder."""
        return frozenset[int]().union(*(each for each in self.kept.values() if each is not None))


async def forget(
    database: Database, data_dir: Path, lake: Forgotten, now: datetime, *, redis_url: str, project: str
) -> Forgetting:
    """Forget everybody who was erased in every place but the lake, and put on record who is forgotten everywhere.

    Args:
        database: says who, and keeps the record.
        data_dir: the feature tables, the releases and the parts of trainings are below it.
        lake: what was taken out of the lake, and for whom it was looked through.
        now: the moment for the record.
        redis_url: of Valkey.
        project: of the online store.

    Raises:
        UnavailableError: a place cannot be written; the next materialization goes on.
    """
    async with database.reader() as reader:
        rows = await reader.fetch(ERASURES)
    everybody = [row.learner_id for row in rows]
    held = await asyncio.to_thread(_held_by_others, data_dir, everybody)
    keys = await forget_in_valkey(redis_url, everybody, project=project)
    releases = await forget_in_releases(database, data_dir / "models", everybody)
    pending = {row.learner_id for row in rows if row.forgotten_at is None}
    # Nobody can look into them: what was made of the lake of before goes.
    trainings = await asyncio.to_thread(drop_all, data_dir / "training") if pending or lake.found else 0
    reached = lake.erased.difference(*held.values(), releases.known)
    if None in releases.kept.values():
        # Whoever waits may be in what cannot be read.
        reached = frozenset[int]()
    if again := (lake.found | pending) & reached:
        async with database.transaction() as connection:
            await mark_forgotten(connection, again, now)
    return Forgetting(
        learners=len(lake.found),
        events=lake.events,
        files=lake.files,
        online=keys.online,
        lists=keys.lists,
        releases=releases.rewritten,
        trainings=trainings,
        held={view: len(ids) for view, ids in held.items() if ids},
        kept={name: None if ids is None else len(ids) for name, ids in releases.kept.items()},
    )


def _held_by_others(data_dir: Path, learner_ids: Sequence[int]) -> dict[str, frozenset[int]]:
    """Return who of them is in a table that somebody else writes, by its view; one that is unreadable is left out."""
    found = {}
    views = [view for view in declared_views(definitions(data_dir)) if view.name != LEARNER_ACTIVITY]
    wanted = pa.table({learner.ENTITY: pa.array(learner_ids, pa.int64())})
    for view in views:
        if learner_ids and key_of(view) == learner.ENTITY:
            with suppress(*UNREADABLE), analytics() as connection:
                table = connection.read_parquet(view.batch_source.path)
                table = table.mutate(learner_id=table[learner.ENTITY].cast("int64"))
                held = table.semi_join(ibis.memtable(wanted), learner.ENTITY).select(learner.ENTITY).distinct()
                found[view.name] = frozenset(connection.to_pyarrow(held)[learner.ENTITY].to_pylist())
    return found


async def forget_in_releases(database: Database, models_dir: Path, learner_ids: Collection[int]) -> ForgottenByReleases:
    """Take learners out of what releases were judged on.

    A release is written beside itself and registered in its new place at once; then the old folder is deleted. A server
    that reads the old one at that moment goes on with what it has in memory and reads the new one at its next look.
    What cannot be verified is not written anew, and what nobody registered may be about to be: who is in there is told.

    Raises:
        UnavailableError: a folder cannot be written.
    """
    if not learner_ids:
        return ForgottenByReleases()
    async with database.transaction() as connection:
        await release_queries.take_turn(connection)
        rewritten = 0
        rows = await release_queries.all_releases(connection)
        for row in rows:
            location = _next_location(row.version, row.location)
            digest = await asyncio.to_thread(
                _without, models_dir / row.location, row.digest, models_dir / location, learner_ids
            )
            if digest is not None:
                await release_queries.relocate(connection, row.version, location, digest)
                rewritten += 1
    async with database.reader() as reader:
        places = {row.version: row.location for row in await reader.fetch(release_queries.RELEASES)}
    await asyncio.to_thread(_delete_left_folders, models_dir, places)
    return ForgottenByReleases(rewritten, await asyncio.to_thread(_kept, models_dir, frozenset(learner_ids)))


def _kept(models_dir: Path, learner_ids: frozenset[int]) -> dict[str, frozenset[int] | None]:
    """Return who of them is in any folder below the models, by its name; None where nobody can tell."""
    found: dict[str, frozenset[int] | None] = {}
    for path in sorted(models_dir.glob(f"*/{JUDGMENT}")):
        try:
            ids = learner_ids.intersection(Judgment.unpacked(path.read_bytes()).learner_ids.tolist())
        except FileNotFoundError:
            # A training or a rewriting has put its folder in its place meanwhile.
            continue
        except (OSError, ReleaseError):
            found[path.parent.name] = None
        else:
            if ids:
                found[path.parent.name] = ids
    return found


def _next_location(version: str, location: str) -> str:
    """Return the version with the next number; what an interrupted rewriting has left there is replaced."""
    found = re.fullmatch(rf"{re.escape(version)}\.(\d+)", location)
    return f"{version}.{1 if found is None else int(found[1]) + 1}"


def _without(folder: Path, digest: str, target: Path, learner_ids: Collection[int]) -> str | None:
    """Write a release without learners, and return its new digest; None when it holds nothing of them."""
    try:
        content = read_extra(folder, read_manifest(folder, digest), JUDGMENT)
        if content is None:
            return None
        judgment = Judgment.unpacked(content)
        others = judgment.without(np.fromiter(learner_ids, np.int64, len(learner_ids)))
        return None if others is judgment else rewrite_release(folder, digest, target, {JUDGMENT: others.packed()})
    except ReleaseError as error:
        # It is not served, promoted or rolled back to. Whether somebody is in it is looked for in `_kept`.
        _LOG.warning("A release cannot be written anew without people who were erased: %s", error)
        return None
    except OSError as error:
        raise UnavailableError(f"The release {target} cannot be written: {error}.") from error


def _delete_left_folders(models_dir: Path, places: dict[str, str]) -> None:
    """Delete folders of releases that are registered in another place, and drafts of rewriting that a crash left.

    Where the registered place has no release, as after a restore of one side, the others may be all that there is.
    """
    for version, location in places.items():
        if not (models_dir / location / MANIFEST).exists():
            continue
        ours = re.compile(rf"\.?{re.escape(version)}(\.\d+)?(\.draft)?")
        for folder in models_dir.glob(f"*{version}*"):
            if folder.name != location and ours.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
