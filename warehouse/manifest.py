"""The lake's manifest: which files count, and how far the outbox was read. What it does not list is not there."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import InputError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LakeFile(_Frozen):
    """One Parquet file.

    Attributes:
        path: below the lake's folder, with `/`.
        rows: how many it holds.
    """

    path: str
    rows: int


class Watermark(_Frozen):
    """The last event that was exported, in the order of transactions.

    Attributes:
        transaction_id: the 64-bit transaction that wrote it.
        event_id: its id.
    """

    transaction_id: int = 0
    event_id: int = 0


class Manifest(_Frozen):
    """What a lake holds.

    Attributes:
        format: version of this layout.
        platform_id: of the database that it was exported from.
        exported_at: moment of the export that wrote this manifest.
        watermark: where the next export begins.
        events: files of events; each event is in exactly one of them.
        courses: the snapshot of the course dimension.
        preferences: the snapshot of learning preferences.
        event_digest: sum of the digests of all events, in hexadecimal: the same events give the same sum, in
            however many exports they came.
        fingerprint: sha256 over `event_digest` and the two snapshots: equal when the content is.
    """

    format: Literal[1] = 1
    platform_id: UUID
    exported_at: datetime
    watermark: Watermark = Watermark()
    events: tuple[LakeFile, ...] = ()
    courses: LakeFile | None = None
    preferences: LakeFile | None = None
    event_digest: str = ""
    fingerprint: str = ""

    @property
    def event_count(self) -> int:
        """How many events the lake holds."""
        return sum(file.rows for file in self.events)

    @property
    def files(self) -> tuple[LakeFile, ...]:
        """All files of the lake."""
        return (*self.events, *(file for file in (self.courses, self.preferences) if file is not None))

    def content_fingerprint(self) -> str:
        """Return what `fingerprint` must be; snapshots are named for their content."""
        parts = (self.event_digest, *(file.path if file else "" for file in (self.courses, self.preferences)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_manifest(content: bytes, source: str) -> Manifest:
    """Return the manifest that was written as `content`.

    Raises:
        InputError: it is of another format, or damaged; `source` names it.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        if any(problem["loc"] == ("format",) for problem in error.errors()):
            raise InputError(
                f"{source} has a format that this version of Waymark does not read: it was written by a newer one."
            ) from error
        raise InputError(f"{source} is damaged: delete the lake's folder to export it anew.") from error
