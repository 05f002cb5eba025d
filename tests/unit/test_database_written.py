"""Which values PostgreSQL may write as JSON, and which arguments a relation knows."""

from __future__ import annotations

import base64
import itertools
import string
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Integer,
    MetaData,
    SmallInteger,
    Table as StoredTable,
    Text,
    select,
)

from core.selections import CONSTANT, ENUM, OPAQUE, Selection, WrittenField, WrittenObject, WrittenValue
from database.queries.topics import ENGLISH_NAME, TOPIC, TOPICS_OF_COURSE
from database.queries.written import Related, Table, columns
from database.rows import Row
from database.statements import Statement
from database.tables.base import moment, one_of
from database.tables.courses import CourseLevel

STORED = StoredTable(
    "stored",
    MetaData(),
    Column("id", BigInteger, nullable=False),
    Column("sure", Text, nullable=False),
    Column("unsure", Text),
    Column("small", SmallInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("wide", BigInteger, nullable=False),
    Column("share", Float, nullable=False),
    Column("any_share", Float, nullable=False),
    Column("level", Text, nullable=False),
    moment("at"),
    one_of("level", CourseLevel),
)
STORED.append_constraint(CheckConstraint("share BETWEEN 0 AND 1", name="share"))
ROWS = Table("Stored", {each.name: each for each in STORED.c})
LEVELS = frozenset(CourseLevel)


@pytest.mark.parametrize(
    ("value", "can"),
    [
        (WrittenValue("k", "Stored", CONSTANT), True),
        (WrittenValue("k", "id", OPAQUE, of="Stored"), True),
        (WrittenValue("k", "sure", OPAQUE, of="Stored"), False),
        (WrittenValue("k", "sure", "String"), True),
        (WrittenValue("k", "unsure", "String"), False),
        (WrittenValue("k", "unsure", "String", nullable=True), True),
        (WrittenValue("k", "number", "String"), False),
        (WrittenValue("k", "number", "Int"), True),
        (WrittenValue("k", "small", "Int"), True),
        (WrittenValue("k", "wide", "Int"), False),
        (WrittenValue("k", "share", "Float"), True),
        (WrittenValue("k", "any_share", "Float"), False),
        (WrittenValue("k", "at", "DateTime"), True),
        (WrittenValue("k", "level", ENUM, values=LEVELS), True),
        (WrittenValue("k", "level", ENUM, values=LEVELS - {"BEGINNER"}), False),
        (WrittenValue("k", "sure", ENUM, values=LEVELS), False),
        (WrittenValue("k", "sure", "JSON"), False),
        (WrittenValue("k", "gone", "String"), False),
    ],
)
def test_only_what_cannot_fail_is_written(value: WrittenValue, can: bool) -> None:  # noqa: FBT001 - a parameter.
    """Types, nulls, the range of Int, NaN, and values that an enum does not have."""
    assert can is ROWS.can_write(value)


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({}, {"limit": 20}),
        ({"first": None, "after": None}, {"limit": 20}),
        ({"first": 0}, {"limit": 0}),
        ({"first": 100}, {"limit": 100}),
        ({"first": 101}, None),
        ({"first": -1}, None),
        ({"first": 3, "after": "x"}, None),
    ],
)
def test_page_is_the_beginning_of_its_list(arguments: dict[str, Any], parameters: dict[str, Any] | None) -> None:
    """What goes on from somewhere, or is too large, is left to the resolver."""
    relation = Related(ROWS, select(STORED), STORED.c.id, paged=True)
    assert parameters == relation.parameters(arguments)


def test_relation_without_arguments_knows_none() -> None:
    """A list, and a value that is asked for in a language."""
    assert {} == TOPICS_OF_COURSE.parameters({"most": None})
    assert TOPICS_OF_COURSE.parameters({"first": 1}) is None
    assert {} == ENGLISH_NAME.parameters({})
    assert ENGLISH_NAME.parameters({"language": "es"}) is None


def test_relations_of_others_are_refused() -> None:
    """A statement is made of what this database declares, and of nothing else."""
    stranger: Any = object()
    whole = WrittenObject(((None, (WrittenField("k", stranger, "w_"),)),))
    with pytest.raises(TypeError, match="not a relation"):
        columns(Selection(whole), TOPIC_ROWS, ("id",))


TOPIC_ROWS = select(*TOPIC.columns.values()).subquery()


def test_statement_has_the_columns_that_are_asked_for() -> None:
    """All of them as they are, with a whole object those of the resolver, and otherwise all and what is written."""
    name = WrittenField("name", ENGLISH_NAME, "w_")
    whole = Selection(WrittenObject(((None, (name,)),)))
    some = Selection(fields=(("w1", name),))
    for selection, expected in (
        (None, list(TOPIC.columns)),
        (whole, ["id", "written"]),
        (some, [*TOPIC.columns, "w1"]),
    ):
        made = select(*columns(selection, TOPIC_ROWS, ("id",)))
        assert expected == [each.name for each in made.selected_columns]
        assert Statement(made, Row).sql.startswith("SELECT ")
    assert "AS written" in TOPIC.sql(whole)


def test_opaque_ids_never_need_the_signs_that_differ() -> None:
    """PostgreSQL's base64 has `+` and `/` where opaque ids have `-` and `_`; what ids are made of comes to neither."""
    signs = f"{string.ascii_letters}{string.digits}_:-"
    threes = ("".join(each).encode() for each in itertools.product(signs, repeat=3))
    assert not {sign for three in threes for sign in base64.b64encode(three)} & set(b"+/")
