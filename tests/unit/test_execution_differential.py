"""The compiled executor and graphql-core on a schema made to break executors."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from tests.differential import Comparison
from tests.random_operations import OperationWriter
from tests.torture import SCHEMA, TortureContext

DOCUMENTS = int(os.environ.get("WAYMARK_DIFFERENTIAL_DOCUMENTS", "40"))
# How many of a thousand values misbehave, and whether policies let the request pass.
REQUESTS = ((0, True), (20, True), (80, False), (150, True), (400, True))

Same = Callable[..., Awaitable[Any]]


@pytest.fixture
def same() -> Same:
    """Compares an operation on well-behaved things, or at other rates of misbehavior."""
    comparison = Comparison(SCHEMA)

    async def compare(
        text: str, variables: dict[str, Any] | None = None, *, rate: int = 0, allowed: bool = True, root: Any = None
    ) -> Any:
        for salt in (3, 7):
            contexts = (TortureContext(rate, allowed, salt), TortureContext(rate, allowed, salt))
            answer = await comparison.same(text, variables, contexts, root=root)
        return answer

    return compare


@pytest.mark.timeout(3600)  # As long as somebody asks for more.
async def test_random_operations_have_the_same_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Hundreds of random operations, each on five kinds of requests, are answered alike."""
    comparison = Comparison(SCHEMA)
    for seed in range(DOCUMENTS):
        random = Random(seed)  # noqa: S311 - The same operations in every run.
        operation = OperationWriter(SCHEMA._schema, random).write("mutation" if seed % 10 == 0 else "query")
        for rate, allowed in REQUESTS:
            contexts = (TortureContext(rate, allowed, seed), TortureContext(rate, allowed, seed))
            await comparison.same(operation.text, operation.variables, contexts)
            operation.variables = {
                name: random.random() < 0.5 if isinstance(value, bool) else value
                for name, value in operation.variables.items()
            }
    with capsys.disabled():
        print(f"\n  torture schema: {_told(comparison.counts)}")  # noqa: T201 - People want to know how many.
    assert DOCUMENTS * len(REQUESTS) == comparison.counts["compared"]
    assert comparison.counts["with errors"] > DOCUMENTS
    assert comparison.counts["took the slow way"] < comparison.counts["compared"]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


EVERY_COLUMN = """{
  number sureNumber text sureText share sureShare open sureOpen mark color sureColor when extra secret ints sureInts
  looseInts colors table sureTable __typename
}"""

# Each holds what once was answered differently, or what is easily answered differently.
CASES: dict[str, str] = {
    "every column": f"{{ sureBox {EVERY_COLUMN} }}",
    "every column of many": f"{{ boxes {EVERY_COLUMN} }}",
    "columns within columns": f"{{ box {{ inside {EVERY_COLUMN} sureInside {{ inside {EVERY_COLUMN} }} }} }}",
    "lists of objects": f"{{ box {{ pile {EVERY_COLUMN} surePile {{ pile {{ text }} }} shelf {{ sureText }} }} }}",
    "lists of lists from a call": "{ boxes { grid { sureNumber counted sureCounted } } }",
    "unions": "{ pets { __typename ... on Cat { lives } ... on Robot { serial maker { __typename } } } }",
    "interface": "{ being { __typename id name friend { __typename } ... on Dog { tricks } herd { text } } }",
    "interface within a column": "{ boxes { guest { id ... on Cat { owner { text } } } pets { __typename } } }",
    "interface in a list from a call": "{ boxes { beings { id name ... on Being { herd { number } } } } }",
    "fields differ by type": "{ boxes { beings { ... on Cat { mood } } } pets { ... on Dog { mood } } }",
    "merged fields": "{ box { next { text } next { sureText next { text } } } box { next { next { number } } } }",
    "aliases": "{ a: box { b: text c: text } b: box { a: next { b: number } b: next { b: text } } }",
    "fragments twice": "{ box { ...F ...F } sureBox { ...F } } fragment F on Box { text next { ... { text } } }",
    "policy at the root": "{ box { text } guardedBox { text } sureBox { text } }",
    "policy of a column": "{ boxes { secret text } box { inside { secret } } }",
    "policy of a call": "{ boxes { boxes { text } sureText } }",
    "policy of a column of one type": "{ pets { ... on Dog { mood } ... on Cat { lives } } }",
    "policy of parents": "{ boxes { counted sureCounted } pets { ... on Cat { owner { text } } } }",
    "calls three levels down": "{ sureBox { sureNext { sureNext { sureNext { sureText counted } } } } }",
    "required call fails below a nullable": "{ box { inside { sureNext { sureCounted } text } next { sureText } } }",
    "two required calls fail": "{ boxes { sureCounted sureNext { sureText } sureBoxes { sureNumber } } }",
    "same call at several places": "{ boxes { sureBoxes { text } } sureBox { sureBoxes { text } words } }",
    "nothing but a type name": "{ __typename box { __typename } pets { __typename } }",
    "nothing left": "{ box { text @skip(if: true) } boxes @include(if: false) { text } }",
    "input that refuses": '{ echo(choice: {id: "refuse"}) box { text } }',
    "inputs": """{
      echo(wish: {text: "a", inner: {colors: [RED, BLUE], tags: [["x"], []]}, inners: [{weight: 2}]}, colors: GREEN)
      b: echo(wishes: [{text: "b", count: null}], number: 7, color: BLUE, extra: {k: [1]}, when: "2026-03-01T12:00:00Z")
      c: echo(text: null, choice: {color: RED}, colors: []) d: echo
    }""",
}


@pytest.mark.parametrize("rate", [0, 60, 250, 600])
@pytest.mark.parametrize("name", CASES)
async def test_case_has_the_same_answer(same: Same, name: str, rate: int) -> None:
    """Each case is answered alike, at every rate of misbehavior, whether or not policies let it pass."""
    await same(CASES[name], rate=rate)
    await same(CASES[name], rate=rate, allowed=False)


