/** Thirty real backends, one down for seconds, one flapping, one slow: what callers hear, what arrives, and that the counters tell the same. */

import { Buffer } from 'node:buffer';
import t, { type Test } from 'tap';
import { LoadBalancingExporter, loadBalancingExporterType } from '../../src/main/exporters/loadbalancing/load-balancing-exporter.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import {
  configOf,
  newRequest,
  numbersOf,
  type RigSettings,
  rigSettings,
  type Sink,
  spansTaken,
  startSink,
  until,
} from '../exporters/exporter-rig.ts';
import { decodeSpans } from '../support/otlp.ts';

const backendCount = 30;
const [down, flapping, slow] = [3, 11, 23] as const;
const downMs = 2_500;
const flapMs = 200;
const callers = 6;
const requestsEach = 15;
const tracesEach = 90;

/** Spans of every call that a backend saw, taken or not. */
interface Ledger {
  readonly sinks: readonly Sink[];
  readonly seenSpans: number[];
  refusedCalls: number;
}

async function startFleet(): Promise<Ledger> {
  const seenSpans = new Array<number>(backendCount).fill(0);
  const ledger: Ledger = { sinks: [], seenSpans, refusedCalls: 0 };
  const startMs = performance.now();
  const refuses = (index: number): boolean => {
    const ageMs = performance.now() - startMs;
    return (index === down && ageMs < downMs) || (index === flapping && ageMs < downMs && Math.floor(ageMs / flapMs) % 2 === 0);
  };
  const sinks = await Promise.all(
    Array.from({ length: backendCount }, (_, index) =>
      startSink(async (request) => {
        seenSpans[index]! += decodeSpans(request).length;
        if (index === slow) await new Promise((resolve) => setTimeout(resolve, 120));
        if (!refuses(index)) return 'ok';
        ledger.refusedCalls++;
        return { code: GrpcStatus.unavailable };
      }),
    ),
  );
  return Object.assign(ledger, { sinks });
}

function exporterFor(sinks: readonly Sink[], more: object): { exporter: LoadBalancingExporter; settings: RigSettings } {
  const settings = rigSettings();
  const config = configOf(loadBalancingExporterType.schema, {
    protocol: { otlp: { tls: { insecure: true }, compression: 'none' } },
    resolver: { static: { hostnames: sinks.map((sink) => sink.endpoint) } },
    ...more,
  });
  return { exporter: new LoadBalancingExporter(settings, config), settings };
}

interface CallerReport {
  readonly spanIds: string[];
  tries: number;
}

/** A client as the SDKs and Collectors are: repeats the same bytes while it is told that it may. */
async function call(exporter: LoadBalancingExporter, report: CallerReport): Promise<void> {
  for (let index = 0; index < requestsEach; index++) {
    const request = newRequest(tracesEach, 1);
    report.spanIds.push(...request.spanIds);
    for (;;) {
      report.tries++;
      const outcome = await exporter.consume({ ...request, bytes: Buffer.from(request.bytes) });
      if (outcome.kind === 'accepted') break;
      if (!outcome.retryable) throw new Error(outcome.message);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function checkLedger(t: Test, ledger: Ledger, settings: RigSettings, spanIds: readonly string[]): void {
  const taken = spansTaken(ledger.sinks);
  t.equal(taken.length, spanIds.length, 'nothing arrives twice');
  t.same(taken, [...spanIds].sort(), 'everything arrives');
  const egress = ledger.seenSpans.reduce((sum, count) => sum + count, 0) / spanIds.length;
  t.ok(egress <= 1.05, `egress / ingress ${egress.toFixed(3)}`);
  for (const [index, sink] of ledger.sinks.entries()) {
    if (index !== down && index !== flapping)
      t.equal(ledger.seenSpans[index], spansTaken([sink]).length, `backend ${index} is sent nothing twice`);
  }
  const outcomes = (success: string): number => {
    let sum = 0;
    for (const family of settings.metrics.snapshot()) {
      if (family.row.name !== 'otelcol_loadbalancer_backend_outcome') continue;
      for (const series of family.numbers) if (series.attributes.success === success) sum += series.value;
    }
    return sum;
  };
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_sent_spans'), spanIds.length);
  t.equal(outcomes('false'), ledger.refusedCalls);
  t.equal(
    outcomes('true'),
    ledger.sinks.reduce((sum, sink) => sum + sink.taken.length, 0),
  );
  t.equal(settings.arena.heldBytes(), 0);
}

t.test(
  'callers that repeat what they are refused: nothing twice at any backend, although a failing one outlasts the timeout many times',
  async (t) => {
    const ledger = await startFleet();
    const { exporter, settings } = exporterFor(ledger.sinks, { timeout: '400ms' });
    await exporter.start();
    const report: CallerReport = { spanIds: [], tries: 0 };
    await Promise.all(Array.from({ length: callers }, () => call(exporter, report)));
    t.ok(report.tries > callers * requestsEach + callers, `${report.tries} tries: callers were refused and came again`);
    t.ok(numbersOf(settings.metrics, 'ringtail_loadbalancer_repeated_spans') > 0);
    checkLedger(t, ledger, settings, report.spanIds);
    await exporter.stop();
    await Promise.all(ledger.sinks.map((sink) => sink.stop()));
  },
);

t.test('a queue in front with retries: callers are never refused, the failing backend delays its own slices alone', async (t) => {
  const ledger = await startFleet();
  const { exporter, settings } = exporterFor(ledger.sinks, {
    sending_queue: { num_consumers: 200 },
    retry_on_failure: { enabled: true, initial_interval: '100ms', max_interval: '500ms' },
  });
  await exporter.start();
  const report: CallerReport = { spanIds: [], tries: 0 };
  await Promise.all(Array.from({ length: callers }, () => call(exporter, report)));
  t.equal(report.tries, callers * requestsEach, 'none refused');
  await until(() => numbersOf(settings.metrics, 'otelcol_exporter_queue_size') === 0, 'the queue runs empty', 60_000);
  checkLedger(t, ledger, settings, report.spanIds);
  t.same(await exporter.drain(performance.now() + 5_000), { spansLost: 0 });
  await exporter.stop();
  await Promise.all(ledger.sinks.map((sink) => sink.stop()));
});
