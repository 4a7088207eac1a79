/** The demo's sink: takes OTLP, remembers which spans of which traces came, and tells the demo over the process's channel. A process of its own. */

import { Buffer } from 'node:buffer';
import { flushCompileCache } from 'node:module';
import { systemClock } from '../../shared/clock.ts';
import { exportTraceServiceRequest } from '../../shared/otlp/messages.ts';
import { systemPrng } from '../../shared/prng.ts';
import { createArena } from '../arena/shared-arena.ts';
import type { TracesConsumer } from '../pipeline/component.ts';
import { accepted } from '../pipeline/consume-outcome.ts';
import { otlpReceiverSchema } from '../receivers/otlp/config.ts';
import { OtlpReceiver } from '../receivers/otlp/otlp-receiver.ts';
import { createPinoLogger, defaultLoggerSettings } from '../telemetry/pino-logger.ts';
import { MetricRegistry } from '../telemetry/registry.ts';
import type { SinkMessage, SinkQuestion } from './sink-messages.ts';

const arenaBytes = 64 * 1024 * 1024;

interface DecodedSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
}
interface DecodedRequest {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly DecodedSpan[] }[] }[];
}

/** By trace id: the span ids that came, so that a span sent twice counts once. */
const traces = new Map<string, Set<number>>();
let spansReceived = 0;
let remembers = true;

const counter: TracesConsumer = {
  async consume(payload) {
    spansReceived += payload.spanCount;
    if (remembers) remember(Buffer.from(payload.bytes));
    return accepted;
  },
};

function remember(bytes: Buffer): void {
  const request = exportTraceServiceRequest.decode(bytes) as unknown as DecodedRequest;
  for (const { scopeSpans } of request.resourceSpans) {
    for (const { spans } of scopeSpans) {
      for (const { traceId, spanId } of spans) {
        const id = Buffer.from(traceId).toString('hex');
        let held = traces.get(id);
        if (held === undefined) traces.set(id, (held = new Set()));
        held.add(Buffer.from(spanId).readUIntBE(0, 6));
      }
    }
  }
}

function answer(question: SinkQuestion): SinkMessage {
  switch (question) {
    case 'count':
      return { kind: 'count', spansReceived };
    case 'tally':
      return { kind: 'tally', spansByTrace: new Map([...traces].map(([id, spans]) => [id, spans.size])) };
    case 'forget':
      remembers = false;
      traces.clear();
      return { kind: 'count', spansReceived };
  }
}

const receiver = new OtlpReceiver(
  {
    id: { type: 'otlp', name: '', text: 'otlp' },
    logger: createPinoLogger({ ...defaultLoggerSettings, level: 'warn' }),
    metrics: new MetricRegistry(),
    clock: systemClock,
    prng: systemPrng,
    arena: createArena({ capacityBytes: arenaBytes }),
    version: '',
    otelcolCompatibility: false,
    featureGates: new Set(),
    extension: () => undefined,
  },
  otlpReceiverSchema.parse({ protocols: { grpc: { endpoint: '127.0.0.1:0', max_recv_msg_size_mib: 64 } } }),
  counter,
);

const tell = (message: SinkMessage) => process.send?.(message);
process.on('message', (question: SinkQuestion) => tell(answer(question)));
// The end comes from the demo, which closes the channel; the terminal's Ctrl-C reaches both.
process.on('SIGINT', () => {});
process.on('disconnect', () => receiver.stop());
await receiver.start();
// Samplers and routers start next, all at once, and load the same modules: compiled here once, they are there for them.
await import('../commands/run.ts');
flushCompileCache();
tell({ kind: 'listening', port: receiver.address('grpc')?.port ?? 0 });
