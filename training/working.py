"""Finished parts of a training on disk, so that one that was interrupted goes on and gives the same release.

A folder holds the parts of one training, named by a key of everything that determines them: `work_key`. Each part is a
file of arrays after its own sha256, verified when it is read; nothing is unpickled, and what cannot be verified is made
again. Trainings of other keys are deleted by the next one, and the folder itself when its training has ended well. A
disk that is full costs the parts and not the training.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_DIGEST = 32
_SPARE = 2**30
"""Bytes of the disk that are left free: parts are a convenience."""
_PACKAGES = ("duckdb", "feast", "ibis-framework", "numpy", "pandas", "pyarrow", "scipy", "xgboost-cpu", "xgboost")
_CODE = ("features", "serving", "training", "warehouse")


class Parts:
    """Parts of one training.

    Args:
        folder: where they are; None keeps nothing.
        prefix: of their names.
        found: shared by parts of all prefixes.

    Attributes:
        found: names of the parts that were asked for and were there.
    """

    def __init__(self, folder: Path | None, prefix: str = "", found: set[str] | None = None) -> None:
        self._folder = folder
        self._prefix = prefix
        self.found: set[str] = set() if found is None else found

    def within(self, prefix: str) -> Parts:
        """Return the parts whose names begin so."""
        return Parts(self._folder, f"{self._prefix}{prefix}-", self.found)

    def kept(self, name: str) -> Arrays | None:
        """Return a part; None when it was not kept, or is not what was kept."""
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            content = self._path(name).read_bytes()
            if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                with np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False) as found:
                    arrays = {key: found[key] for key in found.files}
                self.found.add(f"{self._prefix}{name}")
                return arrays
        return None

    def keep(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a part, if there is room for it."""
        if self._folder is None:
            return
        buffer = io.BytesIO()
        values: dict[str, Any] = dict(arrays)
        np.savez(buffer, allow_pickle=False, **values)
        draft = self._path(name).with_suffix(".draft")
        try:
            if shutil.disk_usage(self._folder).free > buffer.getbuffer().nbytes + _SPARE:
                _write(draft, buffer.getbuffer())
                draft.replace(self._path(name))
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def drop(self) -> None:
        """Delete the parts: what was made of them is kept."""
        if self._folder is not None:
            for path in self._folder.glob(f"{self._prefix}*"):
                with suppress(OSError):
                    path.unlink()

    def _path(self, name: str) -> Path:
        assert self._folder is not None  # noqa: S101 - whoever asks has looked.
        return self._folder / f"{self._prefix}{name}.part"


NOTHING = Parts(None)
"""Keeps nothing."""


@contextmanager
def working(folder: Path, key: str) -> Iterator[Parts]:
    """Yield the parts of a training; they stay when it does not end well.

    One training at a time keeps parts; another one meanwhile keeps nothing, nor does one that cannot write there.

    Args:
        folder: of the trainings of a platform.
        key: of this one, as of `work_key`.
    """
    descriptor = _turn(folder)
    if descriptor is None:
        yield NOTHING
        return
    place = folder / key
    try:
        for other in folder.iterdir():
            if other.is_dir() and other != place:
                shutil.rmtree(other, ignore_errors=True)
        with suppress(OSError):
            place.mkdir(exist_ok=True)
        yield Parts(place)
        shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(descriptor)


def drop_all(folder: Path) -> int:
    """Delete the parts of all trainings, and return of how many; one that is under way goes on and keeps no more.

    Args:
        folder: of the trainings of a platform.
    """
    places = [place for place in folder.glob("*") if place.is_dir()]
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    return len(places)


def _turn(folder: Path) -> int | None:
    """Return the descriptor of a lock that is held until it is closed; None if another training has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def work_key(*determines: Any) -> str:
    """Return the name of a training: of all that determines it, of our code and of the packages that compute.

    Args:
        determines: arrays, sparse matrices by rows, texts and numbers, and dataclasses, sequences and mappings of them.

    Raises:
        TypeError: something else is among them.
    """
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for path in sorted(path for name in _CODE for path in (root / name).glob("**/*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in _PACKAGES:
        with suppress(ModuleNotFoundError):
            digest.update(f"{name} {version(name)}\n".encode())
    for each in determines:
        _add(digest, each)
    return digest.hexdigest()[:_DIGEST]


def as_text(value: Any) -> NDArray[np.uint8]:
    """Return what JSON has as an array, infinite numbers included."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def of_text(array: NDArray[Any]) -> Any:
    """Return what `as_text` was given; tuples are lists."""
    return json.loads(array.tobytes())


def _write(path: Path, content: memoryview) -> None:
    with path.open("wb") as file:
        file.write(hashlib.sha256(content).digest())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _add(digest: Any, value: Any) -> None:
    """Add a value to a digest, so that different ones give different bytes."""
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, sp.csr_array):
        _add(digest, ("sparse", value.shape, value.data, value.indices, value.indptr))
    elif is_dataclass(value):
        _add(digest, (type(value).__name__, *((each.name, getattr(value, each.name)) for each in fields(value))))
    elif isinstance(value, Mapping):
        _add(digest, ("mapping", *value.items()))
    elif isinstance(value, tuple | list):
        digest.update(f"sequence {len(value)}\n".encode())
        for each in value:
            _add(digest, each)
    elif isinstance(value, str | int | float | None):
        digest.update(f"{value!r}\n".encode())
    else:
        # What is not known here might look alike and be different.
        raise TypeError(f"A {type(value).__name__} cannot be part of a key.")
