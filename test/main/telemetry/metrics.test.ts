import t from 'tap';
import { observeProcess, serveMetrics } from '../../../src/main/telemetry/metrics-server.ts';
import { metricsTable } from '../../../src/main/telemetry/metrics-table.ts';
import { prometheusText } from '../../../src/main/telemetry/prometheus.ts';
import { MetricRegistry } from '../../../src/main/telemetry/registry.ts';
import { checkTelemetry, telemetrySchema, telemetrySettings } from '../../../src/main/telemetry/telemetry-config.ts';
import { componentRig, configOf, LogRecorder } from '../../support/component-rig.ts';

const plain = { typeSuffix: false, detailed: false, resource: {} };

t.test('every row of the table can be emitted and is exposed under its name', async (t) => {
  const registry = new MetricRegistry();
  for (const row of metricsTable) {
    const attributes = Object.fromEntries(row.attributes.map((name) => [name, 'x']));
    if (row.instrument === 'histogram') registry.histogram(row.name, attributes).record(1);
    else if (row.instrument === 'counter') registry.counter(row.name, attributes).add(1);
    else registry.gauge(row.name, attributes).set(1);
  }
  const text = prometheusText(registry.snapshot(), { ...plain, detailed: true });
  for (const row of metricsTable) t.match(text, `# TYPE ${row.name} ${row.instrument}\n`, row.name);
  t.equal(new Set(metricsTable.map((row) => row.name)).size, metricsTable.length, 'no name twice');
});

t.test('prints what the Collector prints', async (t) => {
  const registry = new MetricRegistry();
  registry.counter('otelcol_exporter_sent_spans', { exporter: 'otlp', 'server.address': 'a"b', 'server.port': '1' }).add(3);
  const latency = registry.histogram('otelcol_loadbalancer_backend_latency', { endpoint: 'e' });
  for (const value of [5, 5.1, 6000]) latency.record(value);
  const text = prometheusText(registry.snapshot(), plain);
  t.match(text, 'otelcol_exporter_sent_spans{exporter="otlp",server_address="a\\"b",server_port="1"} 3\n');
  t.match(text, '_bucket{endpoint="e",le="5"} 1\n');
  t.match(text, '_bucket{endpoint="e",le="10"} 2\n');
  t.match(text, '_bucket{endpoint="e",le="5000"} 2\n');
  t.match(text, '_bucket{endpoint="e",le="+Inf"} 3\n');
  t.match(text, 'otelcol_loadbalancer_backend_latency_count{endpoint="e"} 3\n');
  t.match(prometheusText(registry.snapshot(), { ...plain, typeSuffix: true }), 'otelcol_exporter_sent_spans_total{');
});

t.test('refuses names, instruments and attributes that the table does not have', async (t) => {
  const registry = new MetricRegistry();
  t.throws(() => registry.counter('otelcol_nothing'), /no row/);
  t.throws(() => registry.gauge('otelcol_exporter_sent_spans'), /is a counter/);
  t.throws(() => registry.counter('otelcol_exporter_sent_spans', { nothing: 'x' }), /no attribute/);
});

t.test('one name and one set of attributes is one instrument, and observers add up until they end', async (t) => {
  const registry = new MetricRegistry();
  registry.counter('otelcol_exporter_sent_spans', { exporter: 'a' }).add(1);
  registry.counter('otelcol_exporter_sent_spans', { exporter: 'a' }).add(2);
  const ends = [1, 10].map((value) => registry.observe('otelcol_exporter_queue_size', { exporter: 'a' }, () => value));
  const value = (name: string) => registry.snapshot().find((family) => family.row.name === name)?.numbers[0]?.value;
  t.equal(value('otelcol_exporter_sent_spans'), 3);
  t.equal(value('otelcol_exporter_queue_size'), 11);
  for (const end of ends) end();
  t.equal(value('otelcol_exporter_queue_size'), undefined);
});

t.test('detailed metrics appear at level detailed only', async (t) => {
  const registry = new MetricRegistry();
  registry.histogram('otelcol_processor_batch_batch_send_size_bytes', { processor: 'batch' }).record(1);
  t.notMatch(prometheusText(registry.snapshot(), plain), 'send_size_bytes');
});

t.test('readers, the old address and level none decide where metrics are served', async (t) => {
  const readers = (metrics: object) => telemetrySettings(configOf(telemetrySchema, { metrics })).readers;
  t.same(readers({}), [{ host: 'localhost', port: 8888, typeSuffix: false }]);
  t.same(readers({ level: 'none' }), []);
  t.same(readers({ address: '127.0.0.1:9' }), [{ host: '127.0.0.1', port: 9, typeSuffix: false }]);
  const prometheus = { host: '0.0.0.0', port: 1, without_type_suffix: false };
  t.same(readers({ readers: [{ pull: { exporter: { prometheus } } }] }), [{ host: '0.0.0.0', port: 1, typeSuffix: true }]);
  const faults = checkTelemetry(configOf(telemetrySchema, { logs: { level: 'loud' }, metrics: { address: 'x' } }));
  t.same(
    faults.map((fault) => fault.path.join('.')),
    ['logs.level', 'metrics.address'],
  );
});

t.test('serves /metrics with the process and nothing else', async (t) => {
  const { arena } = componentRig('nop');
  const registry = new MetricRegistry();
  const settings = telemetrySettings(configOf(telemetrySchema, { metrics: { address: '127.0.0.1:0' }, resource: { zone: 'z' } }));
  const end = observeProcess(registry, arena);
  const server = await serveMetrics(registry, settings, { service_name: 'ringtail' }, new LogRecorder());
  const base = `http://${server.addresses[0]}`;
  const response = await fetch(`${base}/metrics`);
  const text = await response.text();
  t.match(response.headers.get('content-type'), /^text\/plain/);
  for (const name of [
    'otelcol_process_uptime',
    'otelcol_process_cpu_seconds',
    'otelcol_process_memory_rss',
    'ringtail_arena_capacity_bytes',
  ]) {
    t.match(text, new RegExp(`^${name} [0-9.e+]+$`, 'm'));
  }
  t.match(text, /^ringtail_event_loop_delay_seconds\{quantile="0.99"\}/m);
  t.match(text, 'target_info{service_name="ringtail",zone="z"} 1');
  t.equal((await fetch(`${base}/other`)).status, 404);
  await t.rejects(
    serveMetrics(
      registry,
      { ...settings, readers: [{ host: '127.0.0.1', port: Number(new URL(base).port), typeSuffix: false }] },
      {},
      new LogRecorder(),
    ),
    /cannot serve metrics/,
  );
  end();
  await server.close();
});
