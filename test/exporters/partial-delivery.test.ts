/** A request that some backends took and others did not: what its repetition sends, how a failing backend is tried, what waits behind a queue. */

import { Buffer } from 'node:buffer';
import t from 'tap';
import type { EndpointSet } from '../../src/discovery/endpoint-set.ts';
import type { Placement } from '../../src/discovery/placement.ts';
import { LoadBalancingExporter, loadBalancingExporterType } from '../../src/main/exporters/loadbalancing/load-balancing-exporter.ts';
import { PartialDeliveries } from '../../src/main/exporters/loadbalancing/partial-deliveries.ts';
import { fileStorageExtensionType } from '../../src/main/extensions/file-storage.ts';
import { type ConsumeOutcome, GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { decodeSpans } from '../support/otlp.ts';
import { configOf, newRequest, numbersOf, rigSettings, type Sink, spansTaken, startSink, until } from './exporter-rig.ts';

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

/** A balancer whose members the test sets. */
async function fleet(more: object = {}, template: object = {}, settings = rigSettings()) {
  const config = configOf(loadBalancingExporterType.schema, {
    protocol: { otlp: { tls: { insecure: true }, compression: 'none', ...template } },
    resolver: { static: { hostnames: ['unused'] } },
    ...more,
  });
  let tell: (set: EndpointSet) => void = () => {};
  let version = 0;
  const exporter = new LoadBalancingExporter(settings, config, {
    createResolver: () => ({
      kind: 'static',
      ringNameOf: (endpoint) => endpoint,
      start: async (onChange) => void (tell = onChange),
      refresh: () => {},
      stop: async () => {},
    }),
  });
  await exporter.start();
  const setMembers = (sinks: readonly Sink[]) => tell({ version: ++version, endpoints: sinks.map((sink) => sink.endpoint).sort() });
  const end = async (sinks: readonly Sink[]) => {
    await exporter.drain(performance.now() + 2_000);
    await exporter.stop();
    await Promise.all(sinks.map((sink) => sink.stop()));
  };
  return { exporter, settings, setMembers, end };
}

const sinksOf = (count: number): Promise<Sink[]> => Promise.all(Array.from({ length: count }, () => startSink()));
const unavailable = { code: GrpcStatus.unavailable };
const again = { timeout: '150ms' };
const fastRetry = { retry_on_failure: { initial_interval: '10ms', max_interval: '10ms' } };

t.test('the repetition of a refused request goes only where it did not arrive', async (t) => {
  const sinks = await sinksOf(3);
  const { exporter, settings, setMembers, end } = await fleet(again, fastRetry);
  setMembers(sinks);
  sinks[0]!.answer = () => unavailable;
  const request = newRequest(60, 2);
  t.match(await exporter.consume(request), { kind: 'refused', retryable: true });
  t.match(await exporter.consume({ ...request, bytes: Buffer.from(request.bytes) }), { kind: 'refused', retryable: true }, 'and again');
  t.equal(sinks[1]!.calls + sinks[2]!.calls, 2);
  sinks[0]!.answer = () => 'ok';
  let outcome: ConsumeOutcome | undefined;
  for (let attempt = 0; attempt < 50 && outcome?.kind !== 'accepted'; attempt++) outcome = await exporter.consume(request);
  t.match(outcome, { kind: 'accepted' });
  t.same(spansTaken(sinks), [...request.spanIds].sort(), 'once each');
  t.ok(numbersOf(settings.metrics, 'ringtail_loadbalancer_repeated_spans') > 80);
  t.same(await exporter.consume(request), { kind: 'accepted' }, 'what was accepted whole is forgotten:');
  t.equal(spansTaken(sinks).length, 240, 'the same bytes then are a new request');
  await end(sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('the repetition finds the owners of the moment when the members have changed in between', async (t) => {
  const sinks = await sinksOf(5);
  const { exporter, settings, setMembers, end } = await fleet(again, fastRetry);
  setMembers(sinks.slice(0, 3));
  sinks[0]!.answer = () => unavailable;
  const request = newRequest(80, 1);
  t.match(await exporter.consume(request), { kind: 'refused', retryable: true });
  setMembers(sinks.slice(1));
  t.same(await exporter.consume(request), { kind: 'accepted' });
  t.same(spansTaken(sinks), [...request.spanIds].sort(), 'once each');
  t.ok(sinks[3]!.taken.length + sinks[4]!.taken.length > 0);
  await end(sinks);
  t.equal(settings.arena.heldBytes(), 0);
});

t.test('a part that is refused for good ends the matter: nothing is remembered', async (t) => {
  const sinks = await sinksOf(2);
  const { exporter, setMembers, end } = await fleet(again, fastRetry);
  setMembers(sinks);
  sinks[0]!.answer = () => ({ code: GrpcStatus.invalidArgument });
  const request = newRequest(40, 1);
  t.match(await exporter.consume(request), { kind: 'refused', retryable: false });
  t.match(await exporter.consume(request), { kind: 'refused', retryable: false });
  t.equal(sinks[1]!.calls, 2);
  await end(sinks);
});

t.test('a backend that fails is tried with one slice at a time, and gets all of it when it is back', async (t) => {
  const sink = await startSink(() => unavailable);
  const { exporter, setMembers, end } = await fleet(
    { timeout: '20s' },
    { retry_on_failure: { initial_interval: '30ms', max_interval: '30ms' } },
  );
  setMembers([sink]);
  const spansOfCalls: number[] = [];
  let failing = true;
  sink.answer = (request) => {
    spansOfCalls.push(decodeSpans(request).length);
    return failing ? unavailable : 'ok';
  };
  const outcomes = [exporter.consume(newRequest(1, 1))];
  await until(() => spansOfCalls.length === 1, 'the first call');
  for (let index = 0; index < 20; index++) outcomes.push(exporter.consume(newRequest(1, 1)));
  await until(() => spansOfCalls.length >= 4, 'a few tries');
  t.ok(
    spansOfCalls.every((count) => count === 1),
    spansOfCalls.join(),
  );
  failing = false;
  t.ok((await Promise.all(outcomes)).every((outcome) => outcome.kind === 'accepted'));
  t.equal(spansTaken([sink]).length, 21);
  t.ok(spansOfCalls.length <= 4 + 4, `${spansOfCalls.length} calls in all`);
  await end([sink]);
});

t.test('what a paused backend could only get after its deadline is refused at once, with the delay', async (t) => {
  const sinks = await sinksOf(2);
  const { exporter, setMembers, end } = await fleet({ timeout: '5s' });
  setMembers(sinks);
  sinks[0]!.answer = () => ({ code: GrpcStatus.resourceExhausted, retryAfterMs: 60_000 });
  const startMs = performance.now();
  const request = newRequest(40, 1);
  const first = await exporter.consume(request);
  t.match(first, { kind: 'refused', retryable: true, retryAfterMs: 60_000 });
  const second = await exporter.consume(newRequest(40, 1));
  t.match(second, { kind: 'refused', retryable: true, code: GrpcStatus.resourceExhausted });
  t.ok(second.kind === 'refused' && second.retryAfterMs! > 50_000 && second.retryAfterMs! <= 60_000);
  t.ok(performance.now() - startMs < 4_000, 'nobody waited for the timeout');
  t.equal(sinks[0]!.calls, 1);
  t.equal(sinks[1]!.calls, 2, 'the other backend has its parts');
  await end(sinks);
});

t.test('with retries switched off a failed call costs its own slices, and what waits behind it is still tried', async (t) => {
  const gate = Promise.withResolvers<void>();
  const sink = await startSink(async (_request, call) => {
    if (call > 1) return 'ok';
    await gate.promise;
    return unavailable;
  });
  const { exporter, setMembers, end } = await fleet({}, { retry_on_failure: { enabled: false } });
  setMembers([sink]);
  const first = exporter.consume(newRequest(1, 1));
  await until(() => sink.calls === 1, 'the first call');
  const second = exporter.consume(newRequest(1, 1));
  await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  t.match(await first, { kind: 'refused', retryable: true });
  t.same(await second, { kind: 'accepted' });
  await end([sink]);
});

t.test('behind a queue requests wait for the first backends instead of being dropped, in a persistent one over a restart', async (t) => {
  const directory = t.testdir();
  const start = async () => {
    const storage = fileStorageExtensionType.create(rigSettings(), configOf(fileStorageExtensionType.schema, { directory }));
    await storage.start();
    const settings = rigSettings({ extensions: { file_storage: storage } });
    const queue = { sending_queue: { storage: 'file_storage' }, retry_on_failure: { enabled: true } };
    return { ...(await fleet(queue, {}, settings)), storage };
  };
  const requests = Array.from({ length: 5 }, () => newRequest(10, 1));
  const first = await start();
  for (const request of requests) t.same(await first.exporter.consume(request), { kind: 'accepted' });
  t.same(await first.exporter.drain(performance.now() + 2_000), { spansLost: 0 });
  await first.exporter.stop();
  await first.storage.stop();
  const second = await start();
  const sinks = await sinksOf(2);
  second.setMembers(sinks);
  await until(() => spansTaken(sinks).length >= 50, 'everything');
  t.same(spansTaken(sinks), requests.flatMap((request) => request.spanIds).sort());
  await second.end(sinks);
  await second.storage.stop();
});

t.test('deliveries are remembered for a time, by content, and not without bound', async (t) => {
  const clock = new ManualClock();
  const deliveries = new PartialDeliveries(clock);
  const placement = { endpoints: [] } as unknown as Placement;
  const delivery = (owner: number) => ({ placement, undelivered: new Set([owner]) });
  const bytesOf = (index: number) => Buffer.from(`request ${index}`);
  deliveries.remember(bytesOf(1), delivery(1));
  t.equal(deliveries.recall(bytesOf(2)), undefined);
  t.match(deliveries.recall(bytesOf(1)), delivery(1));
  t.equal(deliveries.recall(bytesOf(1)), undefined, 'taken once');
  deliveries.remember(bytesOf(1), delivery(1));
  await clock.advance(299_000);
  deliveries.remember(bytesOf(2), delivery(2));
  await clock.advance(2_000);
  t.equal(deliveries.recall(bytesOf(1)), undefined, 'too old');
  t.match(deliveries.recall(bytesOf(2)), delivery(2));
  for (let index = 0; index <= 10_000; index++) deliveries.remember(bytesOf(index), delivery(index));
  t.equal(deliveries.recall(bytesOf(0)), undefined, 'one too many');
  t.match(deliveries.recall(bytesOf(1)), delivery(1));
});
