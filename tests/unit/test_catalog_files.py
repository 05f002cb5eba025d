"""Files of comma-separated values, as they are and as they should not be."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from catalog.importers.files import LONGEST_LINE, SourceRow, open_source
from core.errors import InputError, RowError

COLUMNS = ("a", "b")

# Any text that a row may hold; NUL bytes and lone surrogates never come out of a text file in UTF-8.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def read(path: Path) -> list[SourceRow | RowError]:
    """Read a whole file."""
    with open_source(path, COLUMNS) as file:
        return list(file.rows())


def written(folder: Path, content: bytes) -> Path:
    """Return a file with a content."""
    path = folder / "rows.csv"
    path.write_bytes(content)
    return path


@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8), packed=st.booleans())
def test_whatever_is_written_is_read_with_its_physical_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], *, packed: bool
) -> None:
    """Values survive quoting, line breaks and gzip, and a row's line is the one that an editor counts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    expected = []
    for row in rows:
        expected.append(SourceRow(text.getvalue().count("\n") + 1, dict(zip(COLUMNS, row, strict=True))))
        writer.writerow(row)
    content = text.getvalue().encode()
    path = written(tmp_path_factory.mktemp("files"), gzip.compress(content, mtime=0) if packed else content)
    assert expected == read(path)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_rows_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Nothing that a file can hold gets past the two kinds of error."""
    path = written(tmp_path_factory.mktemp("files"), b"a,b\n" + content)
    try:
        rows = read(path)
    except InputError as error:
        said = str(error)
        rows = []
    else:
        said = str(path)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert all(isinstance(row, RowError) or set(row.values) == set(COLUMNS) for row in rows)


def test_columns_may_stand_in_any_order_after_a_byte_order_mark(tmp_path: Path) -> None:
    """The header decides, blank lines do not count as rows, and the line of a row stays right."""
    path = written(tmp_path, "\ufeffb,a\r\n\r\n1,2\r\n".encode())
    assert [SourceRow(3, {"b": "1", "a": "2"})] == read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; expected are a, b"),
        (b"a,b\n", "has a header and no rows"),
        (b"a\n1\n", "has no column 'b'; expected are a, b"),
        (b"a,b,c\n1,2,3\n", "has the unknown column 'c'"),
        (b"a,b,a\n1,2,3\n", "has the column 'a' twice"),
        (b'a,"b\n', "ends inside a quoted field|header cannot be read"),
        (b"a,b\n1,caf\xe9\n", r"is not UTF-8: byte 0xe9 on line 2 \(byte 10 of the text\)"),
        (b"\xff\xfea\x00,\x00b\x00\n", "NUL byte"),
        (b"a,b\n1,\x002\n", "line 2: there is a NUL byte"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "ends inside a quoted field that begins in the row of line 3"),
        (b'a,b\n1,"2\n3"x,4\n', "row that begins on line 2 is still open on line 3"),
        (b"a,b\n1," + b"x" * 1_000_000 + b"\n", "line 2: a field is longer than 131,072 characters"),
        (b"a,b\n1," + b"x" * LONGEST_LINE + b"\n", "line 2: the line is longer than 1,048,576 bytes"),
        (gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[:-12], "truncated: its gzip stream ends too early"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:10] + b"garbage garbage", "damaged: its gzip stream|truncated"),
    ],
)
def test_file_that_cannot_be_used_is_told_why(tmp_path: Path, content: bytes, said: str) -> None:
    """What is wrong with the file as a whole stops the import with one line."""
    with pytest.raises(InputError, match=said):
        read(written(tmp_path, content))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    """A path that is no file is told apart."""
    with pytest.raises(InputError, match="There is no file"):
        read(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be opened"):
        read(tmp_path / ("x" * 300))


def test_row_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """A wrong number of fields or a stray quotation mark costs one row."""
    path = written(tmp_path, b'a,b\n1\n"2"x,3\n4,5\n6,7,8\n')
    rows = read(path)
    assert [
        (2, "has 1 fields, and the header names 2 columns"),
        (3, "has a quotation mark or a line break out of place"),
        (5, "has 3 fields, and the header names 2 columns"),
    ] == [(row.line, row.reason) for row in rows if isinstance(row, RowError)]
    assert [SourceRow(4, {"a": "4", "b": "5"})] == [row for row in rows if isinstance(row, SourceRow)]


def test_progress_and_digest_are_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    """Progress ends at the size of the file, and the digest is that of `sha256sum`."""
    path = written(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 1_000, mtime=0))
    told: list[tuple[int, int]] = []
    with open_source(path, COLUMNS, lambda done, size: told.append((done, size))) as file:
        assert 1_000 == sum(1 for _ in file.rows())
        size = path.stat().st_size
        assert (size, size) == told[-1]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
