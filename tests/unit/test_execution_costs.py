"""Prices of operations on the contract: by document and variables, and by answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, OperationDefinitionNode, build_schema as parse_schema, get_named_type, parse
from hypothesis import given, strategies as st

from execution.compile import graphql_core
from execution.costs import OperationCost, price
from execution.directives import Cost, ListSize
from execution.lengths import BEYOND
from schema.contract import build_schema, printed
from tests.contract.consumers import consumer_operations

STRAWBERRY = build_schema()
SCHEMA = graphql_core(STRAWBERRY)


def priced(text: str) -> OperationCost:
    """Return the price of the only operation of a document."""
    document = parse(text)
    (operation,) = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return price(SCHEMA, document, operation)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ __typename }", 1),
        ("{ __schema { types { name } } }", 1),
        ("{ viewer { id } }", 1),
        ('{ course(by: {slug: "a"}) { title level topics { slug } } }', 1 + 10),
        ('{ course(by: {slug: "a"}) { topics { name } skills } }', 1 + 10 * 2 + 1),
        ("{ courses { nodes { title } } }", 1 + 20),
        ("{ courses(first: 5) { nodes { title topics { name } } } }", 1 + 5 * (1 + 10 * 2)),
        ("{ courses(first: 5) { edges { cursor node { title } } pageInfo { endCursor } totalCount } }", 1 + 5 + 1),
        ("{ courses(last: 7) { nodes { instructors(first: 2) { nodes { id } } } } }", 1 + 7 * (1 + 1 + 2)),
        ("{ courses(first: 0) { nodes { id } } }", 1 + 1),
        ("{ courses(first: -9) { nodes { id } } }", 1 + 1),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ('mutation { enroll(input: {courseId: "a"}) { enrollment { course { skills } } userErrors { code } } }', 13),
        ("{ a: viewer { id } b: viewer { id } }", 2),
    ],
)
def test_price_is_that_of_the_directives(text: str, cost: int) -> None:
    """Worked out by hand, from what the contract says."""
    assert cost == priced(text).requested({})


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({}, 3),
        ({"first": 8}, 9),
        ({"first": None}, 21),
        ({"first": 8.0}, 9),
        ({"first": "8"}, 21),
        ({"first": True}, 21),
    ],
)
def test_variables_decide_how_long_lists_are(variables: dict[str, Any], cost: int) -> None:
    """By their value, or else their default; what is no number is refused later, and priced as nothing said."""
    operation = priced("query ($first: Int = 2) { courses(first: $first) { nodes { id } } }")
    assert cost == operation.requested(variables) == operation.requested(variables)


def test_lists_in_variables_are_counted() -> None:
    """A batch of events costs what each of them costs."""
    operation = priced(
        "mutation ($events: [LessonProgressEventInput!]!) { recordProgress(input: {events: $events}) "
        "{ results { clientEventId } } }"
    )
    assert [11, 13, 110] == [operation.requested({"events": [{}] * number}) for number in (1, 3, 100)]
    whole = priced(
        "mutation ($input: RecordProgressInput!) { recordProgress(input: $input) { results { clientEventId } } }"
    )
    inputs: list[Any] = [{"events": [{}] * 3}, {}, None]
    assert [13, 20, 20] == [whole.requested({"input": each}) for each in inputs]


def test_what_conditions_leave_out_is_free() -> None:
    """Of a field, of all its occurrences, and of what is below it."""
    operation = priced(
        "query ($a: Boolean!, $b: Boolean = true) { viewer { id } courses(first: 3) @skip(if: $a) { nodes { id } } "
        "courses(first: 3) @include(if: $b) { totalCount } topics(first: 1) @include(if: false) { nodes { id } } }"
    )
    conditions: list[dict[str, bool]] = [{"b": False}, {"b": True}, {}]
    told = [operation.requested({"a": a, **b}) for a in (True, False) for b in conditions]
    assert [1, 3, 3, 5, 6, 6] == told


def test_same_field_is_paid_once_wherever_it_is_selected() -> None:
    """Fragments and repetitions merge, as they do when they are executed."""
    text = """
    { courses(first: 2) { ...A ...A nodes { id } } }
    fragment A on CourseConnection { nodes { title topics { slug } } nodes { topics { name } } }
    """
    assert 1 + 2 * (1 + 10 * 2) == priced(text).requested({})


def test_most_expensive_kind_of_an_abstract_type_counts() -> None:
    """An object is of one type, and the price is one that suffices."""
    text = (
        '{ node(id: "a") { id ... on Course { topics { slug } } ... on Topic { name } ... on Review { isViewers } } }'
    )
    operation = priced(text)
    assert 11 == operation.requested({})
    answers: list[dict[str, Any]] = [{"id": "a", "topics": [{"slug": "x"}]}, {"id": "a", "name": "N"}, {"id": "a"}]
    assert [2, 2, 1, 1] == [operation.actual({"node": each}) for each in (*answers, None)]


def test_document_that_is_too_large_to_be_priced_is_beyond_every_limit() -> None:
    """Fragments that multiply are counted no further than the limit; the work is bounded too."""
    levels = 14
    parts = [
        f"fragment F{n} on Course {{ prerequisites {{ ...F{n + 1} }} similarCourses {{ ...F{n + 1} }} }}"
        for n in range(levels)
    ]
    text = "\n".join(["{ courses { nodes { ...F0 } } }", *parts, f"fragment F{levels} on Course {{ id }}"])
    operation = priced(text)
    assert (BEYOND, BEYOND) == (operation.requested({}), operation.actual({}))
    assert BEYOND == priced("query ($n: Int) { courses(first: $n) { nodes { topics { name } } } }").requested(
        {"n": 2**31 - 1}
    )


@given(asked=st.integers(0, 100), found=st.integers(0, 100), topics=st.lists(st.integers(0, 10), max_size=100))
def test_answer_costs_no_more_than_was_requested(asked: int, found: int, topics: list[int]) -> None:
    """As long as lists are no longer than they were said to be."""
    operation = priced("query ($n: Int) { courses(first: $n) { totalCount nodes { id topics { name slug } } } }")
    nodes = [
        {"id": "a", "topics": [{"name": "T", "slug": "t"}] * (topics[place] if place < len(topics) else 0)}
        for place in range(min(asked, found))
    ]
    actual = operation.actual({"courses": {"totalCount": found, "nodes": nodes}})
    expected = 2 + (sum(1 + max(len(node["topics"]), 1) + len(node["topics"]) for node in nodes) if nodes else 1)
    assert expected == actual <= operation.requested({"n": asked})


def test_published_directives_are_those_that_prices_are_made_of() -> None:
    """Whoever reads the file alone finds the same weights and lengths, and every name that they mention."""
    published = parse_schema(printed(STRAWBERRY))
    compared = 0
    for name, kind in SCHEMA.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for key, field in kind.fields.items():
            other = published.type_map[name].fields[key]  # type: ignore[attr-defined]
            written = [each for each in other.ast_node.directives or () if each.name.value == "cost"]
            declared = field.extensions["strawberry-definition"].directives
            weights = [each.weight for each in declared if isinstance(each, Cost)]
            assert weights == [each.arguments[0].value.value for each in written], f"{name}.{key}"
            for size in (each for each in declared if isinstance(each, ListSize)):
                compared += 1
                assert set(map(_first, size.slicing_arguments or ())) <= field.args.keys()
                assert set(size.sized_fields or ()) <= getattr(get_named_type(field.type), "fields", {}).keys()
    assert compared > 30


def _first(path: str) -> str:
    return path.partition(".")[0]


@pytest.mark.parametrize("operation", consumer_operations(), ids=lambda operation: operation.name)
def test_operations_of_the_apps_are_far_from_the_limit(operation: Any) -> None:
    """Nobody who uses the apps is refused for what a screen costs."""
    assert priced(operation.text).requested(operation.variables) <= 1_000


def test_cost_of_what_the_database_wrote_is_that_of_the_objects() -> None:
    """Whole objects, single fields and lists of them are counted alike, as text or as objects."""
    cost = priced(
        "{ courses(first: 5) { nodes { title topics { name } instructors(first: 3) { nodes { id } } } } viewer { id } }"
    )
    topics = [{"name": "a"}, {"name": "b"}]
    course = {"title": "t", "topics": topics, "instructors": {"nodes": [{"id": "1"}]}}

    def text(value: Any) -> orjson.Fragment:
        return orjson.Fragment(orjson.dumps(value).decode())

    as_objects = {"courses": {"nodes": [course, course]}, "viewer": {"id": "1"}}
    expected = cost.actual(as_objects)
    assert expected > 10
    for nodes in ([text(course), text(course)], [{**course, "topics": text(topics)}, course]):
        assert expected == cost.actual({"courses": {"nodes": nodes}, "viewer": text({"id": "1"})})