@pytest.mark.parametrize("name", CASES)
async def test_normal_requests_take_no_detour(same: Same, name: str) -> None:
    """Where every value is what it should be, generated code answers alone."""
    answer = await same(CASES[name])
    expected = {"interface in a list from a call", "policy of parents", "input that refuses", "interface"}
    assert answer.detours == 0 or name in expected or answer.errors


VARIABLES: dict[str, tuple[str, list[dict[str, Any] | None]]] = {
    "scalars": (
        """query ($n: Int!, $t: String, $f: Float = 1.5, $c: Color = RED) {
          echo(number: $n, text: $t, share: $f, color: $c)
        }""",
        [
            {"n": 1},
            {"n": 1, "t": None, "f": None, "c": None},
            {"n": 1, "t": "x", "f": 2, "c": "BLUE"},
            {"n": 2**31},
            {"n": "1"},
            {"n": True},
            {"n": 1.0},
            {"n": None},
            {},
            None,
            {"n": 1, "t": 5, "f": "x", "c": "PINK"},
            {"n": 1, "f": float("nan"), "c": 3},
            {"n": 1, "unknown": 1},
        ],
    ),
    "inputs": (
        "query ($w: Wish, $l: [Wish!], $c: Choice, $x: Json) { echo(wish: $w, wishes: $l, choice: $c, extra: $x) }",
        [
            {"w": {"text": "a"}, "l": {"text": "b", "count": None}, "c": {"id": 5}, "x": {"a": [1]}},
            {"w": {"text": "a", "inner": {"tags": "x", "colors": "RED"}, "inners": [{}]}},
            {"w": {}},
            {"w": {"text": "a", "more": 1}},
            {"c": {"id": "1", "color": "RED"}},
            {"c": {"id": None}},
            {"c": {}},
            {"c": {"id": "refuse"}},
            {"l": [None]},
            {"w": {"text": "a", "when": "yesterday"}},
            {"w": {"text": "a", "inner": {"colors": ["RED", "PINK"]}}},
        ],
    ),
    "within literals": (
        "query ($t: String!, $c: [Color!], $i: ID) { echo(wish: {text: $t, inner: {colors: $c}}, choice: {id: $i}) }",
        [{"t": "a", "c": ["RED"], "i": "1"}, {"t": "a", "i": None}, {"t": "a"}, {"t": "a", "c": None, "i": 4}],
    ),
    "null for a required argument": (
        "query ($n: Int = 5) { echo(number: $n) box(step: $n) { text } }",
        [{}, {"n": 2}, {"n": None}],
    ),
    "conditions": (
        """query ($a: Boolean!, $b: Boolean = true) {
          box { text @include(if: $a) number @skip(if: $b) ...F @include(if: $b) }
          ... @skip(if: $a) { sureBox { text next @include(if: $b) { text } } }
        } fragment F on Box { sureText @skip(if: $a) next { text @include(if: $a) number } }""",
        [
            {"a": True},
            {"a": False},
            {"a": True, "b": False},
            {"a": False, "b": None},
            {"a": True, "b": None},
            {"a": "yes"},
            {},
        ],
    ),
    "condition that cannot be told below": (
        """query ($a: Boolean = true) {
          box { next { text @skip(if: $a) } number } boxes { inside { text @include(if: $a) } }
        }""",
        [{}, {"a": None}, {"a": False}],
    ),
    "condition that cannot be told at the root": (
        "query ($a: Boolean = true) { box @skip(if: $a) { text } boxes { text } }",
        [{}, {"a": None}, {"a": False}],
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
async def test_variables_are_coerced_alike(same: Same, name: str) -> None:
    """Values, defaults, nulls, what is missing and what does not fit: resolvers get, and clients read, the same."""
    text, requests = VARIABLES[name]
    for variables in requests:
        await same(text, variables)


MUTATIONS: dict[str, str] = {
    "one after another": "mutation { a: sureMove(step: 1) { place placeNow } b: sureMove(step: 2) { placeNow place } }",
    "refused in between": "mutation { a: move(step: 0) { place refusals box { text } } b: move(step: 2) { placeNow } }",
    "failed in between": "mutation { a: move(step: -1) { place } b: move(step: 2) { placeNow } }",
    "failed where null may not be": """mutation {
      a: move(step: 1) { place } b: sureMove(step: -1) { place } c: move(step: 1) { place }
    }""",
    "input refuses": 'mutation { a: move(step: 1, choice: {id: "refuse"}) { place } b: move(step: 1) { placeNow } }',
    "subselection": "mutation { move(step: 3) { box { text sureNext { sureText } } __typename } __typename }",
}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("rate", [0, 150, 500])
async def test_mutations_run_one_after_another(same: Same, name: str, rate: int) -> None:
    """The subselection of each is answered before the next begins, and a null at the root ends them."""
    await same(MUTATIONS[name], rate=rate)
    await same(MUTATIONS[name], rate=rate, allowed=False)


async def test_errors_of_one_value_keep_the_order_of_the_document() -> None:
    """Where there is one value, there is nothing else to order: the errors are exactly the same."""
    text = f"{{ sureBox {{ text pile {EVERY_COLUMN} inside {EVERY_COLUMN} }} }}"
    comparison = Comparison(SCHEMA)
    most = 0
    for salt in range(40):
        contexts = (TortureContext(200, allowed=True, salt=salt), TortureContext(200, allowed=True, salt=salt))
        answer = await comparison.same(text, None, contexts)
        most = max(most, len(answer.errors))
    assert most > 5
    assert 0 == comparison.counts["differed in order"]
