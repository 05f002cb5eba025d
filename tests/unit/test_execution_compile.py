"""What is compiled, what is refused, and what a compiled operation tells about itself."""

from __future__ import annotations

import ast
import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from graphql import build_schema, parse
from strawberry.extensions import FieldExtension, SchemaExtension

from execution.compile import MOST_VARIANTS, UnsupportedOperationError, compile_operation
from execution.fields import InstanceOf, batch, column
from execution.policies import Policy
from tests.differential import Comparison
from tests.torture import ANYONE, SCHEMA, TortureContext

BOXES = "{ boxes { text sureBoxes { number next { text } } } sureBox { sureBoxes { text } } }"


async def numbers(_context: Any, parents: Sequence[Any]) -> list[int]:
    """Return a number for each parent."""
    return [1 for _ in parents]


class Extending(FieldExtension):
    """An extension of a field."""

    def resolve(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        """Resolve."""
        return next_(source, info, **kwargs)


class StricterPolicy(Policy):
    """A policy of a kind that nobody has told the executor of."""


async def read_later(_row: Any) -> int:
    """Read a column, some time."""
    return 1


@strawberry.type
class Slow:
    """A type that takes its time."""

    number: int = column(ANYONE, "A number.")

    @classmethod
    async def is_type_of(cls, _value: Any, _info: Any) -> bool:
        """Say, some time, whether a value is of it."""
        return True


def slow(self: Any) -> Slow:
    """Return one."""
    raise NotImplementedError


def refused(schema: Any, text: str, name: str | None = None) -> str:
    """Return why an operation is refused."""
    with pytest.raises(UnsupportedOperationError) as caught:
        compile_operation(schema, parse(text), name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ __schema { queryType { name } } }", "Query.__schema is introspection"),
        ('{ box { text } __type(name: "Box") { name } }', "Query.__type is introspection"),
        ("{ ...F @defer } fragment F on Query { box { text } }", "@defer"),
        ("query ($a: Boolean = true @live) { box @skip(if: $a) { text } }", "@live"),
        ("query @experimental_disableErrorPropagation { box { text } }", "@experimental_disableErrorPropagation"),
        ("{ box { ...F } } fragment F on Box { boxes @stream { text } }", "@stream"),
        ("subscription { box { text } }", "subscription"),
        ("{ box { text } } query B { box { text } }", "exactly one operation"),
        ("fragment F on Box { text }", "exactly one operation"),
        ("{ missing }", "Query.missing does not exist"),
        ("{ box { " + " ".join(f"a{n}: text @skip(if: $v{n})" for n in range(9)) + " } }", "more than 8 variables"),
    ],
)
def test_what_is_not_supported_is_refused_with_a_reason(text: str, reason: str) -> None:
    """The caller learns in one line why it must leave an operation to graphql-core."""
    assert reason in refused(SCHEMA, text)


def test_operation_is_found_by_name() -> None:
    """Of several operations the named one is compiled; one that is not there is refused."""
    text = "query A { box { text } } query B { sureBox { text } }"
    assert "B" == compile_operation(SCHEMA, parse(text), "B").name
    assert "one operation named C" in refused(SCHEMA, text, "C")


def test_too_many_fields_are_refused() -> None:
    """Nested interfaces multiply: what would become megabytes of code is left to graphql-core."""
    text = "__typename"
    for _ in range(12):
        text = f"... on Being {{ friend {{ {text} }} }}"
    assert "more than 5000 fields" in refused(SCHEMA, f"{{ being {{ {text} }} }}")


def _schema(extensions: Sequence[Any] = (), **fields: Any) -> strawberry.Schema:
    query = strawberry.type(type("Query", (), {"__annotations__": {}, **fields}))
    return strawberry.Schema(query, extensions=list(extensions))


def _declared(**changes: Any) -> Any:
    def number(self: Any) -> int:
        """Return a number."""
        raise NotImplementedError

    field = batch(numbers, policy=ANYONE)(number)
    for name, value in changes.items():
        setattr(field, name, value)
    return field


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (strawberry.field(resolver=lambda: 1, graphql_type=int), "not a column, a batch or a command"),
        (_declared(extensions=[Extending()]), "field extensions"),
        (_declared(policy=StricterPolicy("stricter")), "policy"),
    ],
)
def test_fields_of_another_kind_are_refused(field: Any, reason: str) -> None:
    """Only what was declared with `column`, `batch` or `command` has a policy that is known."""
    assert reason in refused(_schema(number=field), "{ number }")


