"""Rows that PostgreSQL writes as JSON: what `core.selections` says, as expressions of a statement.

Texts, numbers, enums and moments are written as orjson would write what asyncpg reads. What cannot be promised for
every row is refused by `Table.can_write` when an operation is compiled, and read as a column then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import BYTEA, TIMESTAMP, asyncpg as asyncpg_dialect

from core.selections import CONSTANT, ENUM, OPAQUE, WHOLE, Selection, WrittenField, WrittenObject, WrittenValue
from database.statements import DEFAULT_PAGE, LARGEST_PAGE

_TYPES: Mapping[str, type[Any]] = {
    "String": Text,
    "Int": Integer,
    "Float": Float,
    "DateTime": DateTime,
    ENUM: Text,
    OPAQUE: BigInteger,
}
_SECONDS, _FRACTIONS = 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
_DIALECT = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]
# By how many lists are in one another. What is larger keeps PostgreSQL busy for longer than a round trip.
_MOST_TOGETHER = {0: 64, 1: 8}
# As what asyncpg reads endless moments.
_ENDLESS = {"infinity": "9999-12-31T23:59:59.999999", "-infinity": "0001-01-01T00:00:00"}
# PostgreSQL's functions take a hundred.
_MOST_ARGUMENTS = 100
Columns = Mapping[str, Column[Any]]
Part: TypeAlias = "str | ColumnElement[Any]"


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """The rows of a kind of object.

    Attributes:
        type: name of the kind.
        columns: by the names that rows have them under.
    """

    type: str
    columns: Columns

    def can_write(self, value: WrittenValue) -> bool:
        """Say whether a value is written exactly as it would be answered, whatever the row."""
        if value.form == CONSTANT:
            return True
        found, kind = self.columns.get(value.name), _TYPES.get(value.form)
        if found is None or kind is None or not isinstance(found.type, kind):
            return False
        if found.nullable and not value.nullable:
            return False
        if value.form == "Int":
            # SQLAlchemy's BigInteger is an Integer, and too large for GraphQL's.
            return not isinstance(found.type, BigInteger)
        if value.form == "Float":
            # PostgreSQL compares NaN as the largest number, so between two bounds there is none.
            return any(each.startswith(f"{found.name} BETWEEN ") for each in _constraints(found))
        return value.form != ENUM or _holds_only(found, value.values)

    def sql(self, selection: Selection) -> str:
        """Return what is written of a row, for people."""
        source = table(self.type.lower(), *(column(name, each.type) for name, each in self.columns.items()))
        if selection.whole is None and not selection.fields:
            return ""
        told = [each for each in columns(selection, source, ()) if each.name not in source.c]
        return str(
            select(*told).select_from(source).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        )


def _constraints(column: Column[Any]) -> list[str]:
    """Return the conditions of a column's table that every row fulfills, as text."""
    return [str(each.sqltext) for each in column.table.constraints if isinstance(each, CheckConstraint)]


def _holds_only(column: Column[Any], values: frozenset[str]) -> bool:
    """Say whether a constraint of the table leaves a column no values but these."""
    listed = [each for each in _constraints(column) if each.startswith(f"{column.name} IN (")]
    return any(values.issuperset(re.findall(r"'([^']*)'", each)) for each in listed)


