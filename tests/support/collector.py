"""An OTLP/HTTP receiver for traces, as a collector is one; it keeps what it gets."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from infra.local.ports import LOOPBACK, free_port


@dataclass(frozen=True, slots=True)
class SeenSpan:
    service: str
    name: str
    trace: str
    id: str
    parent: str


@dataclass(slots=True)
class Collector:
    url: str
    spans: list[SeenSpan] = field(default_factory=list)

    def traces(self) -> dict[str, list[SeenSpan]]:
        """Return the spans seen so far, by trace."""
        by_trace: dict[str, list[SeenSpan]] = defaultdict(list)
        for span in list(self.spans):
            by_trace[span.trace].append(span)
        return by_trace

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    SeenSpan(
                        service=named["service.name"],
                        name=span.name,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                    )
                    for span in scope.spans
                ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Receive spans until the block ends."""
    with free_port() as port:
        collector = Collector(f"http://{LOOPBACK}:{port}")

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
