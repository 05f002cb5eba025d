"""The lake's manifest: refused when it cannot be trusted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from core.errors import InputError, UnavailableError
from warehouse.lake import EVENTS, Lake, analytics
from warehouse.manifest import LakeFile, Manifest

MANIFEST = Manifest(
    platform_id=UUID(int=1),
    exported_at=datetime(2026, 1, 1, tzinfo=UTC),
    events=(LakeFile(path="events/date=2026-01-01/1-1.parquet", rows=2), LakeFile(path="x.parquet", rows=3)),
)


def test_what_is_committed_is_read_again(tmp_path: Path) -> None:
    """A manifest survives being written, and knows how many events there are."""
    lake = Lake(tmp_path / "new")
    lake.commit(MANIFEST)
    assert MANIFEST == lake.manifest()
    assert 5 == lake.contents().event_count


def test_a_lake_without_a_manifest_is_empty(tmp_path: Path) -> None:
    """Asking an empty lake for events says what to do."""
    lake = Lake(tmp_path)
    assert lake.manifest() is None
    with analytics() as connection, pytest.raises(InputError, match="waymark features materialize"):
        lake.events(connection)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "damaged"),
        ("{}", "damaged"),
        (MANIFEST.model_dump_json().replace('"format":1', '"format":2'), "newer"),
        (MANIFEST.model_dump_json().replace('"rows":2', '"rows":"many"'), "damaged"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    """Damaged manifests and those of a newer version are one clear line each."""
    lake = Lake(tmp_path)
    lake.manifest_path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=expected):
        lake.manifest()


def test_a_manifest_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder of that name cannot be read, nor replaced."""
    lake = Lake(tmp_path)
    lake.manifest_path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        lake.manifest()
    with pytest.raises(UnavailableError, match="cannot be written"):
        lake.commit(MANIFEST)


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """A file in the place of a folder, as well as a full disk, is told in one line."""
    (tmp_path / "events").write_text("in the way", encoding="utf-8")
    with pytest.raises(UnavailableError, match="cannot be written"):
        Lake(tmp_path).write("events/a.parquet", EVENTS.empty_table())


def test_a_lake_that_lost_a_file_is_refused(tmp_path: Path) -> None:
    """A file that the manifest lists and the disk lacks is never passed over."""
    lake = Lake(tmp_path)
    kept = lake.write("events/a.parquet", EVENTS.empty_table())
    lake.commit(MANIFEST.model_copy(update={"events": (kept, LakeFile(path="events/b.parquet", rows=1))}))
    with analytics() as connection, pytest.raises(InputError, match="damaged"):
        lake.events(connection)
