"""The shape check of the contract tests finds what a typed client would stumble over."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema

from tests.response_shapes import shape_problems

SCHEMA = build_schema(
    """
    scalar DateTime
    enum Color { RED GREEN }
    interface Thing { id: ID! }
    type Cat implements Thing { id: ID! lives: Int! born: DateTime color: Color }
    type Dog implements Thing { id: ID! weight: Float }
    type Query { thing: Thing things: [[Thing!]]! cat: Cat! }
    """
)


def problems(query: str, data: Any, **variables: Any) -> list[str]:
    """Return the problems of an answer without errors."""
    return shape_problems(SCHEMA, query, None, variables, {"data": data})


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ thing { id ... on Cat { lives } } }", {"thing": {"id": "1", "lives": 9}}),
        ("{ thing { id ... on Cat { lives } } }", {"thing": {"id": "1"}}),
        ("{ things { __typename id } }", {"things": [[{"__typename": "Dog", "id": "1"}], None]}),
        ("{ cat { born color } }", {"cat": {"born": "2026-03-01T12:00:00+00:00", "color": "RED"}}),
        ("{ cat { ...f } } fragment f on Thing { id }", {"cat": {"id": "1"}}),
        ("query ($no: Boolean!) { cat { id lives @skip(if: $no) } }", {"cat": {"id": "1"}}),
        ("query ($no: Boolean! = true) { cat { id lives @skip(if: $no) } }", {"cat": {"id": "1"}}),
    ],
)
def test_answers_of_the_right_shape_pass(query: str, data: Any) -> None:
    """Fragments, abstract types, lists of lists and directives are followed."""
    assert [] == problems(query, data, **({"no": True} if "$no: Boolean!)" in query else {}))


@pytest.mark.parametrize(
    ("query", "data", "told"),
    [
        ("{ cat { id lives } }", {"cat": {"lives": 9, "id": "1"}}, "the keys are"),
        ("{ cat { id lives } }", {"cat": {"id": "1"}}, "the keys are"),
        ("{ cat { id } }", {"cat": None}, "says never"),
        ("{ cat { id } }", {"cat": []}, "instead of an object"),
        ("{ cat { lives } }", {"cat": {"lives": True}}, "is not a Int"),
        ("{ cat { lives } }", {"cat": {"lives": 2**31}}, "is not a Int"),
        ("{ cat { born } }", {"cat": {"born": "2026-03-01T12:00:00"}}, "is not a DateTime"),
        ("{ cat { color } }", {"cat": {"color": "BLUE"}}, "is no value of Color"),
        ("{ things { id } }", {"things": [[None]]}, "says never"),
        ("{ things { id } }", {"things": {}}, "instead of a list"),
        ("{ thing { __typename } }", {"thing": {"__typename": "Cow"}}, "instead of"),
        ("{ thing { id ... on Cat { lives } } }", {"thing": {"id": "1", "weight": 1.5}}, "the keys are"),
    ],
)
def test_answers_of_another_shape_are_told(query: str, data: Any, told: str) -> None:
    """Order, missing keys, nulls, types, ranges and names are all looked at."""
    (problem,) = problems(query, data)
    assert told in problem


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ([], "the response is"),
        ({"data": {"cat": {"id": "1"}}, "debug": 1}, "the response is"),
        ({}, "neither data nor errors"),
        ({"data": None}, "nothing says why"),
        ({"errors": [{"extensions": {"code": "X"}}]}, "without a message"),
        ({"errors": [{"message": "No."}]}, "without a code"),
        ({"errors": [{"message": "No.", "extensions": {"code": "X"}, "stack": ""}]}, "unknown keys"),
        ({"errors": []}, "not a list with something in it"),
    ],
)
def test_malformed_responses_are_told(response: Any, told: str) -> None:
    """The envelope is part of the shape."""
    assert told in " ".join(shape_problems(SCHEMA, "{ cat { id } }", None, {}, response))
