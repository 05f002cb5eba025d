"""What the lake holds of people who were erased: found in its own files, so that it matters not how it came there.

A lake that was restored, a second one, or one in which an earlier run was killed is looked through like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import ibis
import pyarrow as pa
from pyarrow import compute

from warehouse.digests import digest_of
from warehouse.lake import Lake, analytics
from warehouse.manifest import LakeFile, Manifest

_WRITERS = 8
_NAME = re.compile(r"(.*?)(?:\.r(\d+))?(?:\.parquet)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an export took out of the lake.

    Attributes:
        erased: ids of everybody who was erased when it was looked.
        found: ids of those of whom the lake still held something.
        events: how many events were taken out.
        files: how many files were written anew without them.
    """

    erased: frozenset[int] = frozenset()
    found: frozenset[int] = frozenset()
    events: int = 0
    files: int = 0


NOBODY = Forgotten()
"""Nobody was erased, and nothing taken out."""


class Rewriting(NamedTuple):
    """Files that were written anew, under new names that no manifest lists yet.

    Attributes:
        forgotten: what they leave out.
        replaced: the file in the place of another, by the path of that one; None where nothing is left of it.
        digest: sum of the digests of the events that are left out.
    """

    forgotten: Forgotten
    replaced: Mapping[str, LakeFile | None]
    digest: int

    def applied(self, files: Iterable[LakeFile]) -> tuple[LakeFile, ...]:
        """Return files with those in their places that were written anew."""
        found = (self.replaced.get(file.path, file) for file in files)
        return tuple(file for file in found if file is not None)


class _Part(NamedTuple):
    """What one file held of people who were erased."""

    path: str
    file: LakeFile | None
    found: frozenset[int]
    events: int
    digest: int


def rewrite(lake: Lake, manifest: Manifest, erased: Sequence[int]) -> Rewriting:
    """Write every file of events anew that holds somebody who was erased.

    Preferences need no such thing: each export writes all of them, and whoever was erased has none.

    Args:
        lake: to look through.
        manifest: what it holds.
        erased: ids of learners.

    Raises:
        InputError: a file of the lake cannot be read.
        UnavailableError: a file cannot be written.
    """
    paths = _holders(lake, manifest.events, erased) if erased and manifest.events else []
    ids = pa.array(erased, pa.int64())
    with ThreadPoolExecutor(_WRITERS) as pool:
        parts = list(pool.map(lambda path: _rewritten(lake, path, ids), paths))
    forgotten = Forgotten(
        erased=frozenset(erased),
        found=frozenset().union(*(part.found for part in parts)),
        events=sum(part.events for part in parts),
        files=len(parts),
    )
    return Rewriting(forgotten, {part.path: part.file for part in parts}, sum(part.digest for part in parts))


def _holders(lake: Lake, files: Sequence[LakeFile], erased: Sequence[int]) -> list[str]:
    """Return the paths of the files in which one of the learners occurs."""
    wanted = ibis.memtable(pa.table({"learner_id": pa.array(erased, pa.int64())}))
    with analytics() as connection:
        held = lake.table(connection, files, named=True).semi_join(wanted, "learner_id")
        try:
            names = connection.to_pyarrow(held.select("filename").distinct())["filename"].to_pylist()
        except duckdb.Error as error:
            raise lake.damaged(error) from error
    paths = {str(lake.path / file.path): file.path for file in files}
    return sorted(paths[name] for name in names)


def _rewritten(lake: Lake, path: str, erased: pa.Array) -> _Part:
    table = lake.read(path)
    held = compute.fill_null(compute.is_in(table["learner_id"], value_set=erased), fill_value=False)
    gone, kept = table.filter(held), table.filter(compute.invert(held))
    file = lake.write(_renamed(path), kept) if kept.num_rows else None
    found = frozenset(gone["learner_id"].unique().to_pylist())
    return _Part(path, file, found, gone.num_rows, digest_of(gone))


def _renamed(path: str) -> str:
    """Return a name for what takes the place of a file: `7-3.parquet`, `7-3.r1.parquet`, `7-3.r2.parquet`."""
    name, number = _NAME.fullmatch(path).groups(default="0")  # type: ignore[union-attr]  # It matches anything.
    return f"{name}.r{int(number) + 1}.parquet"
