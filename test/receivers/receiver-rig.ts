/** A receiver with everything around it: arena, settings with recorded metrics, a consumer that can be told what to answer. */

import { createArena } from '../../src/main/arena/shared-arena.ts';
import { decode } from '../../src/main/config/fields.ts';
import type { ComponentSettings, Extension, RequestMetadata, TracesPayload } from '../../src/main/pipeline/component.ts';
import { accepted, type ConsumeOutcome } from '../../src/main/pipeline/consume-outcome.ts';
import { checkOtlpReceiver, type OtlpReceiverConfig, otlpReceiverSchema } from '../../src/main/receivers/otlp/config.ts';
import { grpcJsServer } from '../../src/main/receivers/otlp/grpc-js-server.ts';
import type { GrpcServerFactory } from '../../src/main/receivers/otlp/grpc-server.ts';
import { http2GrpcServer } from '../../src/main/receivers/otlp/http2-server.ts';
import { OtlpReceiver } from '../../src/main/receivers/otlp/otlp-receiver.ts';
import type { Logger } from '../../src/main/telemetry/logger.ts';
import type { Metrics } from '../../src/main/telemetry/metrics.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';

export const grpcServers: Readonly<Record<string, GrpcServerFactory>> = { http2: http2GrpcServer, 'grpc-js': grpcJsServer };

export interface SeenRequest {
  readonly bytes: Buffer;
  readonly spanCount: number;
  readonly metadata: RequestMetadata | undefined;
}

export interface ReceiverRig {
  readonly receiver: OtlpReceiver;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly seen: SeenRequest[];
  readonly settings: ComponentSettings;
  /** What the pipeline answers; may be changed at any time. */
  answer: (payload: TracesPayload) => ConsumeOutcome | Promise<ConsumeOutcome>;
  /** Sum of a counter over the attribute sets that contain `attributes`. */
  counted(name: string, attributes?: Readonly<Record<string, string>>): number;
}

export interface RigOptions {
  readonly grpcServer?: GrpcServerFactory;
  readonly arenaBytes?: number;
  readonly otelcolCompatibility?: boolean;
  readonly featureGates?: readonly string[];
  readonly extensions?: Readonly<Record<string, Extension>>;
}

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export function testSettings(options: RigOptions = {}): { settings: ComponentSettings; counters: Map<string, number> } {
  const counters = new Map<string, number>();
  const metrics: Metrics = {
    counter(name, attributes = {}) {
      const key = JSON.stringify([name, attributes]);
      return { add: (value) => counters.set(key, (counters.get(key) ?? 0) + value) };
    },
    gauge: () => ({ set() {} }),
    histogram: () => ({ record() {}, merge() {} }),
    observe: () => () => {},
  };
  const settings: ComponentSettings = {
    id: { type: 'otlp', name: '', text: 'otlp' },
    logger: quiet,
    metrics,
    clock: systemClock,
    prng: seededPrng(1),
    arena: createArena({ capacityBytes: options.arenaBytes ?? 64 << 20 }),
    version: '0.0.0',
    otelcolCompatibility: options.otelcolCompatibility ?? false,
    featureGates: new Set(options.featureGates),
    extension: (id) => options.extensions?.[id],
  };
  return { settings, counters };
}

/** Reads a configuration as the process would; any fault is an error of the test. */
export function receiverConfig(raw: unknown): OtlpReceiverConfig {
  const outcome = decode(otlpReceiverSchema, raw);
  if (outcome.kind === 'faulty') throw new Error(JSON.stringify(outcome.faults));
  const errors = checkOtlpReceiver(outcome.config).filter((fault) => fault.severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return outcome.config;
}

const loopback = { endpoint: '127.0.0.1:0' };

/** Shape: `grpc` and `http` are blocks of the configuration, on loopback with a port of the system's choice unless they say otherwise. */
export async function startReceiver(
  protocols: { readonly grpc?: object | undefined; readonly http?: object | undefined },
  options: RigOptions = {},
): Promise<ReceiverRig> {
  const { settings, counters } = testSettings(options);
  const blocks = Object.entries(protocols).filter(([, block]) => block !== undefined);
  const config = receiverConfig({ protocols: Object.fromEntries(blocks.map(([name, block]) => [name, { ...loopback, ...block }])) });
  const seen: SeenRequest[] = [];
  const consumer = {
    async consume(payload: TracesPayload): Promise<ConsumeOutcome> {
      seen.push({ bytes: Buffer.from(payload.bytes), spanCount: payload.spanCount, metadata: payload.metadata });
      return rig.answer(payload);
    },
  };
  const receiver = new OtlpReceiver(settings, config, consumer, options.grpcServer ?? http2GrpcServer);
  const rig: { -readonly [Key in keyof ReceiverRig]: ReceiverRig[Key] } = {
    receiver,
    grpcPort: 0,
    httpPort: 0,
    seen,
    settings,
    answer: () => accepted,
    counted(name, attributes = {}) {
      let sum = 0;
      for (const [key, value] of counters) {
        const [counter, bound] = JSON.parse(key) as [string, Record<string, string>];
        if (counter === name && Object.entries(attributes).every(([label, text]) => bound[label] === text)) sum += value;
      }
      return sum;
    },
  };
  await receiver.start();
  rig.grpcPort = receiver.address('grpc')?.port ?? 0;
  rig.httpPort = receiver.address('http')?.port ?? 0;
  return rig;
}

/** Waits for a condition; what it was waiting for stands in the error. */
export async function until(what: string, condition: () => boolean, limitMs = 10_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs;
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
