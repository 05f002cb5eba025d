"""Spans of the ways through the house reach a collector; nothing is sent unless asked for."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.test_app_cli import COMMAND, ROOT, environment, refused, waymark


class Collector(BaseHTTPRequestHandler):
    """An OTLP/HTTP endpoint that keeps the names of what it is sent."""

    paths: set[str]
    spans: set[str]

    def do_POST(self) -> None:
        """Take one export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.add(self.path)
        if self.path.endswith("traces"):
            sent = ExportTraceServiceRequest.FromString(body)
            self.spans |= {
                span.name for part in sent.resource_spans for each in part.scope_spans for span in each.spans
            }
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as above.
        """Keep quiet."""


@contextmanager
def collector() -> Iterator[tuple[str, type[Collector]]]:
    """Run a collector on the loopback and yield its address and what it keeps."""
    kept = type("Kept", (Collector,), {"paths": set(), "spans": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kept)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_and_metrics_of_a_served_operation_reach_a_collector(tmp_path: Path) -> None:
    """Request, operation, recommendation and SQL; with the process's metrics."""
    waymark("database", "migrate", "--data-dir", str(tmp_path))
    with collector() as (endpoint, kept):
        chosen = {
            "WAYMARK_TELEMETRY__EXPORTER": "otlp",
            "WAYMARK_TELEMETRY__ENDPOINT": endpoint,
            "WAYMARK_GATEWAY__OPERATIONS": "open",
        }
        with subprocess.Popen(
            [*COMMAND, "serve", "--data-dir", str(tmp_path), "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(**chosen),
        ) as process:
            assert process.stderr is not None
            address = process.stderr.readline().split()[-1]
            answer = httpx.post(address, json={"query": "{ recommendedCourses { strategy } }"}, timeout=30)
            assert "POPULARITY" == answer.json()["data"]["recommendedCourses"]["strategy"]
            process.terminate()
            process.wait(timeout=60)
    assert {"/v1/traces", "/v1/metrics"} == kept.paths
    assert {"POST /graphql", "graphql.operation", "recommendation", "SELECT"} <= kept.spans


def test_otlp_without_an_endpoint_is_refused(tmp_path: Path) -> None:
    """The missing setting is named."""
    refused(
        waymark("database", "migrate", "--data-dir", str(tmp_path), WAYMARK_TELEMETRY__EXPORTER="otlp"),
        "WAYMARK_TELEMETRY__ENDPOINT",
    )


def test_console_exporter_prints_spans(tmp_path: Path) -> None:
    """For a look without a collector."""
    done = waymark("database", "migrate", "--data-dir", str(tmp_path), WAYMARK_TELEMETRY__EXPORTER="console")
    assert 0 == done.returncode
    assert '"db.system": "postgresql"' in done.stdout
