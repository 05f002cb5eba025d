"""What of a query is written by a database, and what happens where that cannot be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson
import pytest
import strawberry
from graphql import parse

from core.errors import ForbiddenError, InvalidArgumentError
from core.selections import CONSTANT, ENUM, Selection, Total, Written, WrittenField, WrittenObject, WrittenValue
from execution.compile import Answer, CompiledOperation, compile_operation
from execution.fields import InstanceOf, batch, column, command
from execution.policies import Policy
from tests.differential import Comparison, written_by_the_database

ANYONE = Policy("anyone")
FRIENDS = Policy("friends", lambda context: None if context.friend else ForbiddenError("Friends only."))


async def _nobody(_context: Any, parents: Sequence[Any]) -> list[ForbiddenError | None]:
    return [None for _ in parents]


OWNERS = Policy("owners", None, _nobody)


@dataclass
class Library:
    """A request.

    Attributes:
        friend: whether it may read what friends may.
        writes: writes the rows of a call, or fails to; None for who forgets to.
        told: what resolvers were asked to have written.
    """

    friend: bool = True
    writes: Callable[[BookRow, Written], BookRow] | None = None
    loaders: dict[Hashable, Any] = field(default_factory=dict)
    told: list[Written | None] = field(default_factory=list)


class BookRow(dict[str, Any]):
    """A row; columns are attributes too."""

    def __getattr__(self, name: str) -> Any:
        """Return a column."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


BOOKS = [
    BookRow(id=1, title="Ada", pages=90, kind="NOVEL", authors=[BookRow(name="A")], sequel=None),
    BookRow(id=2, title='"B"', pages=None, kind="ATLAS", authors=[], sequel=BookRow(name="C")),
]


@dataclass(frozen=True, eq=False)
class Shelf:
    """Rows that are written by Python, as a database would."""

    type: str
    names: frozenset[str]

    def can_write(self, value: WrittenValue) -> bool:
        """Say whether a column is one that can be written."""
        return value.form == CONSTANT or value.name in self.names

    def sql(self, selection: Selection) -> str:
        """Return something for people."""
        return "WRITE whole" if selection.whole is not None else f"WRITE {len(selection.fields)}"


