"""The export: events from the outbox to the lake, each exactly once, and snapshots of what they speak of.

Events are read in the order of their transactions, and only those of transactions older than every one still
running: a slow transaction's events are waited for and never skipped. The manifest is the commit; whatever a
crash leaves behind before it is not listed, and the next export writes the same files again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from core.clock import Clock
from core.errors import InputError
from database.leases import RawConnection
from database.queries.erasures import ERASURES
from database.queries.exports import (
    COURSE_DIMENSION,
    EXPORT_LOCK,
    FINAL_EVENTS,
    HORIZON,
    PLATFORM,
    PREFERENCE_DIMENSION,
    WAITING_EVENTS,
    EventRow,
    turn,
)
from database.rows import Row
from database.session import Database
from database.statements import Statement
from warehouse.digests import as_text, event_digest
from warehouse.forgetting import NOBODY, Forgotten, rewrite
from warehouse.lake import COURSES, EVENTS, PREFERENCES, Lake
from warehouse.manifest import LakeFile, Manifest, Watermark

_FETCH = 10_000
# Events that are sorted into days at once: about 100 bytes each in memory, as Arrow.
_BATCH = 500_000
_WRITERS = 8


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did.

    Attributes:
        events: how many were new.
        total: how many the lake holds now.
        waiting: how many are committed but wait for an older transaction to end.
        courses: rows of the course dimension.
        fingerprint: of the lake's content.
        changed: whether the lake's content is another than before.
        forgotten: what was taken out of the lake, of people who were erased.
    """

    events: int
    total: int
    waiting: int
    courses: int
    fingerprint: str
    changed: bool
    forgotten: Forgotten = NOBODY


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What is written whole at each export."""

    name: str
    statement: Statement[Any]
    schema: pa.Schema


_COURSES = _Dimension("courses", COURSE_DIMENSION, COURSES)
_PREFERENCES = _Dimension("preferences", PREFERENCE_DIMENSION, PREFERENCES)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Events in the order of their transactions, from `first` to `last`; `digest` is the sum of theirs."""

    first: Watermark
    last: Watermark
    table: pa.Table
    digest: int


