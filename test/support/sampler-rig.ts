/** A tail_sampling processor alone: manual clock, a sink that can refuse, and its account. */

import { createArena } from '../../src/main/arena/shared-arena.ts';
import { decode } from '../../src/main/config/fields.ts';
import type { ComponentSettings, Processor, TracesPayload } from '../../src/main/pipeline/component.ts';
import { accepted, type ConsumeOutcome } from '../../src/main/pipeline/consume-outcome.ts';
import { tailSamplingProcessorType } from '../../src/main/processors/tail-sampling/tail-sampling-processor.ts';
import type { Logger } from '../../src/main/telemetry/logger.ts';
import { MetricRegistry } from '../../src/main/telemetry/registry.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { ManualClock } from './manual-clock.ts';
import { decodeSpans } from './otlp.ts';

export class RecordingLogger implements Logger {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
  child(): Logger {
    return this;
  }
}

/** Ids in base64, as protobufjs gives them. */
export interface KeptSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
}

export interface SamplerRigOptions {
  readonly capacityMiB?: number;
  readonly clock?: Clock;
  readonly id?: string;
  readonly otelcolCompatibility?: boolean;
  readonly featureGates?: readonly string[];
  /** Told of every payload that the sink accepts. */
  accepted?(bytes: Uint8Array): void;
  /** The sink's answer; accepted when absent. */
  answer?(payload: TracesPayload): Promise<ConsumeOutcome>;
}

export interface SamplerRig {
  readonly processor: Processor;
  readonly clock: ManualClock;
  readonly arena: ReturnType<typeof createArena>;
  readonly metrics: MetricRegistry;
  readonly logger: RecordingLogger;
  /** Spans that the sink accepted, in order. */
  readonly kept: KeptSpan[];
  send(bytes: Uint8Array): Promise<ConsumeOutcome>;
  metric(name: string, attributes?: Record<string, string>): number;
}

/** `config`: a tail_sampling block as YAML would give it. Workers default to 0, so that a manual clock rules everything. */
export function samplerRig(config: object, options: SamplerRigOptions = {}): SamplerRig {
  const clock = (options.clock ?? new ManualClock()) as ManualClock;
  const arena = createArena({ capacityBytes: (options.capacityMiB ?? 32) * 1024 * 1024 });
  const metrics = new MetricRegistry();
  const logger = new RecordingLogger();
  const kept: KeptSpan[] = [];
  const decoded = decode(tailSamplingProcessorType.schema, { workers: 0, ...config });
  if (decoded.kind === 'faulty') throw new Error(JSON.stringify(decoded.faults));
  const settings: ComponentSettings = {
    id: { type: 'tail_sampling', name: options.id ?? '', text: options.id ? `tail_sampling/${options.id}` : 'tail_sampling' },
    logger,
    metrics,
    clock,
    prng: seededPrng(1),
    arena,
    version: '0.0.0',
    otelcolCompatibility: options.otelcolCompatibility ?? false,
    featureGates: new Set(options.featureGates),
    extension: () => undefined,
  };
  const processor = tailSamplingProcessorType.create(settings, decoded.config, {
    async consume(payload) {
      const outcome = options.answer ? await options.answer(payload) : accepted;
      if (outcome.kind === 'accepted') {
        kept.push(...decodeSpans(payload.bytes).map(({ span }) => span as unknown as KeptSpan));
        options.accepted?.(payload.bytes);
      }
      return outcome;
    },
  });
  return {
    processor,
    clock,
    arena,
    metrics,
    logger,
    kept,
    send: (bytes) => processor.consume({ bytes, spanCount: decodeSpans(bytes).length }),
    metric: (name, attributes = {}) => readMetric(metrics, name, attributes),
  };
}

function readMetric(metrics: MetricRegistry, name: string, attributes: Record<string, string>): number {
  for (const family of metrics.snapshot()) {
    if (family.row.name !== name) continue;
    for (const series of family.numbers) {
      if (JSON.stringify(Object.entries(series.attributes).sort()) === JSON.stringify(Object.entries(attributes).sort()))
        return series.value;
    }
  }
  throw new Error(`no metric ${name} ${JSON.stringify(attributes)}`);
}
