"""A schema made to break executors: every nullability, lists of lists, interfaces, unions, and values that misbehave.

What a field answers follows from the parent's number and the field's name alone, so that two executors meet the same.
The share of values that misbehave is the context's. Resolvers take turns, as they do on the one connection that a
request reads with: each ends before the next begins, which also gives graphql-core's event loop a fixed order.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from core.errors import ClientError, CommandError, ForbiddenError, UserErrorCode
from execution.fields import batch, column, command
from execution.policies import Policy

_TICKS = 25


@dataclass
class TortureContext:
    """One request.

    Attributes:
        rate: how many of a thousand values misbehave.
        allowed: whether policies let the request pass.
        salt: what the things at the root follow from.
        calls: what was called, with how many parents.
    """

    rate: int = 0
    allowed: bool = True
    salt: int = 0
    loaders: dict[Hashable, Any] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    moves: int = 0


@dataclass(frozen=True)
class Thing:
    """A parent; everything about it follows from its number.

    Attributes:
        number: tells it from others.
        rate: as of the context.
    """

    number: int
    rate: int

    def roll(self, name: str, sides: int) -> int:
        """Return a number from 0 that this thing always has under a name."""
        return zlib.crc32(f"{self.number}:{name}".encode()) % sides

    def misbehaves(self, name: str) -> bool:
        """Say whether the value of a name is not what it should be."""
        return self.roll(f"{name}?", 1000) < self.rate

    def other(self, name: str) -> Any:
        """Return another thing: of the class that its number gives."""
        return _thing(self.roll(name, 1_000_003), self.rate)


class CatThing(Thing):
    """A cat."""


class DogThing(Thing):
    """A dog."""


class RobotThing(Thing):
    """A robot."""


class StrangeThing(Thing):
    """A thing that is of no type."""


def _thing(number: int, rate: int) -> Thing:
    return (CatThing, DogThing, RobotThing)[number % 3](number, rate)


class FailureError(Exception):
    """What misbehaving values raise, or are."""


class Color(Enum):
    """An enum whose values are not its names."""

    RED = "r"
    GREEN = 2
    BLUE = "BLUE"


class NamedFailureError(Exception):
    """An exception that has the fields of a type."""

    name = "not a name"
    number = 1


_WRONG: tuple[Callable[[Thing, str], Any], ...] = (
    lambda _thing, _name: None,
    lambda _thing, _name: None,
    lambda thing, name: FailureError(f"{name} of {thing.number}"),
    lambda _thing, _name: object,
    lambda _thing, _name: [],
    lambda _thing, _name: "wrong",
    lambda _thing, _name: 7,
    lambda _thing, _name: 2.5,
    lambda _thing, _name: float("nan"),
    lambda _thing, _name: {"a": 1},
    lambda thing, _name: StrangeThing(thing.number, thing.rate),
    lambda thing, name: GraphQLError(f"A GraphQL error of {name} of {thing.number}."),
    lambda _thing, _name: NamedFailureError("named"),
    lambda _thing, _name: [None, FailureError("inner"), 3],
    lambda _thing, _name: (item for item in ["a", None]),
    lambda _thing, _name: strawberry.UNSET,
)


def _value(thing: Thing, name: str, well: Any) -> Any:
    if not thing.misbehaves(name):
        return well
    if thing.roll(f"{name}!", 5) == 0:
        raise FailureError(f"raised by {name} of {thing.number}")
    return _WRONG[thing.roll(f"{name}#", len(_WRONG))](thing, name)


def _read(name: str, well: Callable[[Thing], Any]) -> Callable[[Any], Any]:
    return lambda thing: _value(thing, name, well(thing))


def _listed(name: str, well: Callable[[Thing, int], Any]) -> Callable[[Any], Any]:
    """Return a reader of a list whose items may misbehave one by one."""

    def read(thing: Thing) -> Any:
        items = [_item(thing, f"{name}.{place}", well, place) for place in range(thing.roll(f"{name}+", 4))]
        return _value(thing, name, items)

    return read


def _item(thing: Thing, name: str, well: Callable[[Thing, int], Any], place: int) -> Any:
    try:
        return _value(thing, name, well(thing, place))
    except FailureError as error:
        return error


def _nested(name: str, well: Callable[[Thing, int], Any]) -> Callable[[Any], Any]:
    """Return a reader of a list of lists."""
    return _listed(name, lambda thing, outer: _listed(f"{name}/{outer}", well)(thing.other(f"{name}{outer}")))


def _allowed(context: TortureContext) -> ClientError | None:
    return None if context.allowed else ForbiddenError("Not for you.")


async def _even(_context: TortureContext, parents: Sequence[Any]) -> list[ClientError | None]:
    return [None if getattr(parent, "number", 0) % 2 == 0 else ForbiddenError("Odd.") for parent in parents]


ANYONE = Policy("anyone")
CHOSEN = Policy("chosen", _allowed)
EVEN = Policy("even", _allowed, _even)


def _batch_resolver(name: str, well: Callable[[Any], Any]) -> Callable[..., Any]:
    async def resolve(context: TortureContext, parents: Sequence[Any], **arguments: Any) -> Any:
        async with context.turn:
            for _ in range(_TICKS):
                await asyncio.sleep(0)
            context.calls.append((name, len(parents)))
            asked = repr(sorted(arguments.items()))
            root = _thing(zlib.crc32(f"{context.salt}:{asked}".encode()), context.rate)
            things = [parent if isinstance(parent, Thing) else root for parent in parents]
            shared = Thing(zlib.crc32(f"{context.salt}:{asked}".encode()), context.rate // 8)
            if shared.misbehaves(f"all {name}"):
                raise FailureError(f"{name} failed for all")
            if shared.misbehaves(f"length {name}"):
                return []
            return [_answer(thing, f"{name}{asked}", well) for thing in things]

    resolve.__name__ = name
    return resolve


def _answer(thing: Thing, name: str, well: Callable[[Any], Any]) -> Any:
    try:
        return _value(thing, name, well(thing))
    except FailureError as error:
        return error


def _things(name: str) -> Callable[[Any], Any]:
    return _listed(name, lambda thing, place: thing.other(f"{name}{place}"))


ANSWER_ONE = _batch_resolver("one", lambda thing: thing.other("one"))
ANSWER_MANY = _batch_resolver("many", _things("many"))
ANSWER_GRID = _batch_resolver("grid", _nested("grid", lambda thing, place: thing.other(f"g{place}")))
ANSWER_NUMBER = _batch_resolver("number", lambda thing: thing.roll("number", 100))
ANSWER_WORDS = _batch_resolver("words", _listed("words", lambda thing, place: f"{thing.number}-{place}"))


async def echo(context: TortureContext, parents: Sequence[Any], **arguments: Any) -> list[str]:
    """Answer with the arguments as the resolver sees them."""
    context.calls.append(("echo", len(parents)))
    return [repr(sorted(arguments.items())) for _ in parents]


Json = NewType("Json", object)


def _json(value: Any) -> Any:
    return None if value == "wrong" else value if isinstance(value, dict) else type(value).__name__


JSON_SCALAR = strawberry.scalar(name="Json", serialize=_json, parse_value=lambda value: value)
strawberry.enum(Color)


@strawberry.input
class Inner:
    """A nested input."""

    weight: float = 1.5
    colors: list[Color] | None = strawberry.UNSET
    tags: list[list[str]] | None = None


@strawberry.input
class Wish:
    """An input that stays itself."""

    text: str
    count: int | None = 3
    inner: Inner | None = strawberry.UNSET
    inners: list[Inner] = strawberry.field(default_factory=list)
    when: datetime | None = None


@strawberry.input(one_of=True)
class Choice:
    """Exactly one of two."""

    id: strawberry.ID | None = strawberry.UNSET
    color: Color | None = strawberry.UNSET

    def to_criteria(self) -> tuple[Any, ...]:
        """Return the resolver's form."""
        if self.id == "refuse":
            raise FailureError("The input refuses.")
        return ("choice", None if self.id is strawberry.UNSET else self.id, self.color is not strawberry.UNSET)


