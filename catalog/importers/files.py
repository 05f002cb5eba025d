"""Files of comma-separated values as a person may hand them in: read as a stream, in bounded memory.

What is wrong with the file as a whole (its encoding, a missing column, an end that is missing) is an
`InputError` and stops the import; what is wrong with one row is reported, and the other rows still load.
Lines are physical lines, the ones an editor counts, also where a quoted field holds line breaks.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from typing_extensions import override

from catalog.problems import excerpt
from core.errors import InputError, RowError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST_LINE = 1 << 20
_LONGEST_FIELD = 131_072
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = "\ufeff"

Progress = Callable[[int, int], None]
"""Is told how many bytes of the file were read, and how many it has."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of a file.

    Attributes:
        line: physical line that it begins on, the header being line 1.
        values: by column name, as written.
    """

    line: int
    values: dict[str, str]


class _Measured(io.RawIOBase):
    """A binary file that tells how far it was read, and the digest of what was read."""

    def __init__(self, file: IO[bytes], size: int, progress: Progress | None) -> None:
        self._file = file
        self._size = size
        self._done = 0
        self._progress = progress
        self.digest = hashlib.sha256()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._done += len(data)
        self.digest.update(data)
        if self._progress is not None:
            self._progress(self._done, self._size)
        return len(data)


class SourceFile:
    """An opened file of comma-separated values with a header.

    Attributes:
        path: where it is.
        columns: what its header must name, in any order.
    """

    def __init__(self, path: Path, columns: Sequence[str], data: io.BufferedIOBase, measured: _Measured) -> None:
        self.path = path
        self.columns = tuple(columns)
        self._data = data
        self._measured = measured
        self._line = 0
        self._offset = 0

    @property
    def sha256(self) -> str:
        """Digest of the bytes that were read so far: of the whole file after its last row."""
        return self._measured.digest.hexdigest()

    def rows(self) -> Iterator[SourceRow | RowError]:
        """Yield each row after the header, and in place of a row that cannot be read its error.

        Raises:
            InputError: the file as a whole cannot be used.
        """
        reader = csv.reader(self._lines(), strict=True)
        header = self._header(reader)
        begins = self._line + 1
        found = False
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield self._malformed(begins, error)
                found, begins = True, self._line + 1
                continue
            if fields is None:
                break
            if fields:
                found = True
                yield self._row(begins, header, fields)
            begins = self._line + 1
        if not found:
            raise InputError(f"{self.path} has a header and no rows.")

    def _row(self, line: int, header: list[str], fields: list[str]) -> SourceRow | RowError:
        if len(fields) != len(header):
            return RowError(line, None, f"has {len(fields)} fields, and the header names {len(header)} columns")
        return SourceRow(line, dict(zip(header, fields, strict=True)))

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise InputError(f"{self.path}, line 1: the header cannot be read: {error}.") from error
        expected = f"expected are {', '.join(self.columns)}"
        if not header:
            raise InputError(f"{self.path} is empty; {expected}.")
        for name in self.columns:
            if name not in header:
                raise InputError(f"{self.path} has no column {name!r}; {expected}.")
        for place, name in enumerate(header):
            if name not in self.columns:
                raise InputError(f"{self.path} has the unknown column {excerpt(name)}; {expected}.")
            if name in header[:place]:
                raise InputError(f"{self.path} has the column {name!r} twice; {expected}.")
        return header

    def _malformed(self, begins: int, error: csv.Error) -> RowError:
        """Return the error of one row that cannot be read, when it surely is one row.

        Raises:
            InputError: the row does not end on its own line, so that nobody can tell where the next one begins.
        """
        message = str(error)
        if message == "unexpected end of data":
            raise InputError(
                f"{self.path} ends inside a quoted field that begins in the row of line {begins}: it is truncated, "
                "or a quotation mark is missing."
            ) from error
        if "field limit" in message:
            raise InputError(
                f"{self.path}, line {begins}: a field is longer than {csv.field_size_limit():,} characters; "
                "is a quotation mark missing?"
            ) from error
        if begins != self._line:
            raise InputError(
                f"{self.path}: the row that begins on line {begins} is still open on line {self._line}, where a "
                "quotation mark is out of place."
            ) from error
        return RowError(begins, None, "has a quotation mark or a line break out of place")

    def _lines(self) -> Iterator[str]:
        for data in iter(self._read_line, b""):
            self._line += 1
            if len(data) > LONGEST_LINE:
                raise InputError(f"{self.path}, line {self._line}: the line is longer than {LONGEST_LINE:,} bytes.")
            if 0 in data:
                raise InputError(
                    f"{self.path}, line {self._line}: there is a NUL byte; this is not a text file in UTF-8."
                )
            yield self._decoded(data)
            self._offset += len(data)

    def _decoded(self, data: bytes) -> str:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path} is not UTF-8: byte 0x{data[error.start]:02x} on line {self._line} "
                f"(byte {self._offset + error.start + 1} of the text). Save it as UTF-8."
            ) from error
        return text.removeprefix(_BYTE_ORDER_MARK) if self._line == 1 else text

    def _read_line(self) -> bytes:
        try:
            return self._data.readline(LONGEST_LINE + 1)
        except EOFError as error:
            raise InputError(f"{self.path} is truncated: its gzip stream ends too early.") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{self.path} is damaged: its gzip stream cannot be unpacked.") from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def open_source(path: Path, columns: Sequence[str], progress: Progress | None = None) -> Iterator[SourceFile]:
    """Open a file, which may be packed with gzip whatever its name is.

    Args:
        path: the file.
        columns: what its header must name, in any order; nothing else is accepted.
        progress: is told how far the file was read.

    Raises:
        InputError: there is no such file, or it cannot be opened.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; a file is expected.")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error
    with file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        measured = _Measured(file, path.stat().st_size, progress)
        plain = io.BufferedReader(measured)
        data: io.BufferedIOBase = gzip.GzipFile(fileobj=plain, mode="rb") if packed else plain
        yield SourceFile(path, columns, data, measured)