def test_column_that_is_a_coroutine_is_refused() -> None:
    """A column is a plain value."""

    @strawberry.type
    class Query:
        number: int = column(ANYONE, "A number.", read=read_later)

    assert "read by a coroutine" in refused(strawberry.Schema(Query), "{ number }")


def test_type_that_takes_its_time_is_refused() -> None:
    """Generated code cannot wait for the answer of a type check."""
    schema = _schema(slow=batch(numbers, policy=ANYONE)(slow))
    assert "a coroutine decides what is a Slow" in refused(schema, "{ slow { number } }")


def test_schema_that_hooks_execution_is_refused() -> None:
    """An extension that wants to see every field, or every execution, would be passed over."""

    class Resolving(SchemaExtension):
        def resolve(self, _next: Any, root: Any, info: Any, *args: str, **kwargs: Any) -> Any:
            return _next(root, info, *args, **kwargs)

    class Executing(SchemaExtension):
        async def on_execute(self) -> AsyncIterator[None]:
            yield

    for extension, reason in ((Resolving, "hooks the resolution"), (Executing, "hooks execution")):
        assert reason in refused(_schema(extensions=[extension], number=_declared()), "{ number }")


def test_graphql_core_schema_is_taken_if_strawberry_made_it() -> None:
    """The schema behind Strawberry's will do; one without declarations cannot."""
    assert compile_operation(SCHEMA._schema, parse("{ box { text } }")).source
    assert "not made by Strawberry" in refused(build_schema("type Query { a: Int }"), "{ a }")


async def test_each_call_is_made_once_for_all_parents() -> None:
    """The same question at several places of a level is one call."""
    context = TortureContext(salt=3)
    answer = await compile_operation(SCHEMA, parse(BOXES)).execute(context)
    assert [] == answer.errors
    assert ["many", "one", "many", "one"] == [name for name, _ in context.calls]
    assert answer.data is not None
    parents = len(answer.data["boxes"]) + 1
    assert ("many", parents) == context.calls[2]


def test_plan_tells_levels_calls_columns_and_policies() -> None:
    """What is called, where, under which policy, and what is only copied."""
    plan = compile_operation(SCHEMA, parse(f"query Boxes {BOXES}")).describe()
    assert ("Boxes", "query", 4, ("anyone",)) == (plan.name, plan.kind, plan.calls, plan.policies)
    (levels,) = plan.segments
    assert ["boxes", "sureBox"] == [call.paths[0] for call in levels[0]]
    assert ("boxes.sureBoxes", "sureBox.sureBoxes") == levels[1][0].paths
    assert ("Box.number", "Box.text") == levels[1][0].columns
    assert "Box.sureBoxes at boxes.sureBoxes, sureBox.sureBoxes" in str(plan)


def test_source_is_python_without_anything_a_client_wrote_but_keys() -> None:
    """Literals and variables stay out of the code, whatever they hold."""
    text = '{ echo(text: "\\"); import os; (\\"", number: 4) class: __typename a_1: box { def: text } }'
    compiled = compile_operation(SCHEMA, parse(text))
    assert "import" not in compiled.source
    assert {"root", "complete_echo", "complete_a_1", "a_1"} == {
        node.name for node in ast.walk(ast.parse(compiled.source)) if isinstance(node, ast.FunctionDef)
    }


async def test_variants_are_made_when_they_are_met_and_forgotten_beyond_a_bound() -> None:
    """Each combination of conditions has code of its own, of which only so many are kept."""
    names = [f"v{number}" for number in range(8)]
    body = " ".join(f"a{name}: text @include(if: ${name})" for name in names)
    text = f"query ({', '.join(f'${name}: Boolean!' for name in names)}) {{ box {{ number {body} }} }}"
    compiled = compile_operation(SCHEMA, parse(text))
    assert all(f"'a{name}'" in compiled.source for name in names)
    for number in range(MOST_VARIANTS + 10):
        chosen = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        answer = await compiled.execute(TortureContext(), chosen)
        assert answer.data is not None
        assert {f"a{name}" for name, asked in chosen.items() if asked} | {"number"} == answer.data["box"].keys()
    assert MOST_VARIANTS == len(compiled._variants)


