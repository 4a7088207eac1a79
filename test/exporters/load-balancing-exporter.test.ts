/** The load balancer over real sockets: who gets what, what a bad backend costs, and that nothing is lost or doubled. */

import t from 'tap';
import type { EndpointSet } from '../../src/discovery/endpoint-set.ts';
import { LoadBalancingExporter, loadBalancingExporterType } from '../../src/main/exporters/loadbalancing/load-balancing-exporter.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { decodeSpans } from '../support/otlp.ts';
import { configOf, newRequest, numbersOf, rigSettings, type Sink, spansTaken, startSink, until } from './exporter-rig.ts';

const template = { tls: { insecure: true }, compression: 'none' };

function exporterFor(sinks: readonly Sink[], more: object = {}, protocol: object = {}) {
  const settings = rigSettings();
  const raw = {
    protocol: { otlp: { ...template, ...protocol } },
    resolver: { static: { hostnames: sinks.map((sink) => sink.endpoint) } },
    ...more,
  };
  const config = configOf(loadBalancingExporterType.schema, raw);
  t.same(loadBalancingExporterType.check?.(config, settings.id) ?? [], []);
  return { settings, exporter: new LoadBalancingExporter(settings, config) };
}

/** A fleet whose members the test sets. */
function changingFleet(more: object = {}, protocol: object = {}) {
  const settings = rigSettings();
  const config = configOf(loadBalancingExporterType.schema, {
    protocol: { otlp: { ...template, ...protocol } },
    resolver: { static: { hostnames: ['unused'] } },
    ...more,
  });
  let tell: (set: EndpointSet) => void = () => {};
  let version = 0;
  let refreshes = 0;
  const exporter = new LoadBalancingExporter(settings, config, {
    createResolver: () => ({
      kind: 'static',
      ringNameOf: (endpoint) => endpoint,
      start: async (onChange) => void (tell = onChange),
      refresh: () => void refreshes++,
      stop: async () => {},
    }),
  });
  const setMembers = (sinks: readonly { endpoint: string }[]) =>
    tell({ version: ++version, endpoints: sinks.map((sink) => sink.endpoint).sort() });
  return { settings, exporter, setMembers, refreshes: () => refreshes };
}

async function endAll(exporter: LoadBalancingExporter, sinks: readonly Sink[]): Promise<void> {
  await exporter.drain(performance.now() + 5_000);
  await exporter.stop();
  await Promise.all(sinks.map((sink) => sink.stop()));
}

const sinksOf = (count: number): Promise<Sink[]> => Promise.all(Array.from({ length: count }, () => startSink()));

