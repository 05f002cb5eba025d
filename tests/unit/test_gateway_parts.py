"""Parts of the gateway that need no server: caches, labels, names of clients, coordinates, sizes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from core.clock import ManualClock
from core.settings import OperationsMode
from execution.compile import Answer as CompiledAnswer
from gateway.bounded import BoundedCache
from gateway.documents import Documents
from gateway.executors import Exceptions
from gateway.metrics import OTHER, UNREGISTERED, GatewayMetrics
from gateway.parameters import normalized_id, of_object
from gateway.refusals import MalformedRequestError, RefusedError
from gateway.responses import accepts, media_type, prefers_html
from gateway.usage import OTHERS, Client, Usage, client_of
from schema.contract import build_schema

SCHEMA = build_schema()


def test_cache_forgets_what_was_not_asked_for_longest() -> None:
    """Asking keeps an entry."""
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert 1 == cache.get("a")
    cache.put("c", 3)
    assert (1, None, 3) == (cache.get("a"), cache.get("b"), cache.get("c"))
    assert 2 == len(cache)


def test_labels_of_metrics_are_bounded_and_only_registered_operations_have_one() -> None:
    """Whatever clients send, the number of series stays small."""
    metrics = GatewayMetrics(OperationsMode.OPEN)
    assert UNREGISTERED == metrics.label(None, "AnyName")
    assert "Home" == metrics.label("a" * 64, "Home")
    assert "a" * 16 == metrics.label("a" * 64, None)
    labels = {metrics.label("x", f"Operation{number}") for number in range(2_000)}
    assert OTHER in labels
    assert 999 == len(labels)
    assert "Home" == metrics.label("a" * 64, "Home")


def test_metrics_tell_operations_and_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """By operation, mode, executor and outcome; costs by operation; refusals by code."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("gateway.metrics.metrics.get_meter", provider.get_meter)
    metrics = GatewayMetrics(OperationsMode.APQ)
    metrics.answered("Home", "graphql-core", errors=False)
    metrics.refused("OPERATION_NOT_TRUSTED")
    metrics.spent("Home", 5)
    metrics.spent("Home", 7)
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: [dict(point.attributes or {}) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    costs = [
        (dict(point.attributes or {}), getattr(point, "value", None))
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "waymark.cost"
        for point in metric.data.data_points
    ]
    provider.shutdown()
    assert [({"operation": "Home"}, 12)] == costs
    operation = {"operation": "Home", "mode": "apq", "executor": "graphql-core", "outcome": "ok"}
    assert {
        "waymark.operations": [operation],
        "waymark.cost": [{"operation": "Home"}],
        "waymark.refusals": [{"code": "OPERATION_NOT_TRUSTED"}],
    } == found


def test_metrics_tell_what_was_not_normal() -> None:
    """Detours by their number, and answers that were made twice; nothing where there were none."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("test")
    exceptions = Exceptions(meter.create_counter("detours"), meter.create_counter("rewritten"))
    exceptions.count(CompiledAnswer({}, []))
    exceptions.count(CompiledAnswer({}, [], detours=2))
    exceptions.count(CompiledAnswer({}, [], detours=1, rewritten=True))
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: [getattr(point, "value", None) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    provider.shutdown()
    assert {"detours": [3], "rewritten": [1]} == found


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ({}, Client("unnamed", "")),
        ({"apollographql-client-name": "ios", "apollographql-client-version": "3"}, Client("ios", "3")),
        ({"graphql-client-name": " web ", "graphql-client-version": "\x00"}, Client("web", "")),
        ({"graphql-client-version": "3"}, Client("unnamed", "")),
        ({"graphql-client-name": 5}, Client("unnamed", "")),
    ],
)
def test_client_says_its_name(said: dict[str, object], client: Client) -> None:
    """In either dialect, and in plain characters."""
    assert client == client_of(said)


def test_counts_in_memory_are_bounded() -> None:
    """A client that changes its name with each request fills no memory."""
    usage = Usage(ManualClock(datetime(2026, 3, 1, tzinfo=UTC) + timedelta()))
    for number in range(12_000):
        usage.count("a", Client(f"c{number}", ""))
    assert 10_001 == len(usage._counts)
    assert 2_000 == usage._counts["a", Client(OTHERS, "")].count


def test_coordinates_are_what_a_document_needs() -> None:
    """Fields of interfaces and objects, arguments, and fields of inputs that are written out; no introspection."""
    documents = Documents(SCHEMA, 8)
    document = documents.prepare(
        """
        query Q($first: Int, $skip: Boolean = false) {
          __typename
          node(id: "x") { id ... on Course { title @skip(if: $skip) } }
          courses(first: $first, orderBy: {field: TITLE}) { nodes { ...c } }
          __type(name: "Course") { name }
        }
        fragment c on Course { topics { name } }
        """
    )
    assert [
        "Course.title",
        "Course.topics",
        "CourseConnection.nodes",
        "CourseOrder.field",
        "Node.id",
        "Query.courses",
        "Query.courses(first:)",
        "Query.courses(orderBy:)",
        "Query.node",
        "Query.node(id:)",
        "Topic.name",
    ] == documents.coordinates(document)
    assert document.introspects


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: (
            st.lists(c)
            | st.dictionaries(
                st.sampled_from(
                    ["query", "documentId", "id", "variables", "extensions", "persistedQuery", "version", "sha256Hash"]
                ),
                c,
            )
        ),
    )
)
def test_parameters_are_read_or_refused(value: object) -> None:
    """Whatever the JSON, there is an operation to look for, or a clear refusal."""
    try:
        found = of_object(value)
    except MalformedRequestError:
        return
    assert found.query is not None or found.document_id is not None


@given(st.text())
def test_ids_are_normalized_once(given_id: str) -> None:
    """Normalizing again changes nothing, and what is left fits into a log line and a database."""
    found = normalized_id(given_id)
    if found is not None:
        assert found == normalized_id(found)
        assert found.isascii()
        assert 0 < len(found) <= 200


@given(st.text())
def test_any_accept_header_is_understood(header: str) -> None:
    """One of our two types is chosen."""
    assert media_type(header) in {"application/json", "application/graphql-response+json"}
    assert accepts(header, "text/html") in {True, False}
    assert accepts(header, "text/html") or not prefers_html(header)


def codes(kind: type[RefusedError] = RefusedError) -> set[str]:
    """Return the codes of every refusal that there is."""
    return {kind.code}.union(*(codes(each) for each in kind.__subclasses__()))


def test_every_code_is_documented() -> None:
    """A client finds what to do about each."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations-registry.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text))
    assert set() == codes() - documented
