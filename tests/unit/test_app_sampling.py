"""Which requests are traced, and that all of them are counted and timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased
from starlette.types import Message, Receive, Scope, Send

from app.sampling import AtTheDoor, Door

TRACER = TracerProvider(sampler=ParentBased(AtTheDoor(0.5))).get_tracer("test")
SAMPLED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Seen:
    """An application that remembers whether spans are made in it."""

    def __init__(self) -> None:
        self.spans: list[bool] = []
        self.instrumented: list[bool] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make a span."""
        self.instrumented.append(is_instrumentation_enabled())
        with TRACER.start_as_current_span("request") as span, TRACER.start_as_current_span("below") as below:
            assert span.is_recording() == below.is_recording()
            self.spans.append(span.is_recording())


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """What is told of requests."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("app.sampling.metrics.get_meter", provider.get_meter)
    yield reader
    provider.shutdown()


async def ask(door: Door, *headers: tuple[bytes, bytes], kind: str = "http") -> None:
    """Send a request through a door."""

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        """Take nothing."""

    await door({"type": kind, "headers": list(headers)}, receive, send)


@pytest.mark.parametrize(
    ("drawn", "headers", "traced"),
    [
        (0.1, [], True),
        (0.9, [], False),
        (0.9, [(b"traceparent", SAMPLED)], True),
        (0.1, [(b"traceparent", SAMPLED[:-1] + b"0")], False),
        (0.1, [(b"traceparent", b"nonsense")], False),
    ],
)
async def test_request_is_traced_wholly_or_not_at_all(
    *, drawn: float, headers: list[tuple[bytes, bytes]], traced: bool, metrics: InMemoryMetricReader
) -> None:
    """By its parent, and by chance without one; nothing is instrumented for those that are not."""
    with_spans, without = Seen(), Seen()
    await ask(Door(with_spans, without, 0.5, lambda: drawn), *headers)
    found, other = (with_spans, without) if traced else (without, with_spans)
    assert [traced] == found.spans
    assert [traced] == found.instrumented
    assert [] == other.spans


async def test_spans_outside_of_requests_are_sampled_by_their_share() -> None:
    """What runs beside requests is decided by its trace."""
    seen = Seen()
    for _ in range(64):
        await ask(seen)  # type: ignore[arg-type] # an application is asked as a door is.
    assert {True, False} == set(seen.spans)
    assert "AtTheDoor" in AtTheDoor(0.5).get_description()


async def test_all_requests_are_counted_and_timed(metrics: InMemoryMetricReader) -> None:
    """Whether they are traced or not; connections that stay are not requests."""
    drawn = iter((0.1, 0.9, 0.9))
    door = Door(Seen(), Seen(), 0.5, lambda: next(drawn))
    await ask(door)
    await ask(door)
    await ask(door, kind="websocket")
    data = metrics.get_metrics_data()
    assert data is not None
    told: dict[str, list[Any]] = {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    buckets = {point.attributes["le"]: point.value for point in told["waymark.request.duration.bucket"]}
    assert 2 == buckets["+Inf"]
    assert sorted(buckets.values()) == list(buckets.values())
    assert told["waymark.request.duration.sum"][0].value > 0