t.test('every span arrives once, and all spans of a trace at one backend', async (t) => {
  const sinks = await sinksOf(3);
  const { exporter, settings } = exporterFor(sinks);
  await exporter.start();
  t.equal(exporter.ready(), true);
  const requests = Array.from({ length: 20 }, () => newRequest(30, 4));
  const outcomes = await Promise.all(requests.map((request) => exporter.consume(request)));
  t.ok(outcomes.every((outcome) => outcome.kind === 'accepted'));
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  const placeOf = new Map<string, number>();
  sinks.forEach((sink, index) => {
    for (const request of sink.taken) {
      for (const span of decodeSpans(request)) {
        t.equal(placeOf.get(span.traceId) ?? index, index, 'a trace lies at one sink');
        placeOf.set(span.traceId, index);
      }
    }
    t.ok(sink.taken.length > 0);
  });
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_sent_spans'), 20 * 120);
  await endAll(exporter, sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('requests that come while a call is under way share the next call', async (t) => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const sink = await startSink(async () => {
    await gate;
    return 'ok' as const;
  });
  const { exporter } = exporterFor([sink]);
  await exporter.start();
  const first = newRequest(1, 1);
  const sent = [exporter.consume(first)];
  await until(() => sink.calls === 1, 'the first call');
  const rest = Array.from({ length: 50 }, () => newRequest(2, 2));
  for (const request of rest) sent.push(exporter.consume(request));
  open();
  t.ok((await Promise.all(sent)).every((outcome) => outcome.kind === 'accepted'));
  t.equal(sink.calls, 2);
  t.same(spansTaken([sink]), [first, ...rest].flatMap((request) => request.spanIds).sort());
  await endAll(exporter, [sink]);
});

t.test('a backend that refuses for good costs only its own slices, and neighbours in the same call are not lost', async (t) => {
  const poison = newRequest(1, 1);
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const sink = await startSink(async (request, call) => {
    if (call === 1) await gate;
    return decodeSpans(request).some((span) => Buffer.from(String(span.span.spanId), 'base64').toString('hex') === poison.spanIds[0])
      ? { code: GrpcStatus.invalidArgument, message: 'poison' }
      : 'ok';
  });
  const { exporter } = exporterFor([sink]);
  await exporter.start();
  const first = exporter.consume(newRequest(1, 1));
  await until(() => sink.calls === 1, 'the first call');
  const good = [newRequest(3, 1), newRequest(3, 1)];
  const outcomes = [exporter.consume(good[0]!), exporter.consume(poison), exporter.consume(good[1]!)];
  open();
  await first;
  const [left, middle, right] = await Promise.all(outcomes);
  t.equal(left!.kind, 'accepted');
  t.same(middle, { kind: 'refused', retryable: false, code: GrpcStatus.invalidArgument, message: 'poison' });
  t.equal(right!.kind, 'accepted');
  t.equal(spansTaken([sink]).length, 7);
  await endAll(exporter, [sink]);
});

t.test('a failing backend gets its own slices again, the healthy ones get nothing twice', async (t) => {
  const sinks = await sinksOf(3);
  sinks[1]!.answer = (_request, call) => (call <= 3 ? { code: GrpcStatus.unavailable } : 'ok');
  const { exporter, settings } = exporterFor(sinks, {}, { retry_on_failure: { initial_interval: '10ms', max_interval: '20ms' } });
  await exporter.start();
  const requests = Array.from({ length: 10 }, () => newRequest(30, 2));
  for (const request of requests) t.equal((await exporter.consume(request)).kind, 'accepted');
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  t.ok(numbersOf(settings.metrics, 'ringtail_loadbalancer_retried_spans') > 0);
  await endAll(exporter, sinks);
});

t.test('a backend that stays away makes the caller hear one refusal that may be retried, within the timeout', async (t) => {
  const sinks = await sinksOf(2);
  const gone = await startSink();
  await gone.stop();
  const { exporter, settings } = exporterFor([...sinks, gone], { timeout: '300ms' });
  await exporter.start();
  const outcome = await exporter.consume(newRequest(60, 1));
  t.match(outcome, { kind: 'refused', retryable: true, code: GrpcStatus.unavailable });
  t.ok(spansTaken(sinks).length > 20 && spansTaken(sinks).length < 60);
  await endAll(exporter, sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('while no backend is known, requests are refused for now with a delay', async (t) => {
  const { exporter } = changingFleet();
  await exporter.start();
  t.equal(exporter.ready(), false);
  t.match(await exporter.consume(newRequest(1, 1)), { kind: 'refused', retryable: true, code: GrpcStatus.unavailable, retryAfterMs: 1000 });
  await endAll(exporter, []);
});

t.test('after a change of members unsent slices go to the owners of the moment, none twice', async (t) => {
  const sinks = await sinksOf(4);
  const { exporter, setMembers, settings, refreshes } = changingFleet({ timeout: '20s' });
  const gone = await startSink();
  await gone.stop();
  await exporter.start();
  setMembers([sinks[0]!, gone]);
  const requests = Array.from({ length: 10 }, () => newRequest(40, 2));
  const outcomes = Promise.all(requests.map((request) => exporter.consume(request)));
  await until(() => refreshes() > 0, 'the resolver is asked again after a failed call');
  setMembers(sinks);
  t.ok((await outcomes).every((outcome) => outcome.kind === 'accepted'));
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  t.ok(numbersOf(settings.metrics, 'ringtail_loadbalancer_rerouted_spans') > 0);
  await endAll(exporter, sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('a removed backend finishes the call in flight', async (t) => {
  const sinks = await sinksOf(2);
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  sinks[0]!.answer = async () => {
    await gate;
    return 'ok' as const;
  };
  const { exporter, setMembers } = changingFleet();
  await exporter.start();
  setMembers([sinks[0]!]);
  const request = newRequest(5, 1);
  const outcome = exporter.consume(request);
  await until(() => sinks[0]!.calls === 1, 'the call');
  setMembers([sinks[1]!]);
  open();
  t.equal((await outcome).kind, 'accepted');
  t.same(spansTaken(sinks), [...request.spanIds].sort());
  t.equal(sinks[1]!.calls, 0);
  await endAll(exporter, sinks);
});

t.test('under a backend that flaps and one that is gone, the ledger balances and the healthy ones get nothing twice', async (t) => {
  const sinks = await sinksOf(6);
  const gone = await startSink();
  await gone.stop();
  sinks[0]!.answer = (_request, call) => (call % 3 === 0 ? { code: GrpcStatus.unavailable, retryAfterMs: 5 } : 'ok');
  const { exporter, setMembers, settings } = changingFleet({
    timeout: '15s',
    retry_on_failure: { enabled: true, initial_interval: '10ms', max_interval: '50ms' },
  });
  await exporter.start();
  setMembers([...sinks, gone]);
  const requests = Array.from({ length: 60 }, () => newRequest(25, 2));
  const outcomes: Promise<unknown>[] = [];
  for (const [index, request] of requests.entries()) {
    outcomes.push(exporter.consume(request).then((outcome) => t.equal(outcome.kind, 'accepted')));
    if (index % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 10));
    if (index === 40) setMembers(sinks);
  }
  await Promise.all(outcomes);
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_sent_spans'), 60 * 50);
  await endAll(exporter, sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('a child queue acknowledges at once, keeps its own bytes, and drains before the end', async (t) => {
  const sinks = await sinksOf(2);
  const { exporter } = exporterFor(sinks, {}, { sending_queue: { queue_size: 1000 } });
  await exporter.start();
  const requests = Array.from({ length: 10 }, () => newRequest(10, 2));
  for (const request of requests) {
    t.equal((await exporter.consume(request)).kind, 'accepted');
    request.bytes.fill(0);
  }
  t.same(await exporter.drain(performance.now() + 10_000), { spansLost: 0 });
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  await endAll(exporter, sinks);
});

t.test('a front queue acknowledges at once and retries behind it', async (t) => {
  const sinks = await sinksOf(2);
  sinks[0]!.answer = (_request, call) => (call === 1 ? { code: GrpcStatus.unavailable } : 'ok');
  const { exporter } = exporterFor(sinks, { sending_queue: null, retry_on_failure: { enabled: true, initial_interval: '5ms' } });
  await exporter.start();
  const requests = Array.from({ length: 5 }, () => newRequest(20, 1));
  for (const request of requests) t.equal((await exporter.consume(request)).kind, 'accepted');
  await until(() => spansTaken(sinks).length >= 100, 'all spans');
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  await endAll(exporter, sinks);
});

t.test('configurations that cannot work are refused in the Collector’s words', async (t) => {
  const faultsOf = (raw: object) => {
    const config = configOf(loadBalancingExporterType.schema, raw);
    return loadBalancingExporterType.check!(config, { type: 'load_balancing', name: '', text: 'load_balancing' }).map(
      (fault) => fault.message,
    );
  };
  const resolver = { static: { hostnames: ['a'] } };
  t.same(faultsOf({}), ['no resolvers specified for the exporter']);
  t.same(faultsOf({ resolver: { dns: null } }), ['no resolvers specified for the exporter']);
  t.same(faultsOf({ resolver: { static: { hostnames: [] } } }), ['no endpoints specified for the static resolver']);
  t.same(faultsOf({ resolver, routing_key: 'attributes' }), ['routing_attributes must be specified when routing_key is "attributes"']);
  t.match(faultsOf({ resolver, routing_key: 'zz' }), ['cannot configure loadbalancing traces exporter: unsupported routing_key: zz']);
  t.match(faultsOf({ resolver: { k8s: { service: 'a.b.c' } } }), [/expected third DNS label to be 'svc' in "a.b.c"/]);
  t.same(faultsOf({ resolver }), []);
});
