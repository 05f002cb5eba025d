"""The key ring: one file with the keys of this installation, readable by its owner alone.

Format 1 is JSON: `encryption` and `signing` each hold `keys` (id → unpadded URL-safe base64 of 32 bytes) and the
id of the `active` one; `index` is the key of blind indexes, which cannot be rotated without computing them anew.
Losing the file loses every e-mail address and display name: back it up apart from the database.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.disk import flush
from core.errors import InputError
from database.queries import accounts
from database.session import Reader

_FORMAT = 1
_KEY_BYTES = 32
_KEY_ID = re.compile(r"[a-z0-9-]{1,40}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one kind.

    Attributes:
        active: id of the one that new values are made under.
        keys: all of them by id, 32 bytes each; those that are not active still read old values.
    """

    active: str
    keys: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of an installation.

    Attributes:
        encryption: AES-256 keys of personal data.
        signing: HMAC-SHA256 keys of access tokens.
        index: HMAC-SHA256 key of blind indexes.
    """

    encryption: Keys
    signing: Keys
    index: bytes = field(repr=False)


def new_key_ring(random_bytes: RandomBytes = secrets.token_bytes) -> KeyRing:
    """Return a ring of new keys."""
    first = {_new_id(random_bytes): random_bytes(_KEY_BYTES)}
    second = {_new_id(random_bytes): random_bytes(_KEY_BYTES)}
    return KeyRing(
        encryption=Keys(next(iter(first)), first),
        signing=Keys(next(iter(second)), second),
        index=random_bytes(_KEY_BYTES),
    )


def rotated(ring: KeyRing, random_bytes: RandomBytes = secrets.token_bytes) -> KeyRing:
    """Return the ring with a new active key of encryption and of signing; what the old ones made stays readable."""
    return replace(
        ring, encryption=_with_new(ring.encryption, random_bytes), signing=_with_new(ring.signing, random_bytes)
    )


def load_or_create_key_ring(path: Path, random_bytes: RandomBytes = secrets.token_bytes) -> KeyRing:
    """Read the key ring, or create the file on the first start; processes that start together share one ring.

    Raises:
        InputError: the file is damaged, open to other users, or cannot be read or written.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            draft = _write_draft(path, new_key_ring(random_bytes))
            try:
                # A link appears with all of its content, and fails where another process was first.
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(draft)
            finally:
                draft.unlink()
            flush(path.parent)
        return load_key_ring(path)


def load_key_ring(path: Path) -> KeyRing:
    """Read the key ring.

    Raises:
        InputError: the file is missing, damaged or open to other users.
    """
    with _explained(path):
        mode = path.stat().st_mode
        if mode & _OTHERS:
            raise InputError(
                f"The key file {path} is open to other users (mode {stat.S_IMODE(mode):04o}). "
                f"Run `chmod 600 {path}`, and rotate the keys if others may have read them."
            )
        content = path.read_bytes()
    try:
        return _parsed(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"The key file {path} is damaged; restore it from its backup.") from error


def rotate_key_ring(path: Path, random_bytes: RandomBytes = secrets.token_bytes) -> KeyRing:
    """Add new keys to the file and make them active; running processes use them after their next start.

    Raises:
        InputError: the file is missing, damaged, open to other users, or cannot be written.
    """
    with _explained(path), _alone_in(path.parent):
        ring = rotated(load_key_ring(path), random_bytes)
        # Replacing is atomic: after a crash the file holds either the old ring or the new one.
        _write_draft(path, ring).replace(path)
        flush(path.parent)
        return ring


async def refuse_missing_keys(ring: KeyRing, reader: Reader) -> None:
    """Check, before anything is served, that the ring can read what the database holds.

    Without this a lost key file would be made anew in silence: nobody could sign in any more, and new accounts
    would be encrypted under keys that do not belong with the old ones.

    Raises:
        InputError: accounts are encrypted under keys that the ring does not have.
        UnavailableError: PostgreSQL cannot be reached.
    """
    rows = await reader.fetch(accounts.KEY_IDS)
    missing = sorted({row.encryption_key_id for row in rows} - ring.encryption.keys.keys())
    if missing:
        raise InputError(
            f"The key file lacks {', '.join(missing)}, under which accounts of this database are encrypted. "
            "Restore the key file that belongs with the database."
        )


def _with_new(keys: Keys, random_bytes: RandomBytes) -> Keys:
    key_id = _new_id(random_bytes)
    return Keys(key_id, {**keys.keys, key_id: random_bytes(_KEY_BYTES)})


def _new_id(random_bytes: RandomBytes) -> str:
    return f"key-{random_bytes(8).hex()}"


def _parsed(content: Any) -> KeyRing:
    if content["format"] != _FORMAT:
        raise ValueError("another format")
    return KeyRing(
        encryption=_parsed_keys(content["encryption"]),
        signing=_parsed_keys(content["signing"]),
        index=_decoded(content["index"]),
    )


def _parsed_keys(content: Any) -> Keys:
    keys = {key_id: _decoded(text) for key_id, text in content["keys"].items()}
    if content["active"] not in keys or not all(_KEY_ID.fullmatch(key_id) for key_id in keys):
        raise ValueError("no active key, or an id that is none")
    return Keys(content["active"], keys)


def _decoded(text: str) -> bytes:
    key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError("a key of another length")
    return key


def _encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def _printed_keys(keys: Keys) -> dict[str, Any]:
    return {"active": keys.active, "keys": {key_id: _encoded(key) for key_id, key in keys.keys.items()}}


def _write_draft(path: Path, ring: KeyRing) -> Path:
    """Write the ring to a new file beside `path`, of mode 0600 and safe on disk, and return where."""
    content = {
        "format": _FORMAT,
        "encryption": _printed_keys(ring.encryption),
        "signing": _printed_keys(ring.signing),
        "index": _encoded(ring.index),
    }
    # mkstemp creates the file with mode 0600, so that it is never open to others, not even for a moment.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor has no path to open.
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: of two rotations at once, the second must add to what the first wrote."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line for the operator."""
    try:
        yield
    except OSError as error:
        raise InputError(f"The key file {path} cannot be used: {error.strerror or error}.") from error
