"""What learners never read of a course, whatever field they ask for: keys, explanations and drafts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from sqlalchemy import update

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role
from database.tables.assessments import questions
from database.tables.revisions import course_revisions, lessons, modules
from resolvers.commands import caller
from resolvers.context import Context
from schema.contract import build_schema
from serving.recommender import Recommender
from tests.small_content import take, write_content

# Not traced for coverage: so many operations would take minutes more, and show no line that other tests do not.
pytestmark = pytest.mark.no_cover

SCHEMA = build_schema()
CONTRACT = SCHEMA._schema
SECRET = "never-for-learners"
IDS = ", ".join(
    f'"{encode_id(kind, key)}"'
    for kind, keys in {
        "Assessment": (11,),
        "Course": (1,),
        "CourseRevision": (1, 2),
        "Enrollment": (1,),
        "Instructor": (1,),
        "Lesson": (11, 12, 13, 21, 25),
        "Module": (11, 12, 21),
        "Question": (11, 12, 13, 14),
        "Topic": (1,),
    }.items()
    for key in keys
)
# How the fields of the root are asked that need an argument.
ENTRIES = {
    "node": f'node(id: "{encode_id("Question", 11)}")',
    "nodes": f"nodes(ids: [{IDS}])",
    "course": f'course(by: {{id: "{encode_id("Course", 1)}"}})',
    "recommendationExplanation": (
        f'recommendationExplanation(userId: "{encode_id("User", 1)}", courseId: "{encode_id("Course", 1)}")'
    ),
    "topic": f'topic(by: {{id: "{encode_id("Topic", 1)}"}})',
}


def objects(kind: GraphQLNamedType) -> list[GraphQLObjectType]:
    """Return the object types that a value of a type may be of."""
    if isinstance(kind, GraphQLInterfaceType):
        return list(CONTRACT.get_possible_types(kind))
    return [kind] if isinstance(kind, GraphQLObjectType) else []


def leaves(kind: GraphQLNamedType, asked: str | None = None) -> str:
    """Return a selection of all plain fields of a type, and of the plain fields below one other, if asked."""
    parts = ["__typename"]
    for one in objects(kind):
        told = [
            f"{one.name}_{name}: {name}"
            for name, field in one.fields.items()
            if is_leaf_type(get_named_type(field.type))
            and not any(is_required_argument(arg) for arg in field.args.values())
        ]
        if asked is not None and asked in one.fields:
            told.append(f"{asked} {leaves(get_named_type(one.fields[asked].type))}")
        parts.append(f"... on {one.name} {{ {' '.join(told)} }}" if told else "")
    return f"{{ {' '.join(parts)} }}"


def ways() -> dict[str, list[str]]:
    """Return the ways from the root to each object type: by the fewest fields, and by `nodes`."""
    assert CONTRACT.query_type is not None
    found: dict[str, list[str]] = {}
    frontier: list[tuple[GraphQLObjectType, str]] = []
    for name, field in CONTRACT.query_type.fields.items():
        for one in objects(get_named_type(field.type)):
            way = f"{{ {ENTRIES.get(name, name)} {{ ... on {one.name} %s }} }}"
            found.setdefault(one.name, []).append(way)
            frontier.append((one, way))
    for kind, way in frontier:
        for name, field in kind.fields.items():
            for one in objects(get_named_type(field.type)):
                if one.name not in found:
                    further = way % f"{{ {name} {{ ... on {one.name} %s }} }}"
                    found[one.name] = [further]
                    frontier.append((one, further))
    return found


def documents() -> Iterator[str]:
    """Yield documents that together ask for every field of every object type that queries reach."""
    for name, known in ways().items():
        kind = CONTRACT.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        below = [field for field, told in kind.fields.items() if not is_leaf_type(get_named_type(told.type))]
        for way in known:
            for asked in [None, *below]:
                yield way % leaves(kind, asked)


async def told(context: Context) -> set[str]:
    """Return the documents whose answers hold the secret."""
    found = set()
    for document in documents():
        context.loaders.clear()
        context.recommendations = 0
        answer = await SCHEMA.execute(document, context_value=context)
        # A document that is not valid would be answered with nothing, and prove nothing.
        assert [] == [error for error in answer.errors or () if error.original_error is None], document
        if SECRET in str(answer.data) or SECRET in str(answer.errors):
            found.add(document)
    return found


@pytest.mark.parametrize("takes", [False, True])
async def test_learner_never_reads_a_key_an_explanation_or_a_draft(
    catalog: Database, clock: ManualClock, learner: Context, *, takes: bool
) -> None:
    """Neither one who takes the course nor another; the same questions show it all to an administrator."""
    await write_content(catalog, clock())
    async with catalog.transaction() as connection:
        await connection.execute(update(questions).values(explanation=SECRET, answer_key={"texts": [SECRET]}))
        for table in (lessons, modules):
            await connection.execute(update(table).where(table.c.revision_id == 2).values(title=SECRET))
        await connection.execute(update(course_revisions).where(course_revisions.c.id == 2).values(title=SECRET))
    if takes:
        await take(catalog, caller(learner).learner_id, clock())
    learner.services = replace(learner.services, recommender=Recommender(None, 0.5))
    assert set() == await told(learner)
    learner.identity = replace(caller(learner), roles=frozenset({Role.ADMINISTRATOR.value}))
    assert len(await told(learner)) > 5
