/** The `batch` processor: one batcher, or one for each combination of client metadata values. Main thread. */

import type {
  ComponentSettings,
  DrainReport,
  Processor,
  ProcessorType,
  RequestMetadata,
  TracesConsumer,
  TracesPayload,
} from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedPermanent } from '../../pipeline/consume-outcome.ts';
import { type BatchConfig, batchSchema, checkBatch } from './batch-config.ts';
import { Batcher, type BatchInstruments } from './batcher.ts';

export const batchProcessorType: ProcessorType<BatchConfig> = {
  kind: 'processor',
  type: 'batch',
  schema: batchSchema,
  check: checkBatch,
  create: (settings, config, next) => new BatchProcessor(settings, config, next),
};

const tooManyCombinations = refusedPermanent('too many batcher metadata-value combinations');

class BatchProcessor implements Processor {
  readonly #settings: ComponentSettings;
  readonly #config: BatchConfig;
  readonly #next: TracesConsumer;
  readonly #instruments: BatchInstruments;
  readonly #keys: readonly string[];
  readonly #batchers = new Map<string, Batcher>();
  readonly #life: ComponentLife;
  #only: Batcher | undefined;
  #ends: (() => void)[] = [];

  constructor(settings: ComponentSettings, config: BatchConfig, next: TracesConsumer) {
    const { metrics } = settings;
    const attributes = { processor: settings.id.text };
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    this.#keys = config.metadata_keys.map((key) => key.toLowerCase()).sort();
    this.#instruments = {
      sendSize: metrics.histogram('otelcol_processor_batch_batch_send_size', attributes),
      sendSizeBytes: metrics.histogram('otelcol_processor_batch_batch_send_size_bytes', attributes),
      sizeTriggers: metrics.counter('otelcol_processor_batch_batch_size_trigger_send', attributes),
      timeoutTriggers: metrics.counter('otelcol_processor_batch_timeout_trigger_send', attributes),
      lostSpans: metrics.counter('ringtail_batch_lost_spans', attributes),
    };
    this.#life = new ComponentLife({
      start: () => {
        if (this.#keys.length === 0) this.#only = this.#createBatcher('', undefined);
        this.#ends = [
          metrics.observe('otelcol_processor_batch_metadata_cardinality', attributes, () => this.#batchers.size),
          metrics.observe('ringtail_batch_pending_spans', attributes, () => this.#pendingSpans()),
        ];
      },
      drain: (deadlineMs) => this.#drain(deadlineMs),
      stop: () => {
        for (const batcher of this.#batchers.values()) batcher.stop();
        for (const end of this.#ends) end();
      },
    });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    const batcher = this.#only ?? this.#batcherOf(payload.metadata);
    return batcher === undefined ? Promise.resolve(tooManyCombinations) : batcher.consume(payload);
  }

  #batcherOf(metadata: RequestMetadata | undefined): Batcher | undefined {
    const values = this.#keys.map((key) => metadata?.get(key) ?? []);
    const combination = JSON.stringify(values);
    const known = this.#batchers.get(combination);
    if (known !== undefined) return known;
    const limit = this.#config.metadata_cardinality_limit;
    if (limit > 0 && this.#batchers.size >= limit) return undefined;
    return this.#createBatcher(combination, new Map(this.#keys.map((key, index) => [key, values[index] as readonly string[]])));
  }

  #createBatcher(combination: string, metadata: RequestMetadata | undefined): Batcher {
    const { arena, clock, logger } = this.#settings;
    const batcher = new Batcher({ config: this.#config, arena, clock, logger, instruments: this.#instruments, next: this.#next, metadata });
    this.#batchers.set(combination, batcher);
    return batcher;
  }

  #pendingSpans(): number {
    let spans = 0;
    for (const batcher of this.#batchers.values()) spans += batcher.pendingSpans;
    return spans;
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    const reports = await Promise.all([...this.#batchers.values()].map((batcher) => batcher.drain(deadlineMs)));
    return { spansLost: reports.reduce((sum, report) => sum + report.spansLost, 0) };
  }
}
