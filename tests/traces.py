"""Where an id is found in what was copied from PostgreSQL: every byte of files and of Valkey, in every form of it."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import redis
from pyarrow import parquet

DISTINCT = 7_234_567_890_123
"""The id of the learner who is looked for: no byte of it is there by chance."""


def forms(learner_id: int) -> list[bytes]:
    """Return the id as text, as a number of eight bytes in both orders, and as Protobuf writes a number."""
    varint, rest = b"", learner_id
    while rest:
        varint += bytes([rest & 0x7F | (0x80 if rest >> 7 else 0)])
        rest >>= 7
    return [str(learner_id).encode(), struct.pack("<q", learner_id), struct.pack(">q", learner_id), varint]


def files_with(folder: Path, learner_id: int) -> set[str]:
    """Return the files below a folder that hold the id, be it packed in Parquet or in arrays."""
    wanted = forms(learner_id)
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in content for content in _contents(path) for form in wanted)
    }


def keys_with(redis_url: str, learner_id: int) -> set[bytes]:
    """Return the keys of Valkey that hold the id, in the key or in what is there."""
    with redis.Redis.from_url(redis_url) as client:
        return {
            key
            for key in client.scan_iter(count=1000)
            if any(form in content for content in (key, *_stored(client, key)) for form in forms(learner_id))
        }


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content[:4] == b"PAR1":
        table = parquet.ParquetFile(path).read()
        yield from (str(table[name].to_pylist()).encode() for name in table.schema.names)
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            yield from (arrays[name].tobytes() for name in arrays.files)


def _stored(client: Any, key: bytes) -> list[bytes]:
    kind = client.type(key)
    if kind == b"string":
        return [client.get(key)]
    assert kind == b"hash", kind
    return [part for pair in client.hgetall(key).items() for part in pair]
