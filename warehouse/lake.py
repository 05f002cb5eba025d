"""The lake: the event log and its dimensions as Parquet files in one folder, read with DuckDB through ibis.

manifest.json                         which files count; replaced atomically, it is the commit
events/date=2026-03-01/<batch>.parquet    events by the UTC day that they happened on
courses/<digest>.parquet              the course dimension, as it was at the last export
preferences/<digest>.parquet          learning preferences, likewise
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb
import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend
from pyarrow import parquet

from core.disk import flush
from core.errors import InputError, UnavailableError
from warehouse.manifest import LakeFile, Manifest, read_manifest

ResultT = TypeVar("ResultT")

_MOMENT = pa.timestamp("us", tz="UTC")
_IDS = pa.list_(pa.int64())

EVENTS = pa.schema(
    [
        ("event_id", pa.int64()),
        ("kind", pa.string()),
        ("learner_id", pa.int64()),
        ("course_id", pa.int64()),
        ("occurred_at", _MOMENT),
        ("recorded_at", _MOMENT),
        ("recommendation_id", pa.string()),
        ("payload", pa.string()),
    ]
)
COURSES = pa.schema(
    [
        ("course_id", pa.int64()),
        ("topic_ids", _IDS),
        ("skill_ids", _IDS),
        ("instructor_ids", _IDS),
        ("prerequisite_ids", _IDS),
        ("level", pa.string()),
        ("language", pa.string()),
        ("status", pa.string()),
        ("duration_minutes", pa.int64()),
        ("published_at", _MOMENT),
        ("title", pa.string()),
    ]
)
PREFERENCES = pa.schema(
    [
        ("learner_id", pa.int64()),
        ("topic_ids", _IDS),
        ("level", pa.string()),
        ("goals", pa.list_(pa.string())),
        ("languages", pa.list_(pa.string())),
        ("saved_at", _MOMENT),
    ]
)


@contextmanager
def analytics(memory_limit: str = "2GB") -> Iterator[Backend]:
    """Open a DuckDB of its own, in memory, that spills to a temporary folder and never loads anything from outside."""
    spill = tempfile.mkdtemp(prefix="waymark-duckdb-")
    connection = ibis.duckdb.connect(
        memory_limit=memory_limit,
        temp_directory=spill,
        autoinstall_known_extensions=False,
        preserve_insertion_order=False,
    )
    try:
        yield connection
    finally:
        connection.disconnect()
        shutil.rmtree(spill, ignore_errors=True)


class Lake:
    """A lake in a folder, which appears with the first export.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def manifest_path(self) -> Path:
        """The file whose replacement commits an export."""
        return self.path / "manifest.json"

    def manifest(self) -> Manifest | None:
        """Return what the lake holds; None before the first export.

        Raises:
            InputError: the manifest is damaged or of a newer version.
        """
        try:
            content = self.manifest_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"The lake {self.path} cannot be read: {error.strerror}.") from error
        return read_manifest(content, str(self.manifest_path))

    def contents(self) -> Manifest:
        """Return what the lake holds.

        Raises:
            InputError: nothing was exported yet, or the manifest cannot be used.
        """
        manifest = self.manifest()
        if manifest is None:
            raise InputError(f"The lake {self.path} is empty; `waymark features materialize` fills it.")
        return manifest

    def events(self, connection: Backend) -> ibis.Table:
        """Return the events (schema `EVENTS`), in no particular order.

        Args:
            connection: the caller's; the table is read from it, and not after it is closed.

        Raises:
            InputError: nothing was exported yet, or a file is missing.
        """
        files = self.contents().events
        return self.table(connection, files) if files else ibis.memtable(EVENTS.empty_table())

    def courses(self, connection: Backend) -> ibis.Table:
        """Return the course dimension (schema `COURSES`) of the last export; arguments and errors as for `events`."""
        return self._snapshot(connection, self.contents().courses, COURSES)

    def preferences(self, connection: Backend) -> ibis.Table:
        """Return learning preferences (schema `PREFERENCES`); arguments and errors as for `events`."""
        return self._snapshot(connection, self.contents().preferences, PREFERENCES)

    def reading(self, read: Callable[[], ResultT]) -> ResultT:
        """Return what `read` returns, which asks for tables of the lake and computes what it wants of them.

        No file ever changes, but one that holds somebody who was erased is deleted when the next manifest lists another
        in its place. Whoever still reads by the manifest of before is told that a file is missing: then all is read
        again, by the new one.

        Raises:
            InputError: as for `events`; nothing was deleted meanwhile.
        """
        while True:
            before = self.contents()
            try:
                return read()
            except (duckdb.Error, InputError):
                if self.contents() == before:
                    raise

    def _snapshot(self, connection: Backend, file: LakeFile | None, schema: pa.Schema) -> ibis.Table:
        return ibis.memtable(schema.empty_table()) if file is None else self.table(connection, (file,))

    def table(self, connection: Backend, files: Sequence[LakeFile], *, named: bool = False) -> ibis.Table:
        """Return the rows of files, with the column `filename` if that is wanted; as for `events` otherwise."""
        paths = [str(self.path / file.path) for file in files]
        try:
            # The folder's name says the day again; the files are complete without it.
            return connection.read_parquet(paths, hive_partitioning=False, filename=named)
        except duckdb.Error as error:
            raise self.damaged(error) from error

    def damaged(self, error: Exception) -> InputError:
        """Return what to tell of a file that cannot be read."""
        return InputError(f"The lake {self.path} is damaged: {_first_line(error)} Delete its folder to export it anew.")

    def read(self, name: str) -> pa.Table:
        """Return the rows of one file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            # Not as a data set: the folder's name would become a column.
            return parquet.ParquetFile(self.path / name).read()
        except (OSError, pa.ArrowException) as error:
            raise self.damaged(error) from error

    def write(self, name: str, table: pa.Table) -> LakeFile:
        """Write a file that does not count until a manifest lists it; an orphan of the same name is replaced.

        Raises:
            UnavailableError: the disk is full, or the folder cannot be written.
        """
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(table, path, compression="zstd")
            flush(path)
            flush(path.parent)
        except OSError as error:
            raise UnavailableError(f"The lake file {path} cannot be written: {error}.") from error
        return LakeFile(path=name, rows=table.num_rows)

    def commit(self, manifest: Manifest) -> None:
        """Make what a manifest lists the lake's content, all at once.

        Raises:
            UnavailableError: it cannot be written; then nothing has changed.
        """
        draft = self.manifest_path.with_suffix(".draft")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            draft.write_text(manifest.model_dump_json(), encoding="utf-8")
            flush(draft)
            draft.replace(self.manifest_path)
            flush(self.path)
        except OSError as error:
            raise UnavailableError(f"The lake {self.path} cannot be written: {error.strerror}.") from error

    def prune(self, *manifests: Manifest) -> None:
        """Delete every file that none of the manifests lists."""
        kept = {self.path / file.path for manifest in manifests for file in manifest.files}
        for path in self.path.glob("*/**/*.parquet"):
            if path not in kept:
                path.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return f"{str(error).partition(chr(10))[0].rstrip('.')}."
