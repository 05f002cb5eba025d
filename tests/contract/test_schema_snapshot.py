"""The committed contract is what the code implements."""

from __future__ import annotations

from pathlib import Path

from graphql import GraphQLInterfaceType, build_schema as parse_schema, validate_schema

from resolvers.nodes import LOADERS
from schema.contract import build_schema, printed

CONTRACT = Path(__file__).resolve().parents[2] / "schema" / "schema.graphql"


def test_printed_schema_equals_the_committed_contract() -> None:
    """A change of the contract starts in the file; `waymark schema` prints what the code makes of it."""
    assert CONTRACT.read_text(encoding="utf-8") == printed(build_schema())


def test_contract_is_valid_by_itself() -> None:
    """Tools that only read the file find a valid schema."""
    assert [] == validate_schema(parse_schema(CONTRACT.read_text(encoding="utf-8")))


def test_every_node_type_can_be_fetched_by_id() -> None:
    """`node` knows each type that implements Node, and nothing else; kinds of one thing share the interface's name."""
    schema = build_schema()._schema
    interface = schema.type_map["Node"]
    assert isinstance(interface, GraphQLInterfaceType)
    named = set()
    for node in schema.get_possible_types(interface):
        kinds = [one.name for one in node.interfaces if one.name != "Node"]
        named.add(kinds[0] if kinds else node.name)
    assert sorted(LOADERS) == sorted(named)
