"""The compiled executor and graphql-core on the contract and a real database."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from graphql import parse, validate
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from execution.compile import Answer
from resolvers.context import Context
from schema.contract import build_schema, printed
from serving.recommender import Recommender
from tests.contract.consumers import consumer_operations
from tests.differential import Comparison
from tests.drawn import drawn
from tests.random_operations import OperationWriter
from tests.small_content import take, teach, write_content

# Not traced for coverage: so many operations would take minutes more, and show no line that other tests do not.
pytestmark = pytest.mark.no_cover

SCHEMA = build_schema()
OPERATIONS = int(os.environ.get("WAYMARK_DIFFERENTIAL_OPERATIONS", "60"))
IDS = [encode_id(kind, key) for kind in ("Course", "Topic", "Instructor", "Module", "Assessment") for key in (1, 2, 11)]
IDS += [encode_id("Enrollment", 1), encode_id("CourseRevision", 2), encode_id("Viewer", 1), encode_id("Lesson", 11)]
VALUES: dict[str, list[Any]] = {"ID": [*IDS, "nonsense", 7], "Int": [0, 1, 2, 5, 20, 101, -1]}
VALUES["String"] = ["course-1", "gardening", "en", "", "nothing \u0000 else"]
CARD = """fragment Card on Course {
  __typename id slug title summary description level language status durationMinutes publishedAt enrollmentCount
  topics { id slug name parent { id name parent { name } } } skills prerequisites { title topics { name } }
  viewerEnrollment { id status progress enrolledAt completedAt course { title } }
}"""
PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
OPERATIONS_BY_HAND: dict[str, tuple[str, dict[str, Any]]] = {
    "courses": (
        f"""query ($n: Int) {{ courses(first: $n) {{ {PAGE} edges {{ cursor node {{ ...Card }} }} nodes {{ ...Card
        instructors(first: 2) {{ {PAGE} nodes {{ id displayName }} }} }} }} }} {CARD}""",
        {"n": 10},
    ),
    "filters and orders": (
        """query ($f: CourseFilter, $o: CourseOrder) {
          courses(filter: $f, orderBy: $o, last: 3) { totalCount nodes { title } }
          b: courses(filter: {level: [BEGINNER, ADVANCED], language: "es"}, orderBy: {field: TITLE, direction: DESC}) {
            nodes { title level }
          }
        }""",
        {"f": {"query": "course", "maxDurationMinutes": 90}, "o": {"field": "NEWEST"}},
    ),
    "arguments that cannot be used": (
        '{ courses(first: 1, last: 1) { totalCount } b: courses(after: "x") { totalCount } topics { totalCount } }',
        {},
    ),
    "argument that cannot be used in a list": (
        "{ topics { nodes { name } } courses(first: 3) { nodes { title instructors(first: 101) { totalCount } } } }",
        {},
    ),
    "viewer": (
        f"""{{ viewer {{ __typename id email displayName roles learningPreferences {{ level }}
        enrollments(first: 5) {{ {PAGE} nodes {{ status course {{ ...Card }} }} }} }} }} {CARD}""",
        {},
    ),
    "one of": ('{ a: course(by: {slug: "course-1"}) { title } b: course(by: {slug: "course-99"}) { title } }', {}),
    "nodes": (
        """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Course { ...T } ... on Enrollment { status }
        ... on Instructor { displayName } ... on Viewer { email } ... on Lesson { title position } } }
        fragment T on Course { title topics { name } }""",
        {"ids": IDS},
    ),
    "recommendations": (
        f"""{{ recommendedCourses(first: 4, surface: HOME) {{ strategy modelVersion pageInfo {{ endCursor }}
        nodes {{ title }} edges {{ rank score reasons {{ kind text pt: text(language: "pt-BR")
        topic {{ name }} course {{ title }} }}
        node {{ ...Card }} }} }} }} {CARD}""",
        {},
    ),
    "refused mutations": (
        """mutation ($c: ID!) { a: enroll(input: {courseId: $c}) { enrollment { id } userErrors { code message field } }
        b: unenroll(input: {enrollmentId: "x"}) { enrollment { id course { title } } userErrors { code } } }""",
        {"c": encode_id("Course", 999)},
    ),
}


@pytest.fixture
def comparison() -> Comparison:
    """Compares on the contract."""
    return Comparison(SCHEMA)


class People:
    """Pairs of equal requests, of a stranger and of a learner who also teaches."""

    def __init__(self, learner: Context) -> None:
        self._learner = learner

    def pairs(self) -> Iterable[tuple[Context, Context]]:
        """Return a pair of fresh requests for each of them."""
        recommender = Recommender(None, 1.0)
        services = replace(self._learner.services, recommender=recommender)
        for identity in (None, self._learner.identity):
            one, other = (
                Context(
                    reader=self._learner.reader,
                    database=self._learner.database,
                    clock=self._learner.clock,
                    identity=identity,
                    request_id=self._learner.request_id,
                    services=services,
                )
                for _ in range(2)
            )
            yield one, other


@pytest.fixture
async def people(learner: Context, catalog: Database, clock: ManualClock) -> People:
    """Requests on the small catalog with content: the learner takes course 1, and teaches it."""
    await write_content(catalog, clock())
    assert learner.identity is not None
    await take(catalog, learner.identity.learner_id, clock())
    await teach(catalog, learner.identity.account_id)
    return People(learner)


@pytest.mark.parametrize("name", OPERATIONS_BY_HAND)
async def test_operation_has_the_same_answer(comparison: Comparison, people: People, name: str) -> None:
    """Operations written by hand are answered alike, signed out and signed in, without a detour where nothing fails."""
    text, variables = OPERATIONS_BY_HAND[name]
    for contexts in people.pairs():
        answer = await comparison.same(text, variables, contexts)
        assert answer.errors or answer.detours == 0


@pytest.mark.parametrize("operation", consumer_operations(), ids=lambda operation: operation.name)
async def test_operations_of_apps_are_compiled(comparison: Comparison, people: People, operation: Any) -> None:
    """What the apps send is compiled; what it reads is answered alike, except for what is random."""
    text = operation.text.replace("recommendationId\n", "")
    if not text.startswith("mutation"):
        for contexts in people.pairs():
            answer: Answer = await comparison.same(text, operation.variables, contexts)
            assert answer.detours == 0


@pytest.mark.timeout(3600)  # As long as somebody asks for more.
async def test_operations_nobody_thought_of_have_the_same_answers(
    comparison: Comparison, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operations of two generators are answered alike, signed out and signed in."""
    for text, variables in [*_ours(OPERATIONS), *((text, None) for text in _hypothesis(OPERATIONS))]:
        if "recommendationId" not in text:
            for contexts in people.pairs():
                await comparison.same(text, variables, contexts)
    with capsys.disabled():
        print("\n  contract: " + ", ".join(f"{number} {name}" for name, number in comparison.counts.items()))  # noqa: T201 - People want to know how many.
    assert comparison.counts["compared"] > 2 * OPERATIONS


def _ours(count: int) -> Iterable[tuple[str, dict[str, Any]]]:
    for seed in range(count):
        random = Random(seed)  # noqa: S311 - The same operations in every run.
        operation = OperationWriter(SCHEMA._schema, random, values=VALUES).write()
        yield operation.text, operation.variables


def _hypothesis(count: int) -> list[str]:
    """Return the operations that hypothesis-graphql writes, the same in every run."""
    scalars = {
        "DateTime": st.datetimes().map(lambda moment: nodes.String(f"{moment.isoformat()}Z")),
        "ID": st.sampled_from(IDS).map(nodes.String),
        "Int": st.integers(0, 20).map(nodes.Int),
    }
    texts = drawn(queries(printed(SCHEMA), custom_scalars={"DateTime": scalars["DateTime"]}), count)
    return [text for text in texts if not validate(SCHEMA._schema, parse(text))]