@dataclass(frozen=True, eq=False)
class Link:
    """A relation to what a row has under a name."""

    name: str
    rows: Shelf | None = None
    many: bool = True
    paged: bool = False
    certain: bool = False

    def parameters(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the arguments, except for those that cannot be written."""
        if arguments.get("most") == 13:
            raise InvalidArgumentError("Thirteen is refused.")
        return None if arguments.get("most") == 0 else arguments


def entries(row: BookRow, written: WrittenObject) -> dict[str, Any]:
    """Return the object of a row."""
    told = dict(written.kinds)
    chosen = told[None if written.told_by is None else row[written.told_by]]
    return {each.key: value(row, each) for each in chosen}


def value(row: BookRow, written: WrittenValue | WrittenField) -> Any:
    """Return the value of an entry."""
    if isinstance(written, WrittenValue):
        return written.name if written.form == CONSTANT else row[written.name]
    found = row[written.relation.name]  # type: ignore[attr-defined]
    if written.object is None or found is None:
        return found
    if not written.relation.many:
        return entries(found, written.object)
    listed = [entries(each, written.object) for each in found]
    return {key: constant or listed for key, constant in written.wrapped} if written.wrapped else listed


def write(row: BookRow, written: Written) -> BookRow:
    """Return a row with what is written of it."""
    selection = written.selection
    if selection.whole is not None:
        return BookRow(written=orjson.dumps(entries(row, selection.whole)).decode())
    found = {name: value(row, each) for name, each in selection.fields}
    return BookRow(row, **{name: None if each is None else orjson.dumps(each).decode() for name, each in found.items()})


async def books(context: Library, parents: Sequence[Any], *, written: Written | None = None) -> list[list[BookRow]]:
    """Return the books."""
    context.told.append(written)
    if written is None or context.writes is None:
        return [BOOKS for _ in parents]
    return [[context.writes(row, written) for row in BOOKS] for _ in parents]


def reading(name: str) -> Any:
    """Return the batch resolver of what rows have under a name."""

    async def read(_context: Any, parents: Sequence[BookRow], **_arguments: Any) -> list[Any]:
        return [row[name] for row in parents]

    return read


async def page_of_authors(_context: Any, parents: Sequence[BookRow]) -> list[BookRow]:
    """Return the authors of each book as a page."""
    return [BookRow(nodes=row["authors"]) for row in parents]


async def pages(context: Library, _parents: Sequence[Any], *, written: Written | None = None) -> list[BookRow]:
    """Return a page of books."""
    context.told.append(written)
    whole = written is not None and written.selection.whole is not None
    return [BookRow(nodes=[write(row, written) for row in BOOKS] if whole and written else BOOKS)]


async def length(_context: Library, parents: Sequence[BookRow]) -> list[int]:
    """Return the length of each page."""
    return [len(page["nodes"]) for page in parents]


async def borrow(_context: Any) -> Lent:
    """Lend a book."""
    return Lent(BookRow(id=1))


PEOPLE = Shelf("Person", frozenset({"name"}))
SHELF = Shelf("Book", frozenset({"id", "title", "pages", "kind"}))


@strawberry.enum
class Kind(Enum):
    """A kind."""

    NOVEL = "NOVEL"
    ATLAS = "ATLAS"


@strawberry.type
class Person:
    """A person."""

    name: str = column(ANYONE, "The name.")


@strawberry.type
class People:
    """A page of people."""

    nodes: list[Person] = column(ANYONE, "The people.")
    total: int = column(ANYONE, "How many.", read=lambda page: len(page["nodes"]))


@strawberry.type
class Book:
    """A book."""

    id: int = column(ANYONE, "The key.")
    title: str = column(ANYONE, "The title.")
    pages: int | None = column(FRIENDS, "How long.")
    kind: Kind = column(ANYONE, "The kind.")
    shout: str = column(ANYONE, "The title, loud.", read=lambda row: row["title"].upper())

    @batch(reading("authors"), policy=ANYONE, relation=Link("authors", PEOPLE))
    def authors(self, most: int | None = strawberry.UNSET) -> list[Person]:
        """Who wrote it."""
        raise NotImplementedError

    @batch(reading("authors"), policy=OWNERS, relation=Link("authors", PEOPLE))
    def owners(self) -> list[Person]:
        """Whose it is."""
        raise NotImplementedError

    @batch(page_of_authors, policy=ANYONE, relation=Link("authors", PEOPLE, paged=True))
    def page(self) -> People:
        """Who wrote it, page by page."""
        raise NotImplementedError

    @batch(reading("sequel"), policy=ANYONE, relation=Link("sequel", PEOPLE, many=False))
    def sequel(self) -> Person | None:
        """What comes next."""
        raise NotImplementedError

    @batch(reading("title"), policy=ANYONE, relation=Link("title", many=False, certain=True))
    def name(self) -> str:
        """The title, by another name."""
        raise NotImplementedError

    @batch(reading("title"), policy=ANYONE)
    def spelled(self) -> str:
        """The title, spelled in Python."""
        raise NotImplementedError

    is_type_of = InstanceOf(BookRow)


@strawberry.type
class PageInfo:
    """Where a page stands."""

    has_next_page: bool = column(ANYONE, "Whether more follows.", read=lambda _page: False)
    end_cursor: str | None = column(ANYONE, "Where it ends.", read=lambda _page: "end")


@strawberry.type
class Books:
    """A page of books."""

    nodes: list[Book] = column(ANYONE, "The books.")
    page_info: PageInfo = column(ANYONE, "Where it stands.", read=lambda page: page)

    @batch(length, policy=ANYONE, relation=Total())
    def size(self) -> int:
        """How many there are."""
        raise NotImplementedError


@strawberry.type
class Query:
    """The query type."""

    @batch(pages, policy=ANYONE, rows=SHELF)
    def pages(self) -> Books:
        """All books, page by page."""
        raise NotImplementedError

    @batch(books, policy=ANYONE, rows=SHELF)
    def books(self) -> list[Book]:
        """All books."""
        raise NotImplementedError


@dataclass
class Lent:
    """A book that is lent."""

    book: BookRow


@strawberry.type
class LentBook:
    """What was borrowed."""

    book: Book = column(ANYONE, "The book.")

    @batch(books, policy=ANYONE, rows=SHELF)
    def others(self) -> list[Book]:
        """The books that are left."""
        raise NotImplementedError


@strawberry.type
class Mutation:
    """The mutation type."""

    @command(borrow, policy=ANYONE, refusal=lambda refused: refused)
    def borrow(self) -> LentBook:
        """Borrows a book."""
        raise NotImplementedError


SCHEMA = strawberry.Schema(Query, Mutation)
WHOLE = (
    "{ books { __typename id title k: kind authors { name } sequel { name } name page { __typename nodes { name } } } }"
)


def run(text: str, context: Library, **variables: Any) -> Answer:
    """Return the answer of a query, whose data has the database's texts as they are."""
    return asyncio.run(compile_operation(SCHEMA, parse(text)).execute(context, variables))


def planned(text: str) -> CompiledOperation:
    """Return a compiled query."""
    return compile_operation(SCHEMA, parse(text))


@pytest.mark.parametrize("text", [WHOLE, "{ books { spelled authors { name } sequel { name } id } }"])
def test_what_is_written_is_what_graphql_core_answers(text: str) -> None:
    """Whole objects, and fields of objects of which others are not written."""
    answer = asyncio.run(Comparison(SCHEMA).same(text, {}, (Library(), Library(writes=write))))
    assert not answer.errors
    assert 0 == answer.detours
    assert written_by_the_database(run(text, Library(writes=write)).data)


def test_whole_objects_take_no_further_call() -> None:
    """An object that is written is the end of the plan, which says so, and how."""
    plan = planned(WHOLE).describe()
    (((call,),),) = plan.segments
    assert (True, "WRITE whole") == ("Person.name" in call.written, call.sql)
    assert "written by the database: Book.id, Book.title, Book.kind, Book.authors" in str(plan)
    assert "Fragment(value['written'])" in planned(WHOLE).source


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("{ books { id shout } }", []),
        ("{ books { id spelled } }", ["Book.spelled"]),
        ("{ books { id owners { name } } }", ["Book.owners"]),
        ("{ books { page { total nodes { name } } } }", ["Book.page"]),
        ("{ books { page { a: nodes { name } nodes { name } } } }", ["Book.page"]),
        ("{ a: books { id } b: books { title } }", []),
        (f"{{ books {{ authors {{ {' '.join(f'a{n}: name' for n in range(401))} }} }} }}", ["Book.authors"]),
    ],
)
def test_what_cannot_be_written_is_not(text: str, called: list[str]) -> None:
    """Values that Python makes, policies that look at parents, other things of a page, very many fields."""
    plan = planned(text).describe()
    assert called == [name for level in plan.segments[0][1:] for call in level for name in call.coordinates]
    assert all(call.sql is None for level in plan.segments[0] for call in level)
    context = Library(writes=write)
    assert not run(text, context).errors
    assert [None] == context.told


