"""Statements written with SQLAlchemy Core, compiled once, executed by asyncpg as prepared statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    bindparam,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.sql import ClauseElement

from database.rows import Row

RowT = TypeVar("RowT", bound=Row)

DEFAULT_PAGE, LARGEST_PAGE = 20, 100
"""Rows of a page, when nothing is said and at most."""

# One row more tells whether there are more.
_MOST_ROWS = LARGEST_PAGE + 1
_DIALECT = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]


class Statement(Generic[RowT]):
    """A read with named parameters, ready for asyncpg.

    Args:
        element: a SQLAlchemy Core statement; every variable is a `bindparam`, and constants are literals.
        row: the class its rows are returned as; its annotations name the columns.

    Attributes:
        sql: the text that PostgreSQL prepares, with `$1` parameters.
        parameters: names of the parameters in positional order.
    """

    __slots__ = ("_constants", "parameters", "row", "sql")

    def __init__(self, element: ClauseElement, row: type[RowT]) -> None:
        compiled = element.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.row = row
        self.sql = str(compiled)
        self.parameters: tuple[str, ...] = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        self._constants: dict[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """Return the values of the parameters in positional order.

        Raises:
            KeyError: a parameter has neither a value nor a constant.
        """
        constants = self._constants
        return [values[name] if name in values else constants[name] for name in self.parameters]

    def __repr__(self) -> str:
        """Return the row class and the text."""
        return f"Statement({self.row.__name__}, {self.sql!r})"


Columns = Callable[[FromClause], Sequence[ColumnElement[Any]]]


def bounded(
    statement: Select[Any], parent: FromClause | None = None, columns: Columns = lambda most: list(most.c)
) -> Select[Any]:
    """Return at most `limit` rows of a statement with an order, which is a parameter, and no more than a page may have.

    PostgreSQL takes an unknown limit for a tenth of all rows, and so would plan anew each time. The inner limit is one
    that it knows; the outer one stops it early, and keeps the order, since a subquery with a limit stands for itself.

    Args:
        statement: with an order.
        parent: what it refers to of the statement around it, if it is a lateral part of one.
        columns: returns what is wanted of its rows; all of it when not given.
    """
    inner = statement.limit(literal_column(str(_MOST_ROWS)))
    most = inner.subquery("most") if parent is None else inner.correlate(parent).lateral("most")
    return select(*columns(most)).select_from(most).limit(bindparam("limit", type_=BigInteger))


def parents(name: str) -> Any:
    """Return the keys of the parents of one level, which are the parameter `name`, as the table `parent` (`id`)."""
    return (
        func.unnest(bindparam(name, type_=ARRAY(BigInteger)))
        .table_valued(column("id", BigInteger))
        .render_derived("parent")
    )