async def export(database: Database, lake: Lake, clock: Clock) -> ExportReport:
    """Bring the lake up to the outbox, and have it forget who was erased.

    Nothing new changes no file; one export runs at a time, others wait.

    Raises:
        InputError: the lake belongs to another database, to a later state of it, or to a newer Waymark.
        UnavailableError: the lake cannot be written.
    """
    async with (
        turn(database, EXPORT_LOCK) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        before = await _starting_point(connection, lake, clock)
        # Of the same snapshot as the events, among which nobody is who is erased in it.
        erased = [row.learner_id for row in await _rows(connection, ERASURES)]
        rewriting = await asyncio.to_thread(rewrite, lake, before, erased)
        files: list[LakeFile] = []
        watermark, digest = before.watermark, int(before.event_digest or "0", 16) - rewriting.digest
        async for batch in _batches(connection, before.watermark):
            files += await asyncio.to_thread(_write_days, lake, batch)
            watermark, digest = batch.last, digest + batch.digest
        courses = await _snapshot(connection, lake, _COURSES, before.courses)
        preferences = await _snapshot(connection, lake, _PREFERENCES, before.preferences)
        waiting = (await _rows(connection, WAITING_EVENTS))[0].count
        after = before.model_copy(
            update={
                "exported_at": clock(),
                "watermark": watermark,
                "events": (*rewriting.applied(before.events), *files),
                "courses": courses,
                "preferences": preferences,
                "event_digest": as_text(digest),
            }
        )
        after = after.model_copy(update={"fingerprint": after.content_fingerprint()})
        changed = after.fingerprint != before.fingerprint or after.watermark != before.watermark
        if changed:
            await asyncio.to_thread(lake.commit, after)
        if erased:
            # They may be in any file that does not count: of before, or left behind by a crash.
            await asyncio.to_thread(lake.prune, after)
        elif changed:
            await asyncio.to_thread(lake.prune, after, before)
        added, forgotten = sum(file.rows for file in files), rewriting.forgotten
        return ExportReport(added, after.event_count, waiting, courses.rows, after.fingerprint, changed, forgotten)


async def _starting_point(connection: RawConnection, lake: Lake, clock: Clock) -> Manifest:
    platform_id = (await _rows(connection, PLATFORM))[0].id
    manifest = await asyncio.to_thread(lake.manifest)
    if manifest is None:
        return Manifest(platform_id=platform_id, exported_at=clock())
    if manifest.platform_id != platform_id:
        raise InputError(
            f"The lake {lake.path} was exported from another database (platform {manifest.platform_id}, and this is "
            f"{platform_id}). Use another data folder, or delete the lake's folder to export it anew."
        )
    horizon = (await _rows(connection, HORIZON))[0].transaction_id
    if manifest.watermark.transaction_id >= horizon:
        raise InputError(
            f"The lake {lake.path} holds events that are later than this database, which was perhaps restored from "
            "a backup. Delete the lake's folder to export it anew."
        )
    return manifest


async def _batches(connection: RawConnection, watermark: Watermark) -> AsyncIterator[_Batch]:
    """Yield the final events after a watermark; batches of the same events begin at the same ones."""
    values = {"transaction_id": str(watermark.transaction_id), "id": watermark.event_id}
    cursor = await connection.cursor(FINAL_EVENTS.sql, *FINAL_EVENTS.arguments(values), record_class=FINAL_EVENTS.row)
    chunks: list[_Batch] = []
    while rows := await cursor.fetch(_FETCH):
        chunks.append(await asyncio.to_thread(_chunk, rows))
        if sum(chunk.table.num_rows for chunk in chunks) >= _BATCH:
            yield _joined(chunks)
            chunks = []
    if chunks:
        yield _joined(chunks)


def _chunk(rows: Sequence[EventRow]) -> _Batch:
    columns = {"event_id": [row.id for row in rows]}
    columns |= {name: [row[name] for row in rows] for name in EVENTS.names[1:]}
    # Microseconds become moments by a cast that costs nothing.
    arrays = [pa.array(columns[field.name], _stored(field.type)).cast(field.type) for field in EVENTS]
    first, last = (Watermark(transaction_id=row.transaction_id, event_id=row.id) for row in (rows[0], rows[-1]))
    return _Batch(first, last, pa.Table.from_arrays(arrays, schema=EVENTS), sum(map(_digest, rows)))


def _stored(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def _joined(chunks: Sequence[_Batch]) -> _Batch:
    tables = pa.concat_tables([chunk.table for chunk in chunks])
    return _Batch(chunks[0].first, chunks[-1].last, tables, sum(chunk.digest for chunk in chunks))


def _write_days(lake: Lake, batch: _Batch) -> list[LakeFile]:
    """Write one file for each day of a batch, named for the batch's first event."""
    days = batch.table["occurred_at"].to_numpy().astype("datetime64[D]")
    order = np.argsort(days, kind="stable")
    table, days = batch.table.take(pa.array(order)), days[order]
    starts = np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]])).tolist()
    ends = [*starts[1:], len(days)]
    name = f"{batch.first.transaction_id}-{batch.first.event_id}.parquet"
    parts = [table.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]
    names = [f"events/date={days[start]}/{name}" for start in starts]
    # Waiting for the disk is most of it, and many can wait at once.
    with ThreadPoolExecutor(_WRITERS) as pool:
        return list(pool.map(lake.write, names, parts))


def _digest(row: EventRow) -> int:
    told = (row.id, row.kind, row.learner_id, row.course_id, row.occurred_at, row.recommendation_id, row.payload)
    return event_digest(*told)


async def _snapshot(connection: RawConnection, lake: Lake, dimension: _Dimension, before: LakeFile | None) -> LakeFile:
    """Write a dimension to a file named for its content, unless it is the one that the lake has."""
    rows = await _rows(connection, dimension.statement)
    return await asyncio.to_thread(_write_snapshot, lake, dimension, rows, before)


def _write_snapshot(lake: Lake, dimension: _Dimension, rows: Sequence[Row], before: LakeFile | None) -> LakeFile:
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        digest.update(orjson.dumps(list(row)))
    path = f"{dimension.name}/{digest.hexdigest()}.parquet"
    if before is not None and before.path == path:
        return before
    columns = {field: [row[field] for row in rows] for field in dimension.schema.names}
    return lake.write(path, pa.table(columns, schema=dimension.schema))


async def _rows(connection: RawConnection, statement: Statement[Any]) -> list[Any]:
    rows: list[Any] = await connection.fetch(statement.sql, record_class=statement.row)
    return rows
