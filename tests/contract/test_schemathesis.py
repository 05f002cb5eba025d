"""Documents that nobody thought of: no failure of ours, and every answer has its operation's shape.

`HYPOTHESIS_EXAMPLES=500 .venv/bin/python -m pytest tests/contract/test_schemathesis.py` asks more of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from graphql import GraphQLObjectType
from hypothesis import HealthCheck, strategies as st
from schemathesis.graphql import nodes

from core.ids import encode_id
from schema.contract import build_schema, printed
from tests.live_servers import live_catalog
from tests.response_shapes import shape_problems

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


@pytest.fixture(scope="module")
def seeded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on the small catalog with its content."""
    with live_catalog(postgres_url, tmp_path_factory.mktemp("served")) as served:
        yield served


schema = schemathesis.graphql.from_file(printed(SCHEMA))


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_answer_is_no_failure_of_ours_and_has_the_shape_of_its_operation(case: Any, seeded: str) -> None:
    """Whatever the document asks, the server answers as the contract says."""
    response = case.call(base_url=seeded)
    assert response.status_code < 500, response.text
    answer = response.json()
    codes = [error["extensions"]["code"] for error in answer.get("errors") or ()]
    assert "INTERNAL" not in codes, answer
    assert [] == shape_problems(CONTRACT, case.body, None, {}, answer)
