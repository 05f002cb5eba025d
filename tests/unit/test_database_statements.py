"""Which statements may be asked together, and for how many callers at once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import ARRAY, BigInteger, Text, bindparam, column, select, table, text

from core.selections import Selection, WrittenField, WrittenObject, WrittenValue
from database.queries.courses import INSTRUCTORS_OF_COURSE
from database.queries.topics import ENGLISH_NAME
from database.queries.written import most_together
from database.rows import Row
from database.statements import Statement, bounded

_THINGS = table("things", column("id", BigInteger), column("name", Text))


class ThingRow(Row):
    """A thing."""

    id: int


def test_parameters_become_lists_in_the_same_order() -> None:
    """So that the questions of several callers are its arguments, one beside the other."""
    page = bounded(select(_THINGS.c.id).where(_THINGS.c.name == bindparam("name", type_=Text)).order_by(_THINGS.c.id))
    statement = Statement(page, ThingRow, together=64)
    assert ("name", "limit") == statement.parameters
    assert statement.together is not None
    assert statement.parameters == statement.together.parameters
    assert "$1::TEXT[]" in statement.together.sql
    assert 'things.name = asked."name"' in statement.together.sql
    assert 'LIMIT asked."limit"' in statement.together.sql
    assert statement.together.together is None


@pytest.mark.parametrize(
    "element",
    [
        select(_THINGS.c.id),
        select(_THINGS.c.id).where(_THINGS.c.id == bindparam("ids", type_=ARRAY(BigInteger)).any_()),
        select(_THINGS.c.id).where(text("id = :id")),
        select(_THINGS.c.id).where(_THINGS.c.id == 5, _THINGS.c.name == bindparam("name", type_=Text)),
        text("SELECT id FROM things WHERE id = :id"),
    ],
)
def test_what_cannot_be_asked_together_is_refused_where_it_is_declared(element: Any) -> None:
    """Lists, parameters of unknown types or without a name, and texts."""
    with pytest.raises(TypeError, match=r"together|scalar"):
        Statement(element, ThingRow, together=2)


def test_the_more_is_written_the_fewer_go_together() -> None:
    """Lists in lists go alone."""
    name = WrittenObject(((None, (WrittenValue("name", "display_name", "String"),)),))
    flat = Selection(WrittenObject(((None, (WrittenField("name", ENGLISH_NAME, ""),)),)))
    taught = WrittenField("instructors", INSTRUCTORS_OF_COURSE, "", name)
    listed = Selection(fields=(("written_1", taught),))
    nested = Selection(
        WrittenObject(((None, (WrittenField("a", INSTRUCTORS_OF_COURSE, "", WrittenObject(((None, (taught,)),))),)),))
    )
    assert [64, 64, 8, 0] == [most_together(each) for each in (None, flat, listed, nested)]
    assert [8, 8, 0, 0] == [most_together(each, 1) for each in (None, flat, listed, nested)]
