"""Where feature tables lie: one Parquet file for each feature view, below the data folder."""

from __future__ import annotations

from pathlib import Path

from feast import FileSource

LEARNER_ACTIVITY = "learner_activity"
COURSE_POPULARITY = "course_popularity"
COURSE_PROFILE = "course_profile"
TIMESTAMP = "event_timestamp"


def table_path(data_dir: Path, view: str) -> Path:
    """Return the file of a feature view's table."""
    return data_dir.resolve() / "features" / f"{view}.parquet"


def file_source(data_dir: Path, view: str) -> FileSource:
    """Return the source of a feature view."""
    return FileSource(name=f"{view}_table", path=str(table_path(data_dir, view)), timestamp_field=TIMESTAMP)
