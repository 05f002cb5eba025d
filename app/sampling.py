"""Which requests are traced: decided once, at the door, so that the others do not pay for spans that nobody sees.

Instrumentation makes spans and attributes before a sampler may refuse them, which takes longer than a small operation.
A request that is not sampled therefore goes to an application without instrumentation, and is only counted and timed.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from opentelemetry import context, metrics
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

_CHOSEN = context.create_key("waymark-chosen")
# `traceparent` of W3C Trace Context: version, trace, parent and flags, of which the last bit says "sampled".
_PARENT = b"traceparent"
_FLAGS = slice(53, 55)
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class AtTheDoor(Sampler):
    """Samples what was chosen at the door, and of what did not come through it a share.

    Args:
        ratio: the share.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about a span without a parent."""
        chosen = context.get_value(_CHOSEN, parent_context)
        sampler: Sampler = self._ratio if chosen is None else ALWAYS_ON if chosen else ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links)

    @override
    def get_description(self) -> str:
        """Return what it is called."""
        return f"AtTheDoor{{{self._ratio.get_description()}}}"


class Door:
    """Sends requests to one of two applications that differ in nothing but instrumentation.

    Args:
        traced: instrumented.
        untraced: not.
        ratio: share of the requests without a parent that are traced; of the others the parent decides.
        rng: chooses.
    """

    def __init__(
        self, traced: ASGIApp, untraced: ASGIApp, ratio: float, rng: Callable[[], float] = random.random
    ) -> None:
        self._traced = traced
        self._untraced = untraced
        self._ratio = ratio
        self._rng = rng
        self._durations = Durations()
        # What is said to instrumentation that shall be silent, in one piece: request by request it takes three.
        with suppress_instrumentation():
            self._suppressed = {**context.get_current(), _CHOSEN: False}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        chosen = self._chooses(scope)
        told = {_CHOSEN: True} if chosen else self._suppressed
        token = context.attach(Context({**context.get_current(), **told}))
        begun = time.perf_counter()
        try:
            await (self._traced if chosen else self._untraced)(scope, receive, send)
        finally:
            if scope["type"] == "http":
                self._durations.add(time.perf_counter() - begun)
            context.detach(token)

    def _chooses(self, scope: Scope) -> bool:
        for name, value in scope.get("headers", ()):
            if name == _PARENT:
                flags = value[_FLAGS]
                return len(flags) == 2 and flags[1:] in b"13579bdf"  # noqa: PLR2004 - two hexadecimal digits.
        return self._rng() < self._ratio


class Durations:
    """How long requests took, as counters of a Prometheus histogram; told when somebody collects."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0
        meter = metrics.get_meter("waymark.gateway")
        meter.create_observable_counter(
            "waymark.request.duration.bucket",
            [self._buckets],
            description="HTTP requests that took at most `le` seconds, streams included.",
        )
        meter.create_observable_counter(
            "waymark.request.duration.sum", [self._sum], unit="s", description="Seconds that HTTP requests took."
        )

    def add(self, seconds: float) -> None:
        """Count a request."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def _buckets(self, _options: CallbackOptions) -> Iterable[Observation]:
        bounds = [*map(str, _BOUNDS), "+Inf"]
        for bound, count in zip(bounds, accumulate(self._counts), strict=True):
            yield Observation(count, {"le": bound})

    def _sum(self, _options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(self._seconds)