@strawberry.interface
class Being:
    """Something alive."""

    id: strawberry.ID = column(ANYONE, "Its number.", read=_read("id", lambda thing: thing.number))
    name: str | None = column(ANYONE, "Its name.", read=_read("name", lambda thing: f"n{thing.number}"))

    @batch(ANSWER_ONE, policy=ANYONE)
    def friend(self) -> Annotated[Pet, strawberry.lazy("tests.torture")] | None:
        """A friend."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=ANYONE)
    def herd(self) -> list[Box]:
        """Boxes around it."""
        raise NotImplementedError


@strawberry.type
class Cat(Being):
    """A cat."""

    lives: int = column(ANYONE, "Lives.", read=_read("lives", lambda thing: thing.roll("lives", 9)))
    mood: str = column(ANYONE, "Mood.", read=_read("mood", lambda _thing: "aloof"))

    @batch(ANSWER_ONE, policy=EVEN)
    def owner(self) -> Box:
        """Who feeds it."""
        raise NotImplementedError

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        """Say whether it is a cat."""
        return isinstance(value, CatThing)


@strawberry.type
class Dog(Being):
    """A dog."""

    mood: str | None = column(CHOSEN, "Mood.", read=_read("mood", lambda _thing: "happy"))
    tricks: list[str] = column(ANYONE, "Tricks.", read=_listed("tricks", lambda _thing, place: f"trick {place}"))

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        """Say whether it is a dog."""
        return isinstance(value, DogThing)


@strawberry.type
class Robot:
    """Not alive."""

    serial: int | None = column(ANYONE, "Serial.", read=_read("serial", lambda thing: thing.number))
    maker: Annotated[Pet, strawberry.lazy("tests.torture")] | None = column(
        ANYONE, "Maker.", read=_read("maker", lambda thing: thing.other("maker"))
    )

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        """Say whether it is a robot."""
        return isinstance(value, RobotThing)


Pet = Annotated[Cat | Dog | Robot, strawberry.union("Pet")]


@strawberry.type
class Box:
    """Everything in every nullability."""

    number: int | None = column(ANYONE, "Attribute.")
    sure_number: int = column(ANYONE, "Int!", read=_read("sure_number", lambda thing: thing.roll("i", 99)))
    text: str | None = column(ANYONE, "String", read=_read("text", lambda thing: f"t{thing.number}"))
    sure_text: str = column(ANYONE, "String!", read=_read("sure_text", lambda thing: f"t{thing.number}"))
    share: float | None = column(ANYONE, "Float", read=_read("share", lambda thing: thing.roll("f", 9) / 4))
    sure_share: float = column(ANYONE, "Float!", read=_read("sure_share", lambda thing: thing.roll("f", 9)))
    open: bool | None = column(ANYONE, "Boolean", read=_read("open", lambda thing: thing.roll("b", 2) == 1))
    sure_open: bool = column(ANYONE, "Boolean!", read=_read("sure_open", lambda thing: thing.roll("b", 2) == 1))
    mark: strawberry.ID | None = column(ANYONE, "ID", read=_read("mark", lambda thing: f"m{thing.number}"))
    color: Color | None = column(ANYONE, "Enum", read=_read("color", lambda thing: list(Color)[thing.roll("c", 3)]))
    sure_color: Color = column(
        ANYONE, "Enum!", read=_read("sure_color", lambda thing: ("r", 2, "BLUE")[thing.roll("c", 3)])
    )
    when: datetime | None = column(
        ANYONE, "DateTime", read=_read("when", lambda thing: datetime.fromtimestamp(thing.number, UTC))
    )
    extra: Json | None = column(ANYONE, "Json", read=_read("extra", lambda thing: {"n": [thing.number]}))
    secret: str = column(CHOSEN, "Guarded.", read=_read("secret", lambda _thing: "hidden"))
    ints: list[int] | None = column(ANYONE, "[Int!]", read=_listed("ints", lambda _thing, place: place))
    sure_ints: list[int] = column(ANYONE, "[Int!]!", read=_listed("sure_ints", lambda _thing, place: place))
    loose_ints: list[int | None] = column(ANYONE, "[Int]!", read=_listed("loose_ints", lambda _thing, place: place))
    colors: list[Color | None] | None = column(ANYONE, "[Color]", read=_listed("colors", lambda _t, _p: Color.RED))
    table: list[list[str | None] | None] | None = column(
        ANYONE, "[[String]]", read=_nested("table", lambda _thing, place: f"x{place}")
    )
    sure_table: list[list[str]] = column(
        ANYONE, "[[String!]!]!", read=_nested("sure_table", lambda _thing, place: f"x{place}")
    )
    inside: Box | None = column(ANYONE, "Box", read=_read("inside", lambda thing: thing.other("inside")))
    sure_inside: Box = column(ANYONE, "Box!", read=_read("sure_inside", lambda thing: thing.other("sure_inside")))
    pile: list[Box | None] | None = column(ANYONE, "[Box]", read=_things("pile"))
    sure_pile: list[Box] = column(ANYONE, "[Box!]!", read=_things("sure_pile"))
    shelf: list[list[Box] | None] = column(
        ANYONE, "[[Box!]]!", read=_nested("shelf", lambda thing, place: thing.other(f"s{place}"))
    )
    guest: Being | None = column(ANYONE, "Interface", read=_read("guest", lambda thing: thing.other("guest")))
    pets: list[Pet] | None = column(ANYONE, "[Union!]", read=_things("pets"))

    @batch(ANSWER_ONE, policy=ANYONE)
    def next(self, step: int = 1, color: Color | None = Color.RED) -> Box | None:
        """Another box."""
        raise NotImplementedError

    @batch(ANSWER_ONE, policy=ANYONE)
    def sure_next(self, step: int = 1, color: Color | None = Color.RED) -> Box:
        """Another box, surely."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=CHOSEN)
    def boxes(self, first: int | None = strawberry.UNSET) -> list[Box | None] | None:
        """Boxes, loosely."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=ANYONE)
    def sure_boxes(self) -> list[Box]:
        """Boxes, surely."""
        raise NotImplementedError

    @batch(ANSWER_GRID, policy=ANYONE)
    def grid(self) -> list[list[Box] | None] | None:
        """A list of lists of boxes."""
        raise NotImplementedError

    @batch(ANSWER_NUMBER, policy=EVEN)
    def counted(self) -> int | None:
        """A number that only even boxes tell."""
        raise NotImplementedError

    @batch(ANSWER_NUMBER, policy=ANYONE)
    def sure_counted(self) -> int:
        """A number, surely."""
        raise NotImplementedError

    @batch(ANSWER_WORDS, policy=ANYONE)
    def words(self, wish: Wish | None = strawberry.UNSET) -> list[str] | None:
        """Words."""
        raise NotImplementedError

    @batch(ANSWER_ONE, policy=ANYONE)
    def pet(self) -> Pet | None:
        """A cat, dog or robot."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=ANYONE)
    def beings(self) -> list[Being | None]:
        """Cats and dogs, and now and then something else."""
        raise NotImplementedError


