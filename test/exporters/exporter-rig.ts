/** What exporter tests share: settings over a small arena, and sinks that are real gRPC servers with a ledger. */

import { Buffer } from 'node:buffer';
import {
  type ServerCredentials as Credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { createArena } from '../../src/main/arena/shared-arena.ts';
import { decode, type FieldSchema } from '../../src/main/config/fields.ts';
import type { ComponentSettings, Extension } from '../../src/main/pipeline/component.ts';
import type { Logger } from '../../src/main/telemetry/logger.ts';
import { MetricRegistry } from '../../src/main/telemetry/registry.ts';
import { encodeRpcStatus } from '../../src/main/transport/rpc-status.ts';
import { type Clock, systemClock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { decodeSpans, hex, requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function recordingLogger(lines: LogLine[] = []): Logger {
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => logger };
  return logger;
}

export interface RigSettings extends ComponentSettings {
  readonly metrics: MetricRegistry;
  readonly lines: LogLine[];
}

export function rigSettings(
  options: { clock?: Clock; arenaBytes?: number; extensions?: Record<string, Extension>; id?: string } = {},
): RigSettings {
  const lines: LogLine[] = [];
  const id = options.id ?? 'load_balancing';
  return {
    id: { type: id.split('/')[0]!, name: id.split('/')[1] ?? '', text: id },
    logger: recordingLogger(lines),
    lines,
    metrics: new MetricRegistry(),
    clock: options.clock ?? systemClock,
    prng: seededPrng(7),
    arena: createArena({ capacityBytes: options.arenaBytes ?? 64 * 1024 * 1024 }),
    version: '0.0.0-test',
    otelcolCompatibility: false,
    featureGates: new Set(),
    extension: (name) => options.extensions?.[name],
  };
}

/** Decodes a configuration as the loader would; throws when it is faulty. */
export function configOf<Config>(schema: FieldSchema<Config>, raw: unknown): Config {
  const outcome = decode(schema, raw);
  if (outcome.kind === 'faulty') throw new Error(JSON.stringify(outcome.faults));
  return outcome.config;
}

/** `name{label=value,…}` of every number in the registry whose name contains `part`. */
export function numbersOf(metrics: MetricRegistry, name: string): number {
  let sum = 0;
  for (const family of metrics.snapshot()) if (family.row.name === name) for (const series of family.numbers) sum += series.value;
  return sum;
}

export type Answer =
  | { readonly code: number; readonly message?: string; readonly retryAfterMs?: number }
  | { readonly response: Uint8Array }
  | 'ok'
  | 'never';

export interface Sink {
  readonly endpoint: string;
  readonly port: number;
  /** One copy of each request that was answered with ok. */
  readonly taken: Buffer[];
  calls: number;
  headers: Metadata | undefined;
  answer: (request: Buffer, call: number) => Answer | Promise<Answer>;
  stop(): Promise<void>;
}

const identity = (bytes: Buffer): Buffer => bytes;
const service = {
  Export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
};

/** A real gRPC server by grpc-js. `port` 0 chooses one. */
export async function startSink(
  answer: Sink['answer'] = () => 'ok',
  port = 0,
  credentials: Credentials = ServerCredentials.createInsecure(),
  address = '127.0.0.1',
): Promise<Sink> {
  const server = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024 });
  const sink: { -readonly [Key in keyof Sink]: Sink[Key] } = {
    endpoint: '',
    port: 0,
    taken: [],
    calls: 0,
    headers: undefined,
    answer,
    stop: async () => {
      server.forceShutdown();
    },
  };
  const handle = async (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): Promise<void> => {
    const request = Buffer.from(call.request);
    sink.headers = call.metadata;
    const given = await sink.answer(request, ++sink.calls);
    if (given === 'never') return;
    if (given === 'ok' || 'response' in given) {
      sink.taken.push(request);
      reply(null, given === 'ok' ? Buffer.alloc(0) : Buffer.from(given.response));
      return;
    }
    const metadata = new Metadata();
    const { code, message = 'scripted', retryAfterMs } = given;
    if (retryAfterMs !== undefined) metadata.add('grpc-status-details-bin', encodeRpcStatus({ code, message, retryAfterMs }));
    reply({ code, details: message, metadata } as never);
  };
  server.addService(service as never, { Export: handle } as never);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address.startsWith('unix:') ? address : `${address}:${port}`, credentials, (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
  });
  sink.port = bound;
  sink.endpoint = address.startsWith('unix:') ? address : `${address}:${bound}`;
  return sink;
}

/** Span ids (16 hex digits) of everything the sinks have taken, with repetitions. */
export function spansTaken(sinks: readonly Sink[]): string[] {
  return sinks
    .flatMap((sink) =>
      sink.taken.flatMap((request) => decodeSpans(request).map((span) => Buffer.from(String(span.span.spanId), 'base64').toString('hex'))),
    )
    .sort();
}

let spanIndex = 0;

/** A request of `traces` × `spansEach` spans, all ids new. */
export function newRequest(
  traces: number,
  spansEach: number,
  pad = 0,
): { readonly bytes: Uint8Array; readonly spanCount: number; readonly spanIds: readonly string[] } {
  const spanIds: string[] = [];
  const spans = [];
  for (let trace = 0; trace < traces; trace++) {
    const traceId = traceIdOf(++spanIndex);
    for (let span = 0; span < spansEach; span++) {
      const spanId = spanIdOf(++spanIndex);
      spanIds.push(hex(spanId));
      spans.push({ traceId, spanId, name: 'x'.repeat(pad + 1) });
    }
  }
  return { bytes: requestBytes({ 'service.name': 'rig' }, { spans } as never), spanCount: spans.length, spanIds };
}

/** Waits until `condition` holds; fails after a generous time. */
export async function until(condition: () => boolean, what: string, limitMs = 15_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs;
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise<void>((resolve) => setTimeout(resolve, 5));
  }
}
