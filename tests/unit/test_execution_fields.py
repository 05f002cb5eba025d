"""Declared fields on a schema of two types, executed by graphql-core."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry
from strawberry.types import ExecutionResult

from core.errors import ClientError, CommandError, ForbiddenError, UserErrorCode
from execution.dataloading import freeze
from execution.fields import batch, column, command, subscription
from execution.policies import Policy


@dataclass
class FakeContext:
    """The least that executors need, and what the tests look at."""

    allowed: bool = True
    calls: list[tuple[str, int]] = field(default_factory=list)
    loaders: dict[Hashable, Any] = field(default_factory=dict)


@dataclass
class Shelf:
    """A parent without a hash."""

    number: int
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Payload:
    """What the command answers."""

    shelf: Shelf | None = None
    errors: tuple[CommandError, ...] = ()


def _allowed(context: FakeContext) -> ClientError | None:
    return None if context.allowed else ForbiddenError("Only librarians may see this.")


ANYONE = Policy("anyone")
LIBRARIAN = Policy("librarian", _allowed)


async def _even(context: FakeContext, parents: Sequence[Shelf]) -> list[ClientError | None]:
    context.calls.append(("policy", len(parents)))
    return [None if shelf.number % 2 == 0 else ForbiddenError("Odd shelves are private.") for shelf in parents]


EVEN = Policy("even", check_parents=_even)


async def shelves(context: FakeContext, roots: Sequence[None], *, first: int = 2) -> list[list[Shelf]]:
    """Return shelves."""
    context.calls.append(("shelves", len(roots)))
    return [[Shelf(number) for number in range(first)] for _ in roots]


async def load_books(context: FakeContext, parents: Sequence[Shelf], *, words: Sequence[str] = ()) -> list[Any]:
    """Return the books of each shelf; the third shelf is broken."""
    context.calls.append(("books", len(parents)))
    return [
        ForbiddenError("The third shelf is locked.")
        if shelf.number == 2
        else [f"{shelf.number}{word}" for word in words]
        for shelf in parents
    ]


async def move(context: FakeContext, *, number: int) -> Payload:
    """Move a shelf, unless it is the first."""
    if number == 0:
        raise CommandError(UserErrorCode.INVALID, "The first shelf stays.", ("number",))
    return Payload(Shelf(number))


@strawberry.type(name="Shelf")
class ShelfType:
    """A shelf."""

    number: int = column(ANYONE, "Its number.")
    secret: str = column(LIBRARIAN, "Only for librarians.", read=lambda shelf: f"s{shelf.number}")
    doubled: int = column(ANYONE, "Twice its number.", read=lambda shelf: shelf.number * 2)

    @batch(load_books, policy=ANYONE)
    def books(self, words: list[str] | None = strawberry.UNSET) -> list[str] | None:
        """What stands on it."""
        raise NotImplementedError

    @batch(load_books, policy=LIBRARIAN)
    def locked_books(self, words: list[str]) -> list[str] | None:
        """What stands on it, for librarians."""
        raise NotImplementedError

    @batch(load_books, policy=EVEN)
    def even_books(self, words: list[str]) -> list[str] | None:
        """What stands on it, if it is even."""
        raise NotImplementedError


@strawberry.type
class MoveType:
    """A payload."""

    shelf: ShelfType | None = column(ANYONE, "The shelf.")
    errors: list[str] = column(ANYONE, "Refusals.", read=lambda payload: [str(error) for error in payload.errors])


@strawberry.type
class Query:
    """The queries."""

    @batch(shelves, policy=ANYONE)
    def shelves(self, first: int = 2) -> list[ShelfType]:
        """All shelves."""
        raise NotImplementedError


@strawberry.type
class Mutation:
    """The mutations."""

    @command(move, policy=LIBRARIAN, refusal=lambda error: Payload(errors=(error,)))
    def move(self, number: int) -> MoveType | None:
        """Moves a shelf."""
        raise NotImplementedError


async def moves(context: FakeContext, *, count: int) -> AsyncGenerator[Shelf, None]:
    """Stream shelves; after the second one the caller may not have more."""
    try:
        for number in range(count):
            context.allowed = number < 2
            context.loaders["of the value before"] = None
            yield Shelf(number)
    finally:
        context.calls.append(("closed", count))


@strawberry.type
class Subscription:
    """The subscriptions."""

    @subscription(moves, policy=LIBRARIAN)
    def moved(self, count: int) -> ShelfType:
        """A shelf that was moved."""
        raise NotImplementedError


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


async def execute(document: str, context: FakeContext | None = None) -> tuple[Any, list[str], FakeContext]:
    """Run a document and return its data, its error messages and the context."""
    context = context or FakeContext()
    result = await SCHEMA.execute(document, context_value=context)
    return result.data, [error.message for error in result.errors or ()], context


async def test_siblings_are_answered_by_one_call() -> None:
    """However many parents, the batch resolver is called once with all of them."""
    data, errors, context = await execute('{ shelves(first: 2) { number doubled books(words: ["x", "y"]) } }')
    assert [] == errors
    assert {"number": 1, "doubled": 2, "books": ["1x", "1y"]} == data["shelves"][1]
    assert [("shelves", 1), ("books", 2)] == context.calls


async def test_different_arguments_are_different_calls() -> None:
    """Aliases with the same arguments share a call; others do not."""
    _, errors, context = await execute(
        '{ shelves { a: books(words: ["x"]) b: books(words: ["x"]) c: books(words: ["y"]) } }'
    )
    assert [] == errors
    assert [("books", 4), ("books", 2)] == sorted(context.calls[1:], reverse=True)


async def test_one_parents_error_is_nobody_elses() -> None:
    """An exception among the results is the error of its parent alone."""
    data, errors, _ = await execute('{ shelves(first: 3) { books(words: ["x"]) } }')
    assert ["The third shelf is locked."] == errors
    assert [["0x"], ["1x"], None] == [shelf["books"] for shelf in data["shelves"]]


async def test_argument_that_was_not_given_is_not_passed() -> None:
    """The resolver's own default holds."""
    data, errors, _ = await execute("{ shelves { books } }")
    assert [] == errors
    assert [[], []] == [shelf["books"] for shelf in data["shelves"]]


