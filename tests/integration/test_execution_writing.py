"""What PostgreSQL writes as JSON, against what graphql-core answers of the same rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from graphql import build_schema as build_plain_schema, parse
from sqlalchemy import update

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from database.tables.courses import courses
from database.tables.enrollments import enrollments
from database.tables.revisions import lessons, modules
from database.tables.topics import topics
from execution.compile import compile_operation
from resolvers.context import Context
from schema.contract import build_schema
from tests.differential import Comparison, written_by_the_database
from tests.integration.test_execution_contract import People
from tests.random_operations import OperationWriter
from tests.small_content import take, teach, write_content

SCHEMA = build_schema()
DOCUMENTS = int(os.environ.get("WAYMARK_DIFFERENTIAL_OPERATIONS", "30"))
# What can be written, and a little that cannot: the contract's names, so that its operations are the contract's too.
WRITABLE = build_plain_schema("""
  scalar DateTime
  enum CourseLevel { BEGINNER INTERMEDIATE ADVANCED ALL_LEVELS }
  enum CourseStatus { DRAFT IN_REVIEW PUBLISHED ARCHIVED }
  enum EnrollmentStatus { ACTIVE COMPLETED WITHDRAWN }
  input CourseBy @oneOf { id: ID slug: String }
  type Query {
    courses(first: Int, last: Int): CourseConnection!
    course(by: CourseBy!): Course
    viewer: Viewer
  }
  type Viewer { id: ID! enrollments(first: Int, status: EnrollmentStatus): EnrollmentConnection! }
  type CourseConnection { nodes: [Course!]! edges: [CourseEdge!]! totalCount: Int! }
  type CourseEdge { cursor: String! node: Course! }
  type EnrollmentConnection { nodes: [Enrollment!]! edges: [EnrollmentEdge!]! }
  type EnrollmentEdge { node: Enrollment! }
  type Enrollment {
    id: ID! status: EnrollmentStatus! progress: Float! enrolledAt: DateTime! completedAt: DateTime course: Course!
  }
  type Course {
    id: ID! slug: String! title: String! summary: String description: String level: CourseLevel! language: String!
    status: CourseStatus! durationMinutes: Int! publishedAt: DateTime version: Int! enrollmentCount: Int!
    topics: [Topic!]! prerequisites: [Course!]! modules: [Module!]!
    instructors(first: Int): InstructorConnection! viewerEnrollment: Enrollment
  }
  type Topic { id: ID! slug: String! name(language: String): String! parent: Topic children: [Topic!]! }
  type InstructorConnection { nodes: [Instructor!]! }
  type Instructor { id: ID! displayName: String! }
  type Module { id: ID! title: String! position: Int! lessons: [Lesson!]! }
  interface Lesson { id: ID! title: String! position: Int! durationSeconds: Int! }
  type VideoLesson implements Lesson { id: ID! title: String! position: Int! durationSeconds: Int! mediaUrl: String }
  type ArticleLesson implements Lesson { id: ID! title: String! position: Int! durationSeconds: Int! }
  type ExerciseLesson implements Lesson { id: ID! title: String! position: Int! durationSeconds: Int! }
