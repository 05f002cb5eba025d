"""Every field and every command declares who may use it, and says what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from execution.fields import BatchField, CommandField, DeclaredField, SubscriptionField
from execution.policies import Policy
from schema.contract import build_schema

SCHEMA = build_schema()
GRAPHQL = SCHEMA._schema


def declared() -> Iterator[tuple[str, StrawberryField]]:
    """Yield every field of every object and interface type, as `Type.field`."""
    for name, graphql_type in sorted(GRAPHQL.type_map.items()):
        if name.startswith("__") or not isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType):
            continue
        definition = graphql_type.extensions["strawberry-definition"]
        assert isinstance(definition, StrawberryObjectDefinition)
        for field in definition.fields:
            yield f"{name}.{field.python_name}", field


FIELDS = dict(declared())
# Enums that clients send and never receive: growth of these surprises nobody.
ONLY_SENT = {"CourseOrderField", "Granularity", "OrderDirection", "RecommendationEventKind", "RecommendationSurface"}


@pytest.mark.parametrize("name", FIELDS)
def test_field_declares_a_policy(name: str) -> None:
    """A field that is not one of ours has no policy, and no executor would apply one."""
    field = FIELDS[name]
    assert isinstance(field, DeclaredField), f"{name} is declared with plain Strawberry"
    assert isinstance(field.policy, Policy)


def test_mutations_are_commands_queries_are_batches_and_subscriptions_are_streams() -> None:
    """The roots hold nothing else, so that no work escapes batching or the error border."""
    for name, field in FIELDS.items():
        if name.startswith("Mutation."):
            assert isinstance(field, CommandField), name
        if name.startswith("Query."):
            assert isinstance(field, BatchField), name
        if name.startswith("Subscription."):
            assert isinstance(field, SubscriptionField), name


def test_everything_in_the_contract_is_described() -> None:
    """Types, fields, arguments, inputs and enum values: a frontend developer can act on each description."""
    missing: list[str] = []
    for name, graphql_type in GRAPHQL.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        if not graphql_type.description:
            missing.append(name)
        if isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in graphql_type.fields.items():
                if not field.description:
                    missing.append(f"{name}.{field_name}")
                missing += [f"{name}.{field_name}({key})" for key, arg in field.args.items() if not arg.description]
        elif isinstance(graphql_type, GraphQLInputObjectType):
            missing += [f"{name}.{key}" for key, field in graphql_type.fields.items() if not field.description]
        elif isinstance(graphql_type, GraphQLEnumType):
            assert "growth" in (graphql_type.description or "") or name in ONLY_SENT, name
            missing += [f"{name}.{key}" for key, value in graphql_type.values.items() if not value.description]
    assert [] == missing