def test_length_of_a_list_is_asked_for_with_its_page() -> None:
    """Whatever else is written of the page, or nothing."""
    for text, total in (
        ("{ pages { size nodes { id } } }", True),
        ("{ pages { size } }", True),
        ("{ pages { nodes { shout } } }", False),
    ):
        context = Library()
        assert not run(text, context).errors
        assert [total] == [told is not None and told.selection.total for told in context.told]


def test_row_after_a_page_is_asked_for_with_its_info() -> None:
    """Under whatever name, and not for the sake of cursors."""
    for text, more in (
        ("{ pages { nodes { id } pageInfo { endCursor } } }", False),
        ("{ pages { nodes { id } pageInfo { endCursor more: hasNextPage } } }", True),
        ("{ pages { nodes { shout } size info: pageInfo { ... on PageInfo { hasNextPage } } } }", True),
        ("{ pages { nodes { shout } size } }", False),
    ):
        context = Library()
        assert not run(text, context).errors
        assert [more] == [told is not None and told.selection.more for told in context.told]


def test_mutations_are_not_written() -> None:
    """Only queries are."""
    plan = planned("mutation { borrow { book { id authors { name } } others { id } } }").describe()
    assert all(call.sql is None for levels in plan.segments for level in levels for call in level)


def test_nothing_is_written_where_that_is_forbidden() -> None:
    """Whoever compiles may say so."""
    plan = compile_operation(SCHEMA, parse(WHOLE), write=False).describe()
    assert all(call.sql is None for levels in plan.segments for level in levels for call in level)


@pytest.mark.parametrize(
    ("text", "friend"),
    [
        ("{ books { pages } }", False),
        ("{ books { authors(most: 13) { name } } }", True),
        ("{ books { authors(most: 0) { name } } }", True),
    ],
)
def test_refusals_are_worded_the_ordinary_way(text: str, friend: bool) -> None:  # noqa: FBT001 - a parameter.
    """A policy that refuses, an argument that is refused, and one that a relation does not know."""
    contexts = (Library(friend), Library(friend, writes=write))
    asyncio.run(Comparison(SCHEMA).same(text, {}, contexts))
    assert [None] == contexts[1].told


def test_arguments_are_parameters() -> None:
    """What a client gives reaches the statement under a name of its own for each field."""
    context = Library(writes=write)
    text = "query ($n: Int) { books { authors(most: $n) { name } b: authors(most: 3) { name } } }"
    assert not run(text, context, n=7).errors
    (told,) = context.told
    assert told is not None
    assert [3, 7] == sorted(told.parameters.values())


