/** The otlp_grpc exporter as a component: defaults, refusals, authentication, drain, targets. */

import t from 'tap';
import { parseGrpcTarget } from '../../src/main/exporters/otlp-grpc/grpc-target.ts';
import { OtlpGrpcExporter, otlpGrpcExporterType } from '../../src/main/exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { concat, lengthField, utf8, varintField } from '../support/otlp.ts';
import { configOf, newRequest, numbersOf, rigSettings, type Sink, spansTaken, startSink } from './exporter-rig.ts';

function exporterFor(sink: Sink, more: object = {}, extensions = {}) {
  const settings = rigSettings({ id: 'otlp', extensions });
  const config = configOf(otlpGrpcExporterType.schema, { endpoint: sink.endpoint, tls: { insecure: true }, ...more });
  t.same(otlpGrpcExporterType.check!(config, settings.id), []);
  return { settings, exporter: new OtlpGrpcExporter(settings, config) };
}

const end = async (exporter: OtlpGrpcExporter, sink: Sink): Promise<void> => {
  await exporter.stop();
  await sink.stop();
};

t.test('with its defaults it compresses, queues, and hands on everything before it ends', async (t) => {
  const sink = await startSink();
  const { exporter, settings } = exporterFor(sink, { headers: { 'X-Tenant': 'a' } });
  await exporter.start();
  const requests = Array.from({ length: 30 }, () => newRequest(10, 2));
  for (const request of requests) t.equal((await exporter.consume(request)).kind, 'accepted');
  t.same(await exporter.drain(performance.now() + 10_000), { spansLost: 0 });
  t.same(spansTaken([sink]), requests.flatMap((request) => request.spanIds).sort());
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_sent_spans'), 600);
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_in_flight_requests'), 0);
  t.same(sink.headers!.get('x-tenant'), ['a']);
  await end(exporter, sink);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('without a queue the caller hears what the peer says', async (t) => {
  const sink = await startSink(() => ({ code: GrpcStatus.resourceExhausted, message: 'full' }));
  const { exporter, settings } = exporterFor(sink, { sending_queue: { enabled: false } });
  await exporter.start();
  t.same(await exporter.consume(newRequest(2, 1)), {
    kind: 'refused',
    retryable: false,
    code: GrpcStatus.resourceExhausted,
    message: 'full',
  });
  sink.answer = () => ({ response: lengthField(1, concat(varintField(1, 1), lengthField(2, utf8('one was bad')))) });
  t.equal((await exporter.consume(newRequest(2, 1))).kind, 'accepted');
  t.match(
    settings.lines.find((line) => line.level === 'warn'),
    { fields: { dropped_spans: 1, message: 'one was bad' } },
  );
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_send_failed_spans'), 2);
  await end(exporter, sink);
});

t.test('authenticates by an extension, and does not start when it is missing', async (t) => {
  const sink = await startSink();
  const extension = {
    start: async () => {},
    drain: async () => ({ spansLost: 0 }),
    stop: async () => {},
    clientHeaders: () => [['authorization', 'Bearer x']],
  };
  const more = { sending_queue: { enabled: false }, auth: { authenticator: 'bearertokenauth' } };
  const { exporter } = exporterFor(sink, more, { bearertokenauth: extension });
  await exporter.start();
  t.equal((await exporter.consume(newRequest(1, 1))).kind, 'accepted');
  t.same(sink.headers!.get('authorization'), ['Bearer x']);
  const lonely = exporterFor(sink, more).exporter;
  await t.rejects(lonely.start(), { message: /failed to resolve authenticator "bearertokenauth"/ });
  await lonely.stop();
  await end(exporter, sink);
});

t.test('targets are read as the Collector reads them', async (t) => {
  t.match(parseGrpcTarget('host:4317'), { kind: 'tcp', host: 'host', port: 4317, secure: false });
  t.match(parseGrpcTarget('http://host:4317'), { host: 'host', secure: false });
  t.match(parseGrpcTarget('https://host:4317'), { host: 'host', secure: true });
  t.match(parseGrpcTarget('dns:///host:4317'), { host: 'host', port: 4317 });
  t.match(parseGrpcTarget('dns://8.8.8.8/host:4317'), { host: 'host', port: 4317 });
  t.match(parseGrpcTarget('[::1]:4317'), { host: '::1', port: 4317 });
  t.match(parseGrpcTarget('unix:///run/otel.sock'), { kind: 'unix', path: '/run/otel.sock' });
  t.match(parseGrpcTarget('foo'), { kind: 'fault', message: 'address foo: missing port in address' });
  t.match(parseGrpcTarget('foo:abc'), { kind: 'fault', message: 'invalid port "abc"' });
  t.match(parseGrpcTarget(''), { kind: 'fault', message: 'requires a non-empty "endpoint"' });
  t.match(parseGrpcTarget('unix://'), { kind: 'fault', message: 'unix socket path cannot be empty' });
});