@dataclass(frozen=True, eq=False, slots=True)
class Related:
    """Rows that belong to the row of a parent.

    Attributes:
        rows: what they are.
        select: all of them, of any parent, in order.
        key: what a row of `select` has of its parent.
        parent: the parent's column that is equal to it.
        many: whether there is a list of them; otherwise there is one row at most.
        paged: whether the list is a page, which the argument `first` bounds.
        certain: whether there always is a row, since a foreign key says so.
    """

    rows: Table
    select: Select[Any]
    key: ColumnElement[Any]
    parent: str = "id"
    many: bool = True
    paged: bool = False
    certain: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the parent's columns that it needs."""
        return (self.parent,)

    def parameters(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the size of the page; None for what is more than its beginning, or is to be refused."""
        given = {name: value for name, value in arguments.items() if value is not None}
        first = given.pop("first", DEFAULT_PAGE) if self.paged else 0
        if given or not 0 <= first <= LARGEST_PAGE:
            return None
        return {"limit": first} if self.paged else {}

    def of(self, source: FromClause, names: Sequence[str], prefix: str) -> FromClause:
        """Return the rows of a parent, with these columns."""
        chosen = [self.rows.columns[name].label(name) for name in names] or [literal_column("1").label("one")]
        found = self.select.with_only_columns(*chosen, maintain_column_froms=True)
        found = found.where(self.key == source.c[self.parent]).correlate(source)
        if self.paged:
            found = found.limit(bindparam(f"{prefix}limit", type_=BigInteger))
        return found.subquery()


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """A value that is found in the row of a parent itself.

    Attributes:
        column: of the parent, a text.
        certain: whether it is never null.
    """

    column: str
    certain: bool = True
    rows: None = None
    many: bool = False
    paged: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the parent's columns that it needs."""
        return (self.column,)

    def parameters(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return nothing where nothing is asked for besides."""
        return None if any(value is not None for value in arguments.values()) else {}


def columns(selection: Selection | None, source: FromClause, keys: Sequence[str]) -> Sequence[ColumnElement[Any]]:
    """Return the columns of a statement whose rows are written.

    Args:
        selection: what is to be written; None for rows as they are.
        source: rows with all of their columns.
        keys: the columns that a resolver needs besides a whole object.
    """
    if selection is None:
        return list(source.c)
    if selection.whole is not None:
        return [*(source.c[name] for name in keys), _object(selection.whole, source).label(WHOLE)]
    return [*source.c, *(_field(each, source).label(name) for name, each in selection.fields)]


def carrying(selection: Selection | None, rows: Select[Any], keys: Sequence[str]) -> Select[Any]:
    """Return a statement without an order whose rows are written."""
    if selection is None:
        return rows
    source = rows.subquery()
    return select(*columns(selection, source, keys)).select_from(source)


def most_together(selection: Selection | None, lists: int = 0) -> int:
    """Return how many callers' questions go to PostgreSQL as one (`Statement.together`): the fewer, the more it writes.

    Args:
        selection: what is written of each row.
        lists: 1 if there is a list of rows, and 0 if there is one.
    """
    if selection is not None:
        written = [] if selection.whole is None else [selection.whole]
        lists += max(
            [*(_depth(each) for each in written), *(_depth_of(each) for _, each in selection.fields)], default=0
        )
    return _MOST_TOGETHER.get(lists, 0)


def _depth(written: WrittenObject) -> int:
    """Return how many lists there are in one another."""
    entries = [each for _, entries in written.kinds for each in entries]
    return max((_depth_of(each) for each in entries if isinstance(each, WrittenField)), default=0)


def _depth_of(field: WrittenField) -> int:
    return field.relation.many + (0 if field.object is None else _depth(field.object))


def _object(written: WrittenObject, source: FromClause) -> ColumnElement[Any]:
    """Return a row as the text of a JSON object."""
    if written.told_by is None:
        return _members(written.kinds[0][1], source)
    kind = source.c[written.told_by]
    return case(*((kind == _literal(str(name)), _members(entries, source)) for name, entries in written.kinds))


def _members(entries: Sequence[WrittenValue | WrittenField], source: FromClause) -> ColumnElement[Any]:
    """Return the text of an object with these members.

    PostgreSQL's functions that make an object of a row, or of keys and values, look up for each row anew how each
    value is written; here that is known beforehand.
    """
    return _joined(_braced((entry.key, _parts(entry, source)) for entry in entries))


def _braced(members: Iterable[tuple[str, Sequence[Part]]]) -> list[Part]:
    """Return the parts of an object, by its keys and the parts of their values."""
    parts: list[Part] = []
    for key, value in members:
        parts += [f'{"," if parts else "{"}"{key}":', *value]
    return [*parts, "}"]


def _parts(entry: WrittenValue | WrittenField, source: FromClause) -> Sequence[Part]:
    """Return the text of a member's value, where nothing is null."""
    if isinstance(entry, WrittenValue):
        return _value(entry, source)
    relation = entry.relation
    found = _field(entry, source)
    certain = relation.many or (isinstance(relation, Value) and relation.certain)
    return [found if certain else func.coalesce(found, _literal("null"))]


def _field(written: WrittenField, source: FromClause) -> ColumnElement[Any]:
    """Return what a relation leads to as the text of its JSON; null where there is nothing."""
    relation = written.relation
    if isinstance(relation, Value):
        return cast(func.to_json(source.c[relation.column]), Text)
    if not isinstance(relation, Related) or written.object is None:
        raise TypeError(f"{relation!r} is not a relation of this database.")
    rows = relation.of(source, _names(written.object), written.prefix)
    found = _object(written.object, rows)
    if not relation.many:
        return select(found).select_from(rows).scalar_subquery()
    # PostgreSQL aggregates a sorted subquery as it comes, and makes a list once that several keys of a page have.
    listed: list[Part] = ["[", func.string_agg(found, _literal(",")), "]"]
    if written.wrapped:
        listed = _braced((key, listed if constant is None else [f'"{constant}"']) for key, constant in written.wrapped)
    return select(_joined(listed)).select_from(rows).scalar_subquery()


def _value(written: WrittenValue, source: FromClause) -> Sequence[Part]:
    if written.form == CONSTANT:
        return [f'"{written.name}"']
    value = source.c[written.name]
    if written.form in {"Int", "Float"}:
        # A counter comes from the outer side of a join, whatever its column promises.
        return [func.coalesce(cast(value, Text), _literal("null"))]
    if written.form == "String":
        text = func.to_json(value)
        return [func.coalesce(cast(text, Text), _literal("null"))] if written.nullable else [text]
    # None of these has a sign that JSON writes in another way.
    plain = _opaque(str(written.of), value) if written.form == OPAQUE else value
    if written.form == "DateTime":
        plain = _moment(value)
    if written.nullable:
        return [func.coalesce(_literal('"').op("||")(plain).op("||")(_literal('"')), _literal("null"))]
    return ['"', plain, '"']


def _moment(value: ColumnElement[Any]) -> ColumnElement[Any]:
    utc = func.timezone(_literal("UTC"), value)
    whole = cast(value, TIMESTAMP(timezone=True, precision=0)) == value
    pattern = case((whole, _literal(_SECONDS)), else_=_literal(_FRACTIONS))
    endless = case(*((value == literal_column(f"'{name}'"), _literal(text)) for name, text in _ENDLESS.items()))
    return func.coalesce(func.to_char(utc, pattern), endless)


def _opaque(type_name: str, key: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the opaque id of an object, as `core.ids.encode_id` makes it.

    That is base64 with other signs for `+` and `/`. These stand for six bits that no letter, digit, colon or minus ends
    with, so none is ever there; looking for them took most of the time. A text without a backslash is cast to its
    bytes.
    """
    named = cast(_literal(f"{type_name}:").op("||")(key), BYTEA)
    return func.rtrim(func.encode(named, _literal("base64")), _literal("="))


def _joined(parts: Sequence[Part]) -> ColumnElement[Any]:
    """Return one text of texts and of what a statement finds."""
    merged: list[ColumnElement[Any]] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        merged += [_literal(text), part] if text else [part]
        text = ""
    if text:
        merged.append(_literal(text))
    while len(merged) > _MOST_ARGUMENTS:
        merged = [func.concat(*merged[at : at + _MOST_ARGUMENTS]) for at in range(0, len(merged), _MOST_ARGUMENTS)]
    return func.concat(*merged)


def _literal(text: str) -> ColumnElement[Any]:
    """Return a text without quotes and backslashes as a constant of the statement."""
    return literal_column(f"'{text}'", Text)


def _names(written: WrittenObject) -> list[str]:
    """Return the columns that an object needs of its row."""
    found: dict[str, None] = {} if written.told_by is None else {written.told_by: None}
    for _, entries in written.kinds:
        for each in entries:
            if isinstance(each, WrittenField):
                found.update(dict.fromkeys(each.relation.needs))  # type: ignore[attr-defined]  # All of ours have it.
            elif each.form != CONSTANT:
                found[each.name] = None
    return list(found)
