/** Makes a few traces with the OpenTelemetry SDK for Node and prints each span; run in the folder where the SDK is installed. */

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { BatchSpanProcessor, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { resourceFromAttributes } = require('@opentelemetry/resources');

const { PEER_ENDPOINT, PEER_PROTOCOL, PEER_COMPRESSION } = process.env;

function exporterOf() {
  const options = { url: PEER_PROTOCOL === 'grpc' ? `http://${PEER_ENDPOINT}` : PEER_ENDPOINT, compression: PEER_COMPRESSION };
  if (PEER_PROTOCOL === 'grpc') return new (require('@opentelemetry/exporter-trace-otlp-grpc').OTLPTraceExporter)(options);
  if (PEER_PROTOCOL === 'http/protobuf') return new (require('@opentelemetry/exporter-trace-otlp-proto').OTLPTraceExporter)(options);
  return new (require('@opentelemetry/exporter-trace-otlp-http').OTLPTraceExporter)(options);
}

const nanos = ([seconds, rest]) => String(BigInt(seconds) * 1_000_000_000n + BigInt(rest));

const printer = {
  export(spans, done) {
    for (const span of spans) {
      const line = {
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        parentSpanId: span.parentSpanContext?.spanId ?? '',
        traceState: span.spanContext().traceState?.serialize() ?? '',
        name: span.name,
        kind: span.kind + 1,
        start: nanos(span.startTime),
        end: nanos(span.endTime),
        attributes: span.attributes,
        events: span.events.map(({ name, time, attributes = {} }) => ({ name, time: nanos(time), attributes })),
        links: span.links.map(({ context: { traceId, spanId }, attributes = {} }) => ({ traceId, spanId, attributes })),
        status: { code: span.status.code, message: span.status.message ?? '' },
        resource: span.resource.attributes,
        scope: { name: span.instrumentationScope.name, version: span.instrumentationScope.version ?? '' },
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: async () => {},
};

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'node peer', 'a.list': ['x', 'ü'] }),
  spanProcessors: [new BatchSpanProcessor(exporterOf()), new SimpleSpanProcessor(printer)],
});
const tracer = provider.getTracer('peer', '1.2.3');

let last;
for (let round = 0; round < 20; round++) {
  const root = tracer.startSpan(
    'root',
    { kind: SpanKind.SERVER, links: last ? [{ context: last, attributes: { round } }] : [] },
    ROOT_CONTEXT,
  );
  const inside = trace.setSpan(context.active(), root);
  for (let child = 0; child < 4; child++) {
    const span = tracer.startSpan(
      `Kind ${child} 子`,
      { kind: SpanKind.CLIENT, attributes: { child, half: child + 0.5, yes: true } },
      inside,
    );
    span.setAttributes({ texts: ['a', '', 'ß'], numbers: [1, 2, 3], flags: [true, false], empty: '', long: 'l'.repeat(300), negative: -7 });
    span.addEvent('happened', { at: child });
    if (child === 3) {
      span.recordException(new Error('broken'));
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke' });
    }
    span.end();
  }
  root.setStatus({ code: SpanStatusCode.OK });
  root.end();
  last = root.spanContext();
}
await provider.shutdown();
