"""What is to be written as JSON where the rows are: a selection of fields, told without GraphQL and without SQL.

`execution` finds out that all of a selection can be written, and says so in these words; `database` turns them into a
statement; neither knows of the other. Whoever declares a field says what it is for PostgreSQL: `Rows` for the objects
of a resolver that takes such selections, and a `Relation` for a field that is reached from the row of its parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

WHOLE = "written"
"""Name of the column that has a whole object."""

TOTAL = "total"
"""Name of the column that has the length of the whole list, the same in each row."""


class Total:
    """What stands for a relation on a field that is the length of the list that its parent is a page of."""


Entry = "WrittenValue | WrittenField"


class Rows(Protocol):
    """The rows of a kind of object, as far as they can be written.

    Attributes:
        type: name of the kind: an object type, or an interface.
    """

    @property
    def type(self) -> str:
        """Return the name."""
        ...

    def can_write(self, value: WrittenValue) -> bool:
        """Say whether a value is written exactly as it would be answered, whatever the row."""
        ...

    def sql(self, selection: Selection) -> str:
        """Return what is written of a row, for people."""
        ...


class Relation(Protocol):
    """How the rows, or the value, of a field are found from the row of its parent.

    Attributes:
        rows: what it leads to; None for a single value.
        many: whether that is a list; otherwise there is one row at most.
        paged: whether it is the first page of a list, which `first` bounds.
        certain: whether there always is a row, or a value that is not null.
    """

    @property
    def rows(self) -> Rows | None:
        """Return what it leads to."""
        ...

    @property
    def many(self) -> bool:
        """Return whether that is a list."""
        ...

    @property
    def paged(self) -> bool:
        """Return whether it is a page."""
        ...

    @property
    def certain(self) -> bool:
        """Return whether there always is something."""
        ...

    def parameters(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the parameters that a resolver's arguments mean; None for what cannot be written this way."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class WrittenValue:
    """A plain value.

    Attributes:
        key: its name in the answer.
        name: of the column; for a constant, the text itself.
        form: the scalar that it is written as, `ENUM`, or `CONSTANT`.
        nullable: whether null may be answered.
        of: for an opaque id, what it is of.
        values: for an enum, all of its values.
    """

    key: str
    name: str
    form: str
    nullable: bool = False
    of: str | None = None
    values: frozenset[str] = frozenset()


ENUM, CONSTANT, OPAQUE = "(enum)", "(constant)", "(opaque)"


@dataclass(frozen=True, eq=False, slots=True)
class WrittenObject:
    """An object, by its kind.

    Attributes:
        kinds: what is written of each kind, by the value that tells it; of the only kind, by None.
        told_by: the column that tells the kind; None where there is only one.
    """

    kinds: tuple[tuple[str | None, tuple[WrittenValue | WrittenField, ...]], ...]
    told_by: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class WrittenField:
    """What a relation leads to.

    Attributes:
        key: its name in the answer.
        relation: where it is found.
        prefix: what the names of its parameters begin with.
        object: what is written of each row; None for a single value.
        wrapped: keys of the page that the list is in; each has the same list. Of a constant, its text.
    """

    key: str
    relation: Relation
    prefix: str
    object: WrittenObject | None = None
    wrapped: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """What the rows of one call are written as: whole objects, or some of their fields, each in a column, or neither.

    Two are equal if they are the same, so that statements can be remembered by them.

    Attributes:
        whole: the object, in the column `WHOLE`.
        fields: otherwise, fields by the columns that have them.
        total: whether the length of the list that they are a page of is wanted, in the column `TOTAL`. A resolver may
            leave that to whoever asks for it.
        more: whether it is wanted if rows come before or after the page; else the row that would tell is not read.
    """

    whole: WrittenObject | None = None
    fields: tuple[tuple[str, WrittenField], ...] = ()
    total: bool = False
    more: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """What a resolver is given that can have its rows written.

    Attributes:
        selection: what is to be written.
        parameters: of the relations in it, for the statement.
    """

    selection: Selection
    parameters: dict[str, Any] = field(default_factory=dict)
