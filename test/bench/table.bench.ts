/** Bench cases of a sampler's trace table: requests into the log, a shard's turn that takes, folds and decides them, with the seed's policies. */

import { createArena } from '../../src/main/arena/shared-arena.ts';
import { decode } from '../../src/main/config/fields.ts';
import type { ComponentSettings, Processor } from '../../src/main/pipeline/component.ts';
import { accepted } from '../../src/main/pipeline/consume-outcome.ts';
import { tailSamplingProcessorType } from '../../src/main/processors/tail-sampling/tail-sampling-processor.ts';
import { MetricRegistry } from '../../src/main/telemetry/registry.ts';
import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/sampler-rig.ts';
import type { BenchCase } from './run.ts';
import { RequestMaker } from './tier/bench-request.ts';

const grpcPrefixBytes = 5;
const requestsPerRun = 40;
const decisionWaitMs = 2_000;
const shape = { spansPerRequest: 510, spansPerTrace: 3, services: 5, fatAttributes: 0, gzip: false };
const seedPolicies = [
  { name: 'error', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
  { name: 'latency', type: 'latency', latency: { threshold_ms: 1000 } },
  { name: 'normal', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
];

interface State {
  readonly processor: Processor;
  readonly clock: ManualClock;
  readonly maker: RequestMaker;
  readonly place: Buffer;
}

/** The sampler on one thread under a clock of ours: nothing but the table, the folds and the framing. */
async function setup(): Promise<State> {
  const clock = new ManualClock();
  const decoded = decode(tailSamplingProcessorType.schema, {
    workers: 0,
    decision_wait: `${decisionWaitMs}ms`,
    num_traces: 200_000,
    policies: seedPolicies,
  });
  if (decoded.kind === 'faulty') throw new Error(JSON.stringify(decoded.faults));
  const settings: ComponentSettings = {
    id: { type: 'tail_sampling', name: '', text: 'tail_sampling' },
    logger: new RecordingLogger(),
    metrics: new MetricRegistry(),
    clock,
    prng: seededPrng(1),
    arena: createArena({ capacityBytes: 256 * 2 ** 20 }),
    version: '0.0.0',
    otelcolCompatibility: false,
    featureGates: new Set(),
    extension: () => undefined,
  };
  const processor = tailSamplingProcessorType.create(settings, decoded.config, { consume: async () => accepted });
  await processor.start();
  const maker = new RequestMaker(shape);
  return { processor, clock, maker, place: Buffer.alloc(maker.requestBytesMax) };
}

export const cases: readonly BenchCase<State>[] = [
  {
    name: 'table/take, fold and decide',
    spansPerRun: requestsPerRun * shape.spansPerRequest,
    setup,
    async run({ processor, clock, maker, place }) {
      for (let request = 0; request < requestsPerRun; request++) {
        const bytes = maker.next(place, clock.monotonicMs()).subarray(grpcPrefixBytes);
        const outcome = await processor.consume({ bytes, spanCount: shape.spansPerRequest });
        if (outcome.kind !== 'accepted') throw new Error(outcome.message);
      }
      await clock.advance(decisionWaitMs / 10);
    },
  },
  {
    name: 'table/stamping requests (part of the above)',
    spansPerRun: requestsPerRun * shape.spansPerRequest,
    setup,
    run({ maker, place }) {
      for (let request = 0; request < requestsPerRun; request++) maker.next(place, request);
    },
  },
  {
    name: 'table/protobufjs decode and Map',
    spansPerRun: requestsPerRun * shape.spansPerRequest,
    setup,
    run({ maker, place }) {
      const traces = new Map<string, object[]>();
      for (let request = 0; request < requestsPerRun; request++) {
        const bytes = maker.next(place, request).subarray(grpcPrefixBytes);
        // biome-ignore lint/suspicious/noExplicitAny: reflection gives no types.
        const message = exportTraceServiceRequest.decode(bytes) as any;
        for (const { scopeSpans } of message.resourceSpans)
          for (const { spans } of scopeSpans)
            for (const span of spans) {
              const id = Buffer.from(span.traceId).toString('hex');
              const held = traces.get(id);
              if (held === undefined) traces.set(id, [span]);
              else held.push(span);
            }
      }
    },
  },
];
