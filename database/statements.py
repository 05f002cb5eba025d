"""Statements written with SQLAlchemy Core, compiled once, executed by asyncpg as prepared statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.types import NullType

from database.rows import Row

RowT = TypeVar("RowT", bound=Row)

DEFAULT_PAGE, LARGEST_PAGE = 20, 100
"""Rows of a page, when nothing is said and at most."""

# One row more tells whether there are more.
_MOST_ROWS = LARGEST_PAGE + 1
PLACE = "asked_place"
"""Name of the column that says which of several questions a row belongs to, counted from 1."""

_NUMBER = "asked_number"
_DIALECT = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]


class Statement(Generic[RowT]):
    """A read with named parameters, ready for asyncpg.

    Args:
        element: a SQLAlchemy Core statement; every variable is a `bindparam`, and constants are literals.
        row: the class its rows are returned as; its annotations name the columns.
        together: how many callers' questions may go to PostgreSQL as one, if many ask at the same moment; 0 for none.
            That is for reads that are asked all day and cost little: each is answered when all are, one after the
            other, by one process of PostgreSQL.

    Attributes:
        sql: the text that PostgreSQL prepares, with `$1` parameters.
        parameters: names of the parameters in positional order.
        together: the statement that asks several questions at once, whose parameters are lists of this one's, and
            whose rows tell in the column `PLACE` which question they answer; None where each is asked alone.
        most_together: how many at most.

    Raises:
        TypeError: it cannot be asked together, since it is no selection or has a parameter that is no scalar.
    """

    __slots__ = ("_constants", "most_together", "parameters", "row", "sql", "together")

    def __init__(self, element: ClauseElement, row: type[RowT], *, together: int = 0) -> None:
        compiled = element.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.row = row
        self.sql = str(compiled)
        self.parameters: tuple[str, ...] = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        self._constants: dict[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}
        self.most_together = together
        self.together: Statement[RowT] | None = None
        if together:
            types = {name: compiled.binds[name].type for name in self.parameters}  # type: ignore[attr-defined]
            self.together = Statement(_together(element, types), row)

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


def _together(element: ClauseElement, types: dict[str, Any]) -> Select[Any]:
    """Return a statement that answers several questions: for each row of parameters, what `element` selects.

    Each question is planned as if it were asked alone, since PostgreSQL does not look into a lateral query with a
    window: else it might read a whole table for a few keys. The lists come from subqueries, since PostgreSQL would plan
    anew for each length that it knows, and keeps the plan for what it does not know.

    Raises:
        TypeError: it cannot be asked so.
    """
    if not isinstance(element, Select) or not types:
        raise TypeError("Only a selection with parameters can be asked together.")
    for name, kind in types.items():
        if isinstance(kind, ARRAY | NullType):
            raise TypeError(f"The parameter `{name}` is no scalar of a known type.")
    lists = [select(bindparam(name, type_=ARRAY(kind))).scalar_subquery() for name, kind in types.items()]
    asked = (
        func.unnest(*lists)
        .table_valued(*(column(name, kind) for name, kind in types.items()), with_ordinality=PLACE)
        .render_derived("asked")
    )

    def replaced(part: Any, **_: Any) -> Any:
        if not isinstance(part, BindParameter):
            return None
        if part.key not in types:
            raise TypeError("A constant of a statement that is asked together must be a literal.")
        # As text, since the table stands around whatever subquery the parameter is in.
        return literal_column(f'asked."{part.key}"', part.type)

    replace: Any = visitors.replacement_traverse
    rows = replace(element, {}, replaced).subquery("question")
    answer = select(*rows.c, func.row_number().over().label(_NUMBER)).select_from(rows).lateral("answer")
    return (
        select(*(each for each in answer.c if each.name != _NUMBER), asked.c[PLACE])
        .select_from(asked.join(answer, true()))
        .order_by(asked.c[PLACE], answer.c[_NUMBER])
    )
