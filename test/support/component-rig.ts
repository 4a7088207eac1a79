/** What the process gives to a component, for tests: real arena and metrics, a recorded log, a clock of choice. */

import type { Arena } from '../../src/main/arena/arena.ts';
import { createArena } from '../../src/main/arena/shared-arena.ts';
import { decode, type FieldSchema } from '../../src/main/config/fields.ts';
import type { ComponentSettings, TracesConsumer, TracesPayload } from '../../src/main/pipeline/component.ts';
import { accepted, type ConsumeOutcome } from '../../src/main/pipeline/consume-outcome.ts';
import type { Logger } from '../../src/main/telemetry/logger.ts';
import { MetricRegistry } from '../../src/main/telemetry/registry.ts';
import { type Clock, systemClock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** Children write into the same list, their fields with each line. */
export class LogRecorder implements Logger {
  readonly lines: LogLine[];
  readonly #fields: object;

  constructor(lines: LogLine[] = [], fields: object = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug(fields: object, message: string): void {
    this.#add('debug', fields, message);
  }
  info(fields: object, message: string): void {
    this.#add('info', fields, message);
  }
  warn(fields: object, message: string): void {
    this.#add('warn', fields, message);
  }
  error(fields: object, message: string): void {
    this.#add('error', fields, message);
  }
  child(fields: object): Logger {
    return new LogRecorder(this.lines, { ...this.#fields, ...fields });
  }

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...this.#fields, ...fields }, message });
  }
}

export interface ComponentRig {
  readonly settings: ComponentSettings;
  readonly logger: LogRecorder;
  readonly metrics: MetricRegistry;
  readonly arena: Arena;
  /** A series' value; a histogram's count. Undefined when there is no such series. */
  metric(name: string, attributes?: Readonly<Record<string, string>>): number | undefined;
}

export function componentRig(id: string, options: { readonly clock?: Clock; readonly arenaMib?: number } = {}): ComponentRig {
  const [type, name = ''] = id.split('/') as [string, string?];
  const logger = new LogRecorder();
  const metrics = new MetricRegistry();
  const arena = createArena({ capacityBytes: (options.arenaMib ?? 16) * 1_048_576 });
  const settings: ComponentSettings = {
    id: { type, name, text: id },
    logger,
    metrics,
    clock: options.clock ?? systemClock,
    prng: seededPrng(1),
    arena,
    version: '0.0.0',
    otelcolCompatibility: false,
    featureGates: new Set(),
    extension: () => undefined,
  };
  const metric = (wanted: string, attributes: Readonly<Record<string, string>> = {}) => {
    const family = metrics.snapshot().find(({ row }) => row.name === wanted);
    const same = (series: { readonly attributes: object }) => {
      const own = series.attributes as Record<string, string>;
      return Object.entries(attributes).every(([key, value]) => own[key] === value);
    };
    return family?.numbers.find(same)?.value ?? family?.histograms.find(same)?.count;
  };
  return { settings, logger, metrics, arena, metric };
}

/** A component's configuration from what YAML would give. */
export function configOf<Config>(schema: FieldSchema<Config>, raw: unknown): Config {
  const outcome = decode(schema, raw);
  if (outcome.kind === 'decoded') return outcome.config;
  throw new Error(JSON.stringify(outcome.faults));
}

/** Takes payloads, copies their bytes, and answers as told. */
export class Sink implements TracesConsumer {
  readonly payloads: { readonly bytes: Uint8Array; readonly spanCount: number; readonly metadata: TracesPayload['metadata'] }[] = [];
  answer: (payload: TracesPayload) => ConsumeOutcome | Promise<ConsumeOutcome> = () => accepted;

  async consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    this.payloads.push({ bytes: Uint8Array.from(payload.bytes), spanCount: payload.spanCount, metadata: payload.metadata });
    return this.answer(payload);
  }

  get spanCount(): number {
    return this.payloads.reduce((sum, payload) => sum + payload.spanCount, 0);
  }
}
