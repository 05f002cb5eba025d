"""How long answers may be kept, by the hints of their fields."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, parse

from execution.caching import kept
from execution.compile import graphql_core
from execution.costs import price
from execution.directives import public
from execution.fields import batch, column
from execution.policies import Policy
from schema.contract import build_schema
from schema.policies import AUTHOR, SIGNED_IN

SCHEMA = graphql_core(build_schema())


def hint(text: str) -> tuple[int | None, bool] | None:
    """Return the age and the scope of an operation, or None where it may not be kept."""
    document = parse(text)
    (operation,) = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    found = kept(price(SCHEMA, document, operation).fields)
    return None if found is None else (found.max_age, found.personal)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ topics { nodes { slug name children { slug } } pageInfo { endCursor } totalCount } }", (300, False)),
        ("{ courses { nodes { title topics { slug } } edges { node { rating { average } } } } }", (60, False)),
        ("{ topics { nodes { slug } } courses { nodes { slug } } }", (60, False)),
        ('{ course(by: {slug: "a"}) { title reviews { nodes { text } } similarCourses { slug } } }', (60, True)),
        ("{ __typename }", None),
        ("{ viewer { id } }", None),
        ("{ courses { nodes { title viewerEnrollment { id } } } }", None),
        ("{ courses { nodes { title modules { title } } } }", None),
        ("{ courses { nodes { title draft { number } } } }", None),
        ("{ courses { nodes { reviews { nodes { isViewers } } } } }", None),
        ("{ courses { nodes { reviews { nodes { text course { title } } } } } }", None),
        ("{ courses { nodes { title } } viewer { id } }", None),
        ("{ courses { nodes { title } } recommendedCourses { recommendationId } }", None),
        ('{ node(id: "a") { ... on Topic { slug } } }', None),
        ("{ courses { nodes { ... on Node { ... on Course { viewerReview { text } } } } } }", None),
        ("query ($never: Boolean!) { courses { nodes { id viewerReview @include(if: $never) { id } } } }", None),
    ],
)
def test_answer_is_kept_as_long_as_its_strictest_field_allows(
    text: str, expected: tuple[int | None, bool] | None
) -> None:
    """A field without a hint is somebody's own, wherever it stands, and even if a condition may leave it out."""
    assert expected == hint(text)


@pytest.mark.parametrize("policy", [SIGNED_IN, AUTHOR], ids=lambda policy: policy.name)
def test_what_is_guarded_cannot_be_declared_to_be_kept(policy: Policy) -> None:
    """It is a mistake of the declaration, and found when the schema is built."""

    async def answer(_context: object, parents: list[object]) -> list[object]:
        return parents

    def stub(_self: object) -> str:
        """What it is."""
        raise NotImplementedError

    with pytest.raises(TypeError, match="not to be kept"):
        batch(answer, policy=policy, cached=public(60))(stub)
    if policy is SIGNED_IN:
        with pytest.raises(TypeError, match="not to be kept"):
            column(policy, "What it is.", cached=public(60))