async def test_requests_may_run_at_the_same_time() -> None:
    """Nothing of one execution is seen by another."""
    compiled = compile_operation(
        SCHEMA, parse("query ($n: Int!) { box(step: $n) { number sureNext { number } } echo(number: $n) }")
    )
    alone = [await compiled.execute(TortureContext(), {"n": number}) for number in range(8)]
    together = await asyncio.gather(*(compiled.execute(TortureContext(), {"n": number}) for number in range(8)))
    assert [answer.data for answer in alone] == [answer.data for answer in together]


async def test_request_whose_variables_do_not_fit_is_not_executed() -> None:
    """It is told from an operation that was executed and came to nothing."""
    context = TortureContext()
    answer = await compile_operation(SCHEMA, parse("query ($n: Int!) { box(step: $n) { text } }")).execute(context, {})
    assert (True, None, []) == (answer.refused, answer.data, context.calls)
    assert "Variable '$n'" in answer.errors[0].message


async def later(value: Any) -> Any:
    """Return a value, or raise it."""
    if isinstance(value, Exception):
        raise value
    return value


async def stream(*values: Any) -> AsyncIterator[Any]:
    """Yield values until one has to be raised."""
    for value in values:
        yield await later(value)


AWAITED: dict[str, Callable[[], Any]] = {
    "listed": lambda: [later(1), later(ValueError("in a list")), 3],
    "streamed": lambda: stream(1, None, 3),
    "broken": lambda: stream(1, ValueError("torn")),
    "iterator": lambda: iter([1, 2]),
    "text": lambda: "no list",
}


@pytest.mark.parametrize("name", AWAITED)
async def test_results_that_must_be_awaited_or_drained_take_the_slow_way(name: str) -> None:
    """A resolver may return coroutines, lists of them and streams; they are answered as graphql-core answers them."""

    async def resolve(_context: Any, parents: Sequence[Any]) -> list[Any]:
        return [AWAITED[name]() for _ in parents]

    def stub(self: Any) -> list[int | None]:
        """Return numbers."""
        raise NotImplementedError

    schema = _schema(result=batch(resolve, policy=ANYONE)(stub))
    answer = await Comparison(schema).same("{ result }", None, (TortureContext(), TortureContext()))
    assert 1 == answer.detours


@dataclass
class Animal:
    """A value that says of what kind it is."""

    kind: str
    name: str = "Rex"


@strawberry.interface
class Pet:
    """What lives with people."""

    name: str = column(ANYONE, "How it is called.")


@strawberry.type
class Cat(Pet):
    """A cat."""

    is_type_of = InstanceOf(Animal, kind="CAT")


@strawberry.type
class Dog(Pet):
    """A dog."""

    is_type_of = InstanceOf(Animal, kind="DOG")


async def pets(context: TortureContext, roots: Sequence[None]) -> list[list[Any]]:
    """Return animals of all kinds, of a kind that there is none of, and what is none."""
    return [[Animal("CAT"), Animal("DOG"), Animal("COW"), None, ValueError("bitten"), 5] for _ in roots]


@strawberry.type
class Home:
    """The query type."""

    @batch(pets, policy=ANYONE)
    def pets(self) -> list[Pet | None]:
        """All pets."""
        raise NotImplementedError


async def test_types_that_are_told_by_a_kind_are_looked_up_and_never_guessed() -> None:
    """The code compares the kind; what is of no kind fails as it does with graphql-core."""
    schema = strawberry.Schema(Home, types=[Cat, Dog])
    text = "{ pets { __typename name ... on Dog { bark: name } } }"
    comparison = Comparison(schema)
    answer = await comparison.same(text, None, (TortureContext(), TortureContext()))
    assert answer.data is not None
    assert ["Cat", "Dog"] == [each["__typename"] for each in answer.data["pets"] if each]
    source = compile_operation(schema, parse(text)).source
    assert "isinstance(value, Animal) and value.kind == 'CAT'" in source
    assert "type_of" not in source


def test_types_are_told_by_one_attribute_at_most() -> None:
    """Two would be a rule, which belongs into a function."""
    with pytest.raises(TypeError, match="one attribute"):
        InstanceOf(Animal, kind="CAT", name="Tom")


async def test_execution_leaves_nothing_to_the_garbage_collector() -> None:
    """Cycles would keep everything that a request made until the collector comes."""
    compiled = compile_operation(SCHEMA, parse(BOXES))
    context = TortureContext()
    await compiled.execute(context)
    gc.collect()
    gc.disable()
    try:
        await compiled.execute(context)
        kinds = {type(each).__name__ for each in gc.get_objects()}
    finally:
        gc.enable()
    assert "Run" not in kinds
