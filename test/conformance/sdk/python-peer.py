"""Makes a few traces with the OpenTelemetry SDK for Python and prints each span."""

import json
import os
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

ENDPOINT = os.environ["PEER_ENDPOINT"]
PROTOCOL = os.environ["PEER_PROTOCOL"]
GZIP = os.environ["PEER_COMPRESSION"] == "gzip"


def exporter():
    if PROTOCOL == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=ENDPOINT, insecure=True, compression=Compression.Gzip if GZIP else Compression.NoCompression)
    if PROTOCOL == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=ENDPOINT, compression=Compression.Gzip if GZIP else Compression.NoCompression)
    sys.exit(3)


def plain(attributes):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in (attributes or {}).items()}


class Printer(SpanExporter):
    def export(self, spans):
        for span in spans:
            line = {
                "traceId": f"{span.context.trace_id:032x}",
                "spanId": f"{span.context.span_id:016x}",
                "parentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
                "traceState": span.context.trace_state.to_header(),
                "name": span.name,
                "kind": span.kind.value + 1,
                "start": str(span.start_time),
                "end": str(span.end_time),
                "attributes": plain(span.attributes),
                "events": [{"name": e.name, "time": str(e.timestamp), "attributes": plain(e.attributes)} for e in span.events],
                "links": [
                    {"traceId": f"{l.context.trace_id:032x}", "spanId": f"{l.context.span_id:016x}", "attributes": plain(l.attributes)}
                    for l in span.links
                ],
                "status": {"code": span.status.status_code.value, "message": span.status.description or ""},
                "resource": plain(span.resource.attributes),
                "scope": {"name": span.instrumentation_scope.name, "version": span.instrumentation_scope.version or ""},
            }
            print(json.dumps(line), flush=True)
        return SpanExportResult.SUCCESS


provider = TracerProvider(resource=Resource.create({"service.name": "python peer", "a.list": ["x", "ü"]}))
provider.add_span_processor(BatchSpanProcessor(exporter()))
provider.add_span_processor(SimpleSpanProcessor(Printer()))
tracer = provider.get_tracer("peer", "1.2.3")

last = None
for round_number in range(20):
    links = [Link(last, {"round": round_number})] if last else []
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER, links=links) as root:
        for child in range(4):
            with tracer.start_as_current_span(f"Kind {child} 子", kind=SpanKind.CLIENT, attributes={"child": child, "half": child + 0.5, "yes": True}) as span:
                span.set_attributes({"texts": ["a", "", "ß"], "numbers": [1, 2, 3], "flags": [True, False], "empty": "", "long": "l" * 300, "negative": -7})
                span.add_event("happened", {"at": child})
                if child == 3:
                    span.record_exception(ValueError("broken"))
                    span.set_status(Status(StatusCode.ERROR, "it broke"))
        root.set_status(Status(StatusCode.OK))
        last = root.get_span_context()
provider.shutdown()
