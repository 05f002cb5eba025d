"""Manifests of operations as clients' build tools write them.

- Relay's `persisted.json` and graphql-codegen's `persisted-documents.json`: an object from id to text.
- Apollo's persisted query manifest: `{"format": "apollo-persisted-query-manifest", "operations": [...]}`.
- Apollo Kotlin's and iOS's older manifests: an object from id to `{"name": ..., "source": ...}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError

_APOLLO = "apollo-persisted-query-manifest"
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation of a manifest.

    Attributes:
        file: the manifest.
        id: what clients call the operation.
        name: what the manifest calls it, if it does.
        text: the document.
    """

    file: str
    id: str
    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a manifest, or one operation of it, was not registered."""

    file: str
    reason: str
    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        """Return one line that names what is at fault."""
        operation = " ".join(part for part in (self.name, None if self.id is None else f"({self.id})") if part)
        return f"{self.file}: {operation + ': ' if operation else ''}{self.reason}"


def read_manifest(path: Path) -> Iterator[Entry | Problem]:
    """Yield the operations of a manifest, and what is wrong with those that are none.

    Raises:
        InputError: the file cannot be read, or is no manifest; the message does not name it.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"larger than {_MOST_BYTES:,} bytes.")
        content = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repetition)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise InputError("not a manifest: nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"not JSON in UTF-8: {error}.") from error
    if not isinstance(content, dict):
        raise InputError("not a manifest: expected an object.")
    if "format" in content or "operations" in content:
        yield from _apollo(str(path), content)
    else:
        yield from _by_id(str(path), content)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{repeated!r} is there twice")
    return found


def _apollo(file: str, content: dict[str, Any]) -> Iterator[Entry | Problem]:
    listed = content.get("operations")
    if content.get("format") != _APOLLO or content.get("version") != 1 or not isinstance(listed, list):
        raise InputError(f"not a manifest: expected format {_APOLLO!r}, version 1 and a list of operations.")
    for position, each in enumerate(listed, 1):
        if not isinstance(each, dict):
            yield Problem(file, f"operation {position} is not an object.")
            continue
        yield _entry(file, each.get("id"), each.get("name"), each.get("body"))


def _by_id(file: str, content: dict[str, Any]) -> Iterator[Entry | Problem]:
    for id_, value in content.items():
        if isinstance(value, dict):
            yield _entry(file, id_, value.get("name"), value.get("source"))
        else:
            yield _entry(file, id_, None, value)


def _entry(file: str, id_: object, name: object, text: object) -> Entry | Problem:
    named = name if isinstance(name, str) else None
    if not isinstance(id_, str):
        return Problem(file, "an operation has no id.", None, named)
    if not isinstance(text, str):
        return Problem(file, "has no text.", id_, named)
    return Entry(file, id_, named, text)