""")
VALUES: dict[str, list[Any]] = {
    "ID": [encode_id("Course", 1), encode_id("Course", 2), "nonsense"],
    "Int": [0, 1, 2, 5, 100, 101],
    "String": ["course-1", "course-2", "es", "de"],
}
CARD = """fragment Card on Course {
  __typename id slug title summary description level status durationMinutes publishedAt enrollmentCount version
  topics { __typename id name parent { name parent { id } } children { slug } }
  teachers: instructors(first: 2) { __typename nodes { id displayName } }
  modules { id title lessons { __typename id title ... on ArticleLesson { position } durationSeconds } }
  prerequisites { title topics { name } }
}"""
CATALOG = (
    f"query ($n: Int) {{ courses(first: $n) {{ totalCount nodes {{ ...Card }} pageInfo {{ endCursor }} }} }} {CARD}"
)
TAKEN = f"""{{ viewer {{ id enrollments(first: 5) {{ pageInfo {{ hasNextPage endCursor }} edges {{ cursor node {{
  __typename id status progress enrolledAt completedAt course {{ ...Card }} }} }} }} }} }} {CARD}"""
# Whatever a text may hold: what JSON escapes, what it does not, and what is no character of its own.
AWKWARD = 'quotes " and \\ and \u2028 and \u007f, \b\f\n\r\t\u0001, é, 日本, 🎓, </script>, null, 1e5'


@pytest.fixture
async def people(learner: Context, catalog: Database, clock: ManualClock) -> People:
    """Requests on the small catalog with content, with texts, moments and numbers that are awkward to write."""
    await write_content(catalog, clock())
    assert learner.identity is not None
    await take(catalog, learner.identity.learner_id, clock())
    await teach(catalog, learner.identity.account_id)
    # asyncpg writes the last moment as infinity.
    moments = (
        clock() + timedelta(microseconds=1),
        clock() + timedelta(milliseconds=120),
        datetime.max.replace(tzinfo=clock().tzinfo),
    )
    async with catalog.transaction() as connection:
        for number, moment in enumerate(moments, start=1):
            await connection.execute(
                update(courses)
                .where(courses.c.id == number)
                .values(published_at=moment, summary=AWKWARD, description="")
            )
        await connection.execute(update(topics).where(topics.c.id == 2).values(name=AWKWARD, labels={"es": "Física"}))
        await connection.execute(update(modules).where(modules.c.id == 11).values(title=AWKWARD))
        await connection.execute(update(lessons).where(lessons.c.id == 11).values(duration_seconds=2**31 - 1))
        await connection.execute(
            update(enrollments).values(progress=1 / 3, completed_at=moments[0], enrolled_at=moments[1])
        )
    return People(learner)


MANY = " ".join(f"{'x' * 64}{number}: title" for number in range(250))


@pytest.mark.parametrize(
    "text",
    [
        CATALOG,
        TAKEN,
        '{ course(by: {slug: "course-1"}) { ...Card } }' + CARD,
        f"query ($n: Int!) {{ courses(first: $n) {{ nodes {{ {MANY} }} }} }}",
        "query ($n: Int!) { courses(first: $n) { nodes { id } pageInfo { hasNextPage endCursor } } }",
        "{ courses(first: 2) { nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }",
        "{ courses(last: 2) { nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }",
        "{ courses(first: 2) { nodes { id } pageInfo { startCursor endCursor } } }",
    ],
)
async def test_whole_objects_are_written(people: People, text: str) -> None:
    """Texts, moments, numbers, kinds, lists and nulls are those of graphql-core, and no object is made in Python."""
    for contexts in people.pairs():
        answer = await Comparison(SCHEMA).same(text, {"n": 25}, contexts)
        assert not answer.errors
        assert 0 == answer.detours
    _, context = next(iter(people.pairs()))
    assert len(compile_operation(SCHEMA, parse(text)).describe().segments[0]) <= 2
    if "viewer" not in text:
        assert written_by_the_database((await compile_operation(SCHEMA, parse(text)).execute(context, {"n": 2})).data)


async def test_some_fields_of_an_object_are_written(people: People) -> None:
    """Where one field needs Python, its siblings are written all the same, in the statement of their parents."""
    text = f"{{ courses(first: 3) {{ nodes {{ skills ...Card viewerEnrollment {{ id progress }} }} }} }} {CARD}"
    comparison = Comparison(SCHEMA)
    for contexts in people.pairs():
        assert not (await comparison.same(text, {}, contexts)).errors
    assert 2 == comparison.counts["written by the database"]
    (level, below) = compile_operation(SCHEMA, parse(text)).describe().segments[0]
    assert ("Query.courses",) == level[0].coordinates
    assert {"Course.skills", "Course.viewerEnrollment"} == {name for call in below for name in call.coordinates}


@pytest.mark.parametrize(
    "text",
    [
        "{ courses(first: 2) { nodes { instructors(first: 101) { nodes { id } } } } }",
        '{ courses(first: 2) { nodes { instructors(after: "x") { nodes { id } } } } }',
        '{ courses(first: 2) { nodes { topics { name(language: "es") } } } }',
        "{ courses(first: 101) { nodes { id } } }",
        '{ course(by: {slug: "nothing"}) { id } a: course(by: {id: "nonsense"}) { title } }',
        "{ a: courses(first: 2) { nodes { id } } b: courses(first: 2) { nodes { title } } }",
        "{ courses(first: 2) { nodes { id } edges { node { title } } } }",
        "{ courses(first: 0) { totalCount nodes { id } } }",
        '{ courses(first: 3, filter: {level: [BEGINNER], query: "course"}) { totalCount nodes { id } } }',
        "{ courses(first: 3, filter: {level: [BEGINNER, ADVANCED], minRating: 4.5}) { totalCount } }",
        '{ courses(last: 3, filter: {language: ["en"]}) { n: totalCount totalCount edges { node { title } } } }',
    ],
)
async def test_what_is_refused_or_asked_twice_has_the_same_answer(people: People, text: str) -> None:
    """Arguments that a relation cannot have, errors of the call itself, two selections of a list, lengths of lists."""
    for contexts in people.pairs():
        await Comparison(SCHEMA).same(text, {}, contexts)


@pytest.mark.parametrize(("filtered", "alone"), [("{level: [BEGINNER]}", True), ('{query: "course"}', False)])
async def test_length_of_a_list_comes_with_its_page(people: People, filtered: str, alone: bool) -> None:  # noqa: FBT001 - a parameter.
    """It is counted in the statement of the page, but for searches, whose words are read before."""
    _, context = next(iter(people.pairs()))
    text = f"{{ courses(first: 2, filter: {filtered}) {{ totalCount nodes {{ id }} }} }}"
    before = context.reader.statements
    answer = await compile_operation(SCHEMA, parse(text)).execute(context)
    assert not answer.errors
    assert alone is (context.reader.statements - before == 1)


async def test_request_whose_rows_are_watched_is_answered_with_rows(people: People) -> None:
    """Whoever keeps an answer is told the rows that it is made of."""
    seen: list[Any] = []
    for _, context in people.pairs():
        context.observe = seen.extend
        answer = await compile_operation(SCHEMA, parse("{ courses(first: 2) { nodes { id } } }")).execute(context)
        assert not written_by_the_database(answer.data)
    assert [2, 2] == [len(page.nodes) for page in seen]


@pytest.mark.timeout(3600)  # As long as somebody asks for more.
@pytest.mark.no_cover  # As those of the whole contract: they show no line that the others do not.
async def test_random_selections_have_the_same_answer(people: People) -> None:
    """Random selections, with aliases, fragments, conditions and variables, are answered alike."""
    counts: Counter[str] = Counter()
    comparison = Comparison(SCHEMA, counts)
    for text, variables in _documents():
        for contexts in people.pairs():
            await comparison.same(text, variables, contexts)
    assert 2 * DOCUMENTS == counts["compared"]
    assert counts["written by the database"] > DOCUMENTS / 4, counts


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for seed in range(DOCUMENTS):
        random = Random(seed)  # noqa: S311 - The same operations in every run.
        operation = OperationWriter(WRITABLE, random, values=VALUES).write()
        yield operation.text, operation.variables


async def test_written_text_is_short(people: People) -> None:
    """Rows are written without spaces between names and values."""
    _, context = next(iter(people.pairs()))
    answer = await compile_operation(SCHEMA, parse("{ courses(first: 1) { nodes { slug version } } }")).execute(context)
    assert b'{"courses":{"nodes":[{"slug":"course-25","version":1}]}}' == orjson.dumps(answer.data)
