"""The key ring's file."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import InputError
from security.keys import load_key_ring, load_or_create_key_ring, rotate_key_ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "data" / "keys.json"


def test_first_start_creates_a_file_for_its_owner_alone(path: Path) -> None:
    """The ring is read back as it was made, nothing else is left in the folder, and only the owner can read it."""
    ring = load_or_create_key_ring(path)
    assert ring == load_or_create_key_ring(path)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(path.parent.iterdir())


def test_processes_that_start_together_share_one_ring(path: Path) -> None:
    """Of many creators at once one wins, and all read what it wrote."""
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(load_or_create_key_ring, [path] * 32))
    assert all(ring == rings[0] for ring in rings)
    assert [path] == list(path.parent.iterdir())


def test_rotation_adds_active_keys_and_keeps_the_old_ones(path: Path) -> None:
    """Rotations at the same time lose no key."""
    before = load_or_create_key_ring(path)
    with ThreadPoolExecutor(4) as pool:
        rotated = list(pool.map(rotate_key_ring, [path] * 8))
    after = load_key_ring(path)
    assert after in rotated
    assert 9 == len(after.encryption.keys) == len(after.signing.keys)
    assert before.encryption.keys.items() <= after.encryption.keys.items()
    assert {ring.encryption.active for ring in rotated} < set(after.encryption.keys)
    assert before.index == after.index
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    """The message says how to repair it."""
    load_or_create_key_ring(path)
    path.chmod(mode)
    with pytest.raises(InputError, match="chmod 600"):
        load_or_create_key_ring(path)


def damaged(path: Path) -> list[str]:
    """Return contents that a ring's file may have after an accident."""
    good = path.read_text(encoding="utf-8")
    content = json.loads(good)
    keys = content["encryption"]["keys"]
    short = {**content, "index": content["index"][:-4]}
    unnamed = {**content, "encryption": {**content["encryption"], "active": "key-gone"}}
    misnamed = {**content, "encryption": {"active": "Ñ", "keys": {"Ñ": next(iter(keys.values()))}}}
    keyless = {**content, "signing": {"active": "key-1", "keys": {}}}
    unkeyed = {**content, "signing": {"active": "key-1", "keys": {"key-1": "*" * 43}}}
    listed = {**content, "encryption": []}
    newer = {**content, "format": 2}
    changed: list[object] = [short, unnamed, misnamed, keyless, unkeyed, listed, newer, {}, [], None, "text"]
    return ["", good[: len(good) // 2], "\x00", *(json.dumps(one) for one in changed)]


def test_damaged_file_is_refused_and_left_alone(path: Path) -> None:
    """Whatever is wrong with the content, the message asks for the backup, and nothing is written over it."""
    load_or_create_key_ring(path)
    for content in damaged(path):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match="damaged"):
            load_or_create_key_ring(path)
        with pytest.raises(InputError, match="damaged"):
            rotate_key_ring(path)
        assert content == path.read_text(encoding="utf-8")


def test_file_that_is_no_text_is_damaged(path: Path) -> None:
    """Bytes that are not UTF-8 get the same answer."""
    load_or_create_key_ring(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match="damaged"):
        load_key_ring(path)


def test_missing_or_impossible_file_is_one_line(path: Path, tmp_path: Path) -> None:
    """What the operating system refuses reaches the operator without a traceback."""
    with pytest.raises(InputError, match="No such file"):
        load_key_ring(path)
    with pytest.raises(InputError, match="cannot be used"):
        rotate_key_ring(path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be used"):
        load_or_create_key_ring(tmp_path / "file" / "keys.json")