@pytest.mark.parametrize("selection", ["secret", 'lockedBooks(words: ["x"])'])
async def test_policy_refuses_before_anything_runs(selection: str) -> None:
    """Columns and batch fields are refused alike, and no resolver is called."""
    _, errors, context = await execute(f"{{ shelves(first: 1) {{ {selection} }} }}", FakeContext(allowed=False))
    assert ["Only librarians may see this."] == errors
    assert [("shelves", 1)] == context.calls
    _, allowed, _ = await execute(f"{{ shelves(first: 1) {{ {selection} }} }}")
    assert [] == allowed


async def test_policy_over_parents_is_asked_once_and_refuses_each_its_own() -> None:
    """The batch resolver gets the parents that are allowed; the others are null with an error."""
    data, errors, context = await execute('{ shelves(first: 2) { evenBooks(words: ["x"]) } }')
    assert ["Odd shelves are private."] == errors
    assert [["0x"], None] == [shelf["evenBooks"] for shelf in data["shelves"]]
    assert [("shelves", 1), ("policy", 2), ("books", 1)] == context.calls


def test_policy_over_parents_needs_a_batch_resolver() -> None:
    """A column or a command would ask for each parent alone, or for none."""
    with pytest.raises(TypeError, match="not a column"):
        column(EVEN, "A column.")
    with pytest.raises(TypeError, match="not a command"):
        command(move, policy=EVEN, refusal=lambda error: error)
    with pytest.raises(TypeError, match="not a subscription"):
        subscription(moves, policy=EVEN)


async def test_expected_refusal_of_a_command_is_data() -> None:
    """A `CommandError` becomes the payload's errors and not a GraphQL error."""
    data, errors, _ = await execute(
        "mutation { a: move(number: 0) { shelf { number } errors } b: move(number: 1) { shelf { number } } }"
    )
    assert [] == errors
    assert {"shelf": None, "errors": ["INVALID: The first shelf stays."]} == data["a"]
    assert {"shelf": {"number": 1}} == data["b"]


async def test_policy_refuses_a_command() -> None:
    """A command that the caller may not run does not run."""
    data, errors, _ = await execute("mutation { move(number: 1) { errors } }", FakeContext(allowed=False))
    assert ["Only librarians may see this."] == errors
    assert {"move": None} == data


async def watch(context: FakeContext, count: int) -> tuple[list[Any], list[str]]:
    """Return data and error messages of a subscription, to its end."""
    document = f'subscription {{ moved(count: {count}) {{ number secret books(words: ["x"]) }} }}'
    results = [each async for each in await SCHEMA.subscribe(document, context_value=context)]
    data = [each.data["moved"] for each in results if isinstance(each, ExecutionResult) and each.data]
    return data, [error.message for each in results for error in each.errors or ()]


async def test_subscription_streams_values_with_what_hangs_on_them() -> None:
    """Each value is resolved like any object, with fresh loaders, and the stream is closed at its end."""
    context = FakeContext()
    data, errors = await watch(context, 2)
    assert [] == errors
    assert [{"number": n, "secret": f"s{n}", "books": [f"{n}x"]} for n in range(2)] == data
    assert "of the value before" not in context.loaders
    assert [("books", 1), ("books", 1), ("closed", 2)] == context.calls


async def test_policy_of_a_subscription_is_asked_for_every_value() -> None:
    """Who may not subscribe gets no stream; who may no more gets no other value, and the stream is closed."""
    refused = FakeContext(allowed=False)
    assert ([], ["Only librarians may see this."]) == await watch(refused, 1)
    assert [] == refused.calls
    context = FakeContext()
    data, errors = await watch(context, 4)
    assert (2, ["Only librarians may see this."]) == (len(data), errors)
    assert ("closed", 4) == context.calls[-1]


async def test_client_that_leaves_closes_the_stream() -> None:
    """What the stream holds is let go of at once."""
    context = FakeContext()
    stream = await SCHEMA.subscribe("subscription { moved(count: 2) { number } }", context_value=context)
    await anext(stream)
    await stream.aclose()
    assert [("closed", 2)] == context.calls


def test_field_without_a_description_cannot_be_declared() -> None:
    """A stub needs a docstring: it is what frontend developers read."""

    def undocumented(self: object) -> int:
        raise NotImplementedError

    with pytest.raises(TypeError, match="no docstring"):
        batch(shelves, policy=ANYONE)(undocumented)


def test_field_is_not_taken_for_a_resolver() -> None:
    """In a class body the name of a declared field hides a resolver of the same name; that is said at once."""
    with pytest.raises(TypeError, match="is a field"):
        batch(column(ANYONE, "A column."), policy=ANYONE)


def test_frozen_arguments_are_equal_when_the_arguments_are() -> None:
    """Dictionaries, lists and dataclasses of them become hashable and keep their equality."""
    one, other = ({"b": [1, {"c": Shelf(1, ["x"])}], "a": None} for _ in range(2))
    assert freeze(one) == freeze(other)
    assert hash(freeze(one)) == hash(freeze(other))
    assert freeze(one) != freeze({"b": [1, {"c": Shelf(1, ["y"])}], "a": None})
