"""Documents that nobody thought of, of everybody: no failure of ours, and every answer has its operation's shape.

`HYPOTHESIS_EXAMPLES=500 .venv/bin/python -m pytest tests/contract/test_schemathesis.py` asks more of it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from graphql import GraphQLObjectType
from hypothesis import HealthCheck, strategies as st
from schemathesis.graphql import nodes

from app.wiring import Platform
from core.ids import encode_id
from schema.contract import build_schema, printed
from tests.contract.permission_world import seed
from tests.live_servers import live_catalog
from tests.response_shapes import shape_problems

# Not traced for coverage: so many operations would take minutes more, and show no line that other tests do not.
pytestmark = pytest.mark.no_cover

SCHEMA = build_schema()
CONTRACT = SCHEMA._schema
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "12"))
IDENTIFIED = [
    name
    for name, kind in CONTRACT.type_map.items()
    if isinstance(kind, GraphQLObjectType) and any(one.name == "Node" for one in kind.interfaces)
]
# Ids of what there is, of what there is not, and no ids at all; page sizes that are mostly allowed.
schemathesis.graphql.scalar(
    "ID",
    st.one_of(
        st.builds(encode_id, st.sampled_from(IDENTIFIED), st.integers(1, 30)),
        st.text(max_size=20),
    ).map(nodes.String),
)
schemathesis.graphql.scalar("Int", st.one_of(st.integers(0, 20), st.integers(-(2**31), 2**31 - 1)).map(nodes.Int))
schemathesis.graphql.scalar("DateTime", st.datetimes().map(lambda moment: nodes.String(f"{moment.isoformat()}Z")))


# Whoever ends their own session would ask as a stranger from then on.
ENDING = ("signOut", "deleteMyAccount", "changePassword")


@dataclass(frozen=True)
class Seeded:
    """A server, and the access tokens of its roles; strangers have none."""

    url: str
    tokens: Mapping[str, str | None]

    def headers(self, document: str) -> dict[str, str]:
        """Return the headers of whoever asks a document: always the same, and each role about equally often."""
        roles = ["stranger"] if any(name in document for name in ENDING) else sorted(self.tokens)
        token = self.tokens[roles[zlib.crc32(document.encode()) % len(roles)]]
        return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def seeded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """A server on the small catalog with somebody of every role and an object of every type."""
    tokens: dict[str, str | None] = {"stranger": None}

    async def fill(parts: Platform) -> None:
        tokens.update((await seed(parts)).tokens)

    with live_catalog(postgres_url, tmp_path_factory.mktemp("served"), fill) as served:
        yield Seeded(served, tokens)


schema = schemathesis.graphql.from_file(printed(SCHEMA))


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_answer_is_no_failure_of_ours_and_has_the_shape_of_its_operation(case: Any, seeded: Seeded) -> None:
    """Whatever the document asks, and whoever asks it, the server answers as the contract says."""
    response = case.call(base_url=seeded.url, headers=seeded.headers(case.body))
    assert response.status_code < 500, response.text
    answer = response.json()
    codes = [error["extensions"]["code"] for error in answer.get("errors") or ()]
    assert "INTERNAL" not in codes, answer
    assert [] == shape_problems(CONTRACT, case.body, None, {}, answer)


def test_everybody_is_still_signed_in(seeded: Seeded) -> None:
    """What was asked above was asked by those whom it says."""
    for role, token in seeded.tokens.items():
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = httpx.post(seeded.url, json={"query": "{ viewer { id } }"}, headers=headers).json()
        assert (role == "stranger") == (answer["data"]["viewer"] is None), role
