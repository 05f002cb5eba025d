"""The digest of an event, of which the lake keeps the sum: events that are added and taken away are told by it."""

from __future__ import annotations

import hashlib

import orjson
import pyarrow as pa

BYTES = 32
TOLD = ("event_id", "kind", "learner_id", "course_id", "occurred_at", "recommendation_id", "payload")
"""What of an event goes into its digest: what happened, to whom, when; not when we were told."""


def event_digest(*told: str | int | None) -> int:
    """Return the digest of an event.

    Args:
        told: the values of `TOLD`, the moment in microseconds since 1970.
    """
    return int.from_bytes(hashlib.blake2b(orjson.dumps(told), digest_size=BYTES).digest(), "big")


def digest_of(events: pa.Table) -> int:
    """Return the sum of the digests of events (schema `lake.EVENTS`)."""
    columns = (
        events[name].cast(pa.int64()) if pa.types.is_timestamp(events.schema.field(name).type) else events[name]
        for name in TOLD
    )
    return sum(event_digest(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True))


def as_text(total: int) -> str:
    """Return a sum as the manifest keeps it; a sum without what was taken away is one too."""
    return f"{total % 2 ** (8 * BYTES):064x}"
