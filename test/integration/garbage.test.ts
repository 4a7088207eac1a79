/** Neither tier makes heap objects per span: what a request allocates does not depend on how many spans it has. One thread, whole pipelines. */

import { getHeapStatistics } from 'node:v8';
import t from 'tap';
import { LoadBalancingExporter, loadBalancingExporterType } from '../../src/main/exporters/loadbalancing/load-balancing-exporter.ts';
import type { GrpcUnaryClient } from '../../src/main/exporters/otlp-grpc/grpc-unary-client.ts';
import type { TracesConsumer } from '../../src/main/pipeline/component.ts';
import { accepted } from '../../src/main/pipeline/consume-outcome.ts';
import { tailSamplingProcessorType } from '../../src/main/processors/tail-sampling/tail-sampling-processor.ts';
import { Intake } from '../../src/main/receivers/otlp/intake.ts';
import { RequestMaker } from '../bench/tier/bench-request.ts';
import { componentRig, configOf } from '../support/component-rig.ts';
import { ManualClock } from '../support/manual-clock.ts';

const grpcPrefixBytes = 5;
const requestsPerRound = 100;
const warmRounds = 8;
const rounds = 5;
/** Both have traces for every backend. */
const [fewSpans, manySpans] = [150, 1500];
/** V8's smallest object has 12 bytes; what is left is per output block, and noise of the compiler. */
const bytesPerSpanMax = 4;

const allocatedBytes = (): number => (getHeapStatistics() as unknown as { readonly total_allocated_bytes: number }).total_allocated_bytes;

/** Bytes of heap that one request costs, the median of several rounds. Optimised code allocates less, so the first rounds do not count. */
async function bytesPerRequest(intake: Intake, spansPerRequest: number, afterRound: () => Promise<void>): Promise<number> {
  const shape = { spansPerRequest, spansPerTrace: 15, services: 5, fatAttributes: 0, gzip: false };
  const maker = new RequestMaker(shape);
  const places = Array.from({ length: shape.services }, () => Buffer.alloc(maker.requestBytesMax) as Buffer);
  const chunks = places.map((place) => [place.subarray(0, 0)]);
  const costs: number[] = [];
  for (let round = 0; round < warmRounds + rounds; round++) {
    // Fresh trace ids, so that nothing is late.
    for (const [service, place] of places.entries()) chunks[service]![0] = maker.next(place, round).subarray(grpcPrefixBytes);
    const before = allocatedBytes();
    for (let request = 0; request < requestsPerRound; request++) {
      const message = chunks[request % shape.services]!;
      const outcome = await intake.export(message, message[0]!.length, undefined);
      if (outcome.kind !== 'accepted') throw new Error(outcome.message);
    }
    await afterRound();
    if (round >= warmRounds) costs.push((allocatedBytes() - before) / requestsPerRound);
  }
  return costs.sort((a, b) => a - b)[rounds >> 1]!;
}

async function bytesPerSpan(intake: Intake, afterRound: () => Promise<void>): Promise<{ few: number; many: number; perSpan: number }> {
  // Many first: what is compiled and grown by then is not booked to either.
  await bytesPerRequest(intake, manySpans, afterRound);
  const few = await bytesPerRequest(intake, fewSpans, afterRound);
  const many = await bytesPerRequest(intake, manySpans, afterRound);
  return { few, many, perSpan: (many - few) / (manySpans - fewSpans) };
}

/** Answers every call in the next turn. */
function instantClient(): GrpcUnaryClient {
  const ok = { status: 0, message: '' };
  return {
    export: () => new Promise((resolve) => setImmediate(resolve, ok)),
    ready: () => true,
    connect() {},
    async close() {},
  };
}

t.test('a router allocates per request and not per span', async (t) => {
  const rig = componentRig('loadbalancing', { arenaMib: 64 });
  const config = configOf(loadBalancingExporterType.schema, {
    protocol: { otlp: { tls: { insecure: true }, sending_queue: { enabled: false } } },
    resolver: { static: { hostnames: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'] } },
  });
  const exporter = new LoadBalancingExporter(rig.settings, config, { createClient: instantClient });
  await exporter.start();
  t.teardown(() => exporter.stop());
  const { few, many, perSpan } = await bytesPerSpan(new Intake(rig.settings, exporter, 'grpc'), async () => {});
  t.ok(few > 0, 'requests themselves cost something, so the measure works');
  t.ok(
    perSpan < bytesPerSpanMax,
    `${perSpan.toFixed(3)} bytes a span: ${Math.round(few)} a request of ${fewSpans}, ${Math.round(many)} of ${manySpans}`,
  );
});

t.test('a sampler allocates per request and not per span', async (t) => {
  const clock = new ManualClock();
  const rig = componentRig('tail_sampling', { clock, arenaMib: 1024 });
  const config = configOf(tailSamplingProcessorType.schema, {
    workers: 0,
    decision_wait: '1s',
    policies: [
      { name: 'error', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
      { name: 'latency', type: 'latency', latency: { threshold_ms: 1000 } },
      { name: 'normal', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
    ],
  });
  let sampledSpans = 0;
  const sink: TracesConsumer = {
    async consume({ spanCount }) {
      sampledSpans += spanCount;
      return accepted;
    },
  };
  const processor = tailSamplingProcessorType.create(rig.settings, config, sink);
  await processor.start();
  t.teardown(() => processor.stop());
  // The round's traces come due and are judged, framed and handed on before the next round.
  const { few, many, perSpan } = await bytesPerSpan(new Intake(rig.settings, processor, 'grpc'), () => clock.advance(1_500));
  t.ok(sampledSpans > 0, 'traces were sampled');
  t.ok(
    perSpan < bytesPerSpanMax,
    `${perSpan.toFixed(3)} bytes a span: ${Math.round(few)} a request of ${fewSpans}, ${Math.round(many)} of ${manySpans}`,
  );
});