def test_conditions_decide_what_is_written() -> None:
    """Each combination has its own selection, which is the same object whenever it comes again."""
    compiled = planned("query ($with: Boolean!) { books { id authors @include(if: $with) { name } } }")
    context = Library(writes=write)
    for chosen in (True, False, True):
        answer = asyncio.run(compiled.execute(context, {"with": chosen}))
        assert chosen == (b"authors" in orjson.dumps(answer.data))
    one, other, again = (each.selection for each in context.told if each is not None)
    assert one is again is not other


def _fails(_row: BookRow, _written: Written) -> BookRow:
    raise ValueError("The database does not know how.")


def _forgets(row: BookRow, _written: Written) -> BookRow:
    return row


@pytest.mark.parametrize("writes", [None, _fails, _forgets])
@pytest.mark.parametrize("text", [WHOLE, "{ books { spelled authors { name } } }"])
def test_what_the_database_does_not_write_is_answered_without(
    text: str, writes: Callable[[BookRow, Written], BookRow] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A resolver that fails to have its rows written costs time and a line in the log, and no client an answer."""
    with caplog.at_level(logging.ERROR):
        answer = run(text, Library(writes=writes))
    assert answer.rewritten
    assert not answer.errors
    assert "did not write" in caplog.text
    expected = asyncio.run(compile_operation(SCHEMA, parse(text), write=False).execute(Library()))
    assert expected.data == answer.data


def test_error_of_a_call_is_an_error_of_its_field() -> None:
    """What a resolver refuses is told as ever, and is no reason to ask again."""

    def refuses(_row: BookRow, _written: Written) -> BookRow:
        raise ForbiddenError("Closed.")

    answer = run("{ books { id } }", Library(writes=refuses))
    assert (["Closed."], False) == ([error.message for error in answer.errors], answer.rewritten)


def test_written_objects_stand_beside_abnormal_ones() -> None:
    """A value that is an error takes the slow way, with its siblings as they were written."""

    def writes(row: BookRow, written: Written) -> Any:
        return ForbiddenError("Torn.") if row["id"] == 1 else write(row, written)

    for text in ("{ books { id } }", "{ books { spelled sequel { name } } }"):
        answer = run(text, Library(writes=writes))
        assert [("Torn.", ["books", 0])] == [(error.message, error.path) for error in answer.errors]
        assert not answer.rewritten


@pytest.mark.parametrize("text", ["{ books { id } }", "{ books { shout } }", "{ b: books { id } __typename }"])
def test_only_call_of_a_query_is_made_once(text: str) -> None:
    """Whether its values are normal, errors among them, or the call fails: what is known is not asked for again."""

    def tears(row: BookRow, written: Written) -> Any:
        return ForbiddenError("Torn.") if row["id"] == 1 else write(row, written)

    def refuses(_row: BookRow, _written: Written) -> BookRow:
        raise ForbiddenError("Closed.")

    for writes in (write, tears, refuses, None):
        context = Library(writes=writes)
        asyncio.run(compile_operation(SCHEMA, parse(text)).execute(context))
        assert (2 if writes is None and "id" in text else 1) == len(context.told)


def test_call_that_answers_too_little_is_an_error() -> None:
    """A resolver returns a result for each parent; with too few, its fields fail as ever."""

    async def nothing(_context: Any, _parents: Sequence[Any]) -> list[Any]:
        return []

    @strawberry.type(name="Query")
    class Empty:
        @batch(nothing, policy=ANYONE)
        def number(self) -> int | None:
            """No number."""
            raise NotImplementedError

    schema = strawberry.Schema(Empty)
    answer = asyncio.run(Comparison(schema).same("{ number }", {}, (Library(), Library())))
    assert ["number"] == [error.path[0] for error in answer.errors if error.path]


def test_enums_are_told_by_all_of_their_values() -> None:
    """The database is asked whether it holds no other."""
    asked: list[WrittenValue] = []

    class Curious(Shelf):
        def can_write(self, value: WrittenValue) -> bool:
            asked.append(value)
            return True

    @strawberry.type(name="Query")
    class Other:
        @batch(books, policy=ANYONE, rows=Curious("Book", frozenset()))
        def books(self) -> list[Book]:
            """All books."""
            raise NotImplementedError

    compile_operation(strawberry.Schema(Other), parse("{ books { kind pages } }"))
    assert [(ENUM, frozenset({"NOVEL", "ATLAS"}), False), ("Int", frozenset(), True)] == [
        (each.form, each.values, each.nullable) for each in asked
    ]