@strawberry.type
class Query:
    """The queries."""

    @batch(ANSWER_ONE, policy=ANYONE)
    def box(self, step: int = 1) -> Box | None:
        """A box."""
        raise NotImplementedError

    @batch(ANSWER_ONE, policy=ANYONE)
    def sure_box(self) -> Box:
        """A box, surely."""
        raise NotImplementedError

    @batch(ANSWER_ONE, policy=CHOSEN)
    def guarded_box(self) -> Box:
        """A box, surely, if the policy allows."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=ANYONE)
    def boxes(self, first: int | None = strawberry.UNSET) -> list[Box] | None:
        """Boxes."""
        raise NotImplementedError

    @batch(ANSWER_ONE, policy=ANYONE)
    def being(self) -> Being | None:
        """A cat or a dog."""
        raise NotImplementedError

    @batch(ANSWER_MANY, policy=ANYONE)
    def pets(self) -> list[Pet | None]:
        """Cats, dogs and robots."""
        raise NotImplementedError

    @batch(echo, policy=ANYONE)
    def echo(  # noqa: PLR0917 - Its arguments are GraphQL's.
        self,
        text: str | None = "default",
        number: int = 4,
        share: float | None = strawberry.UNSET,
        color: Color | None = strawberry.UNSET,
        colors: list[Color] | None = strawberry.UNSET,
        wish: Wish | None = strawberry.UNSET,
        wishes: list[Wish] | None = None,
        choice: Choice | None = strawberry.UNSET,
        extra: Json | None = strawberry.UNSET,
        when: datetime | None = strawberry.UNSET,
    ) -> str | None:
        """What the resolver is given."""
        raise NotImplementedError


@dataclass(frozen=True)
class Moved:
    """The payload of the command."""

    place: int
    box: Thing | None = None
    refusals: tuple[str, ...] = ()


async def move(context: TortureContext, *, step: int, choice: Any = None) -> Moved:
    """Move, unless the step is refused or fails; answers with the place that all moves so far lead to."""
    context.calls.append(("move", step))
    if step == 0:
        raise CommandError(UserErrorCode.INVALID, "No step.", ("step",))
    if step < 0:
        raise FailureError(f"Cannot move by {step} {choice}.")
    context.moves += step
    return Moved(context.moves, _thing(context.moves, context.rate))


async def moves_so_far(context: TortureContext, parents: Sequence[Any]) -> list[int]:
    """Return the place that the moves so far lead to: later mutations must not have begun."""
    return [context.moves for _ in parents]


@strawberry.type
class MovePayload:
    """A payload."""

    place: int = column(ANYONE, "Where it stands.")
    box: Box | None = column(ANYONE, "The box.")
    refusals: list[str] = column(ANYONE, "Why not.")

    @batch(moves_so_far, policy=ANYONE)
    def place_now(self) -> int:
        """Where it stands while the subselection is answered."""
        raise NotImplementedError


def _refused(error: CommandError) -> Moved:
    return Moved(-1, refusals=(str(error),))


@strawberry.type
class Mutation:
    """The mutations."""

    @command(move, policy=CHOSEN, refusal=_refused)
    def move(self, step: int, choice: Choice | None = strawberry.UNSET) -> MovePayload | None:
        """Moves."""
        raise NotImplementedError

    @command(move, policy=ANYONE, refusal=_refused)
    def sure_move(self, step: int) -> MovePayload:
        """Moves, surely."""
        raise NotImplementedError


class TortureSchema(strawberry.Schema):
    """A schema that logs nothing."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Errors are what it is made for."""


SCHEMA = TortureSchema(
    Query, Mutation, types=[Cat, Dog, Robot], config=StrawberryConfig(scalar_map={Json: JSON_SCALAR})
)
