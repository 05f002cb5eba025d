"""OpenTelemetry: spans and metrics of the four ways through the house, off unless asked for.

The rooms only use the OpenTelemetry API, which does nothing until this module installs providers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from core.errors import InputError
from core.settings import TelemetryExporter, TelemetrySettings


@contextmanager
def telemetry(settings: TelemetrySettings) -> Iterator[None]:
    """Install providers and instrument asyncpg and Redis for the length of the block.

    Raises:
        InputError: OTLP is asked for without an endpoint.
    """
    if settings.exporter is TelemetryExporter.OFF:
        yield
        return
    if settings.exporter is TelemetryExporter.OTLP and settings.endpoint is None:
        raise InputError("WAYMARK_TELEMETRY__ENDPOINT is needed for the exporter `otlp`.")
    from opentelemetry import metrics, trace  # noqa: PLC0415 - none of this is wanted when telemetry is off.
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased  # noqa: PLC0415

    from app.sampling import AtTheDoor  # noqa: PLC0415

    span_exporter, metric_exporter = _exporters(settings)
    resource = Resource.create({"service.name": "waymark"})
    tracers = TracerProvider(resource=resource, sampler=ParentBased(AtTheDoor(settings.sampling_ratio)))
    tracers.add_span_processor(BatchSpanProcessor(span_exporter))
    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metric_exporter)])
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    instruments: list[Any] = [AsyncPGInstrumentor(), RedisInstrumentor()]  # type: ignore[no-untyped-call]
    for instrument in instruments:
        instrument.instrument()
    try:
        yield
    finally:
        for instrument in instruments:
            instrument.uninstrument()
        tracers.shutdown()
        meters.shutdown()


def observed(app: ASGIApp, long_way: Callable[[], Starlette], settings: TelemetrySettings) -> ASGIApp:
    """Return an application whose sampled requests have spans; when telemetry is off it is the one that is given.

    Args:
        app: answers requests that are not sampled.
        long_way: makes the application that answers those that are.
        settings: what is asked for.
    """
    if settings.exporter is TelemetryExporter.OFF:
        return app
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor  # noqa: PLC0415 - as above.

    from app.sampling import Door  # noqa: PLC0415

    traced = long_way()
    StarletteInstrumentor.instrument_app(traced)
    return Door(traced, app, settings.sampling_ratio)


def _exporters(settings: TelemetrySettings) -> tuple[Any, Any]:
    if settings.exporter is TelemetryExporter.CONSOLE:
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415

        return ConsoleSpanExporter(), ConsoleMetricExporter()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(f"{settings.endpoint}/v1/traces"), OTLPMetricExporter(f"{settings.endpoint}/v1/metrics")
