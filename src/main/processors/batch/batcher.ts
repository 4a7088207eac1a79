/** One stream of batches: appends, and sends by size or by time, one batch at a time. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Arena } from '../../arena/arena.ts';
import type { DrainReport, RequestMetadata, TracesConsumer, TracesPayload } from '../../pipeline/component.ts';
import { accepted, type ConsumeOutcome, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { BoundCounter, BoundHistogram } from '../../telemetry/metrics.ts';
import type { BatchConfig } from './batch-config.ts';
import { PendingBatch } from './pending-batch.ts';

export interface BatchInstruments {
  readonly sendSize: BoundHistogram;
  readonly sendSizeBytes: BoundHistogram;
  readonly sizeTriggers: BoundCounter;
  readonly timeoutTriggers: BoundCounter;
  readonly lostSpans: BoundCounter;
}

export interface BatcherSettings {
  readonly config: BatchConfig;
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: BatchInstruments;
  readonly next: TracesConsumer;
  /** Values of `metadata_keys` that all payloads of this batcher share. */
  readonly metadata: RequestMetadata | undefined;
}

/** While one batch is under way, this many bytes may wait for the next before callers have to wait. */
const waitingBytesMax = 16 * 1_048_576;

interface Waiter {
  readonly payload: TracesPayload;
  settle(outcome: ConsumeOutcome): void;
}

/**
 * Answers `accepted` as soon as the bytes are copied, as the Collector's batch processor does. A caller waits only while one batch is being sent
 * and the next is full already: that is the back-pressure.
 */
export class Batcher {
  readonly #settings: BatcherSettings;
  readonly #pending: PendingBatch;
  readonly #waiters: Waiter[] = [];
  readonly #atOnce: boolean;
  #timer: Timer | undefined;
  #timeIsUp = false;
  #sending: Promise<void> | undefined;
  #sendingSpans = 0;
  #closed = false;

  constructor(settings: BatcherSettings) {
    this.#settings = settings;
    this.#pending = new PendingBatch(settings.arena);
    this.#atOnce = settings.config.timeout === 0 || settings.config.send_batch_size === 0;
  }

  get pendingSpans(): number {
    return this.#pending.spanCount + this.#sendingSpans;
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    if (this.#closed) return Promise.resolve(refusedRetryable('batch processor is shutting down'));
    if (this.#sending !== undefined && this.#full()) {
      const { promise, resolve } = Promise.withResolvers<ConsumeOutcome>();
      this.#waiters.push({ payload, settle: resolve });
      return promise;
    }
    this.#add(payload);
    return Promise.resolve(accepted);
  }

  /** Sends what is pending. Spans still there at the deadline count as lost. */
  async drain(deadlineMs: number): Promise<DrainReport> {
    this.#closed = true;
    this.#admitWaiters();
    this.#timeIsUp = true;
    this.#pump();
    if (this.#sending !== undefined) {
      const { clock } = this.#settings;
      const late = Promise.withResolvers<void>();
      const timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), late.resolve);
      await Promise.race([this.#sending, late.promise]);
      timer.cancel();
    }
    const spansLost = this.pendingSpans;
    this.#settings.instruments.lostSpans.add(spansLost);
    return { spansLost };
  }

  stop(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const waiter of this.#waiters.splice(0)) waiter.settle(refusedRetryable('batch processor is shutting down'));
    this.#pending.discard();
  }

  #full(): boolean {
    return this.#pending.spanCount >= Math.max(1, this.#settings.config.send_batch_size) || this.#pending.byteLength >= waitingBytesMax;
  }

  #add(payload: TracesPayload): void {
    this.#pending.append(payload);
    if (this.#ripe()) this.#pump();
    else this.#startTimer();
  }

  /** `sizeReached` or no timer at all. */
  #ripe(): boolean {
    return this.#pending.spanCount > 0 && (this.#atOnce || this.#pending.spanCount >= this.#settings.config.send_batch_size);
  }

  #startTimer(): void {
    if (this.#timer !== undefined || this.#atOnce || this.#pending.spanCount === 0) return;
    this.#timer = this.#settings.clock.after(this.#settings.config.timeout, () => {
      this.#timer = undefined;
      this.#timeIsUp = true;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#sending !== undefined) return;
    if (!this.#ripe() && !(this.#timeIsUp && this.#pending.spanCount > 0)) {
      this.#timeIsUp = false;
      return;
    }
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const bySize = this.#ripe();
      if (!bySize && !(this.#timeIsUp && this.#pending.spanCount > 0)) break;
      this.#timer?.cancel();
      this.#timer = undefined;
      // The last batch of an overdue run ends it; what a cut left behind was just as overdue, but waits for the timer as in the Collector.
      if (!bySize) this.#timeIsUp = this.#closed;
      await this.#sendOne(bySize);
      this.#admitWaiters();
    }
    this.#timeIsUp = false;
    this.#startTimer();
  }

  async #sendOne(bySize: boolean): Promise<void> {
    const { config, instruments, next, metadata } = this.#settings;
    const batch = this.#pending.take(config.send_batch_max_size);
    this.#sendingSpans = batch.spanCount;
    (bySize ? instruments.sizeTriggers : instruments.timeoutTriggers).add(1);
    instruments.sendSize.record(batch.spanCount);
    instruments.sendSizeBytes.record(batch.bytes.length);
    const payload: TracesPayload = { bytes: batch.bytes, spanCount: batch.spanCount, ...(metadata === undefined ? {} : { metadata }) };
    const outcome = await this.#consumeSafely(next, payload);
    batch.release();
    this.#sendingSpans = 0;
    if (outcome.kind === 'accepted') return;
    instruments.lostSpans.add(batch.spanCount);
    const { message, code } = outcome;
    this.#settings.logger.warn({ spans: batch.spanCount, code, error: message }, 'Sender failed; the batch is lost.');
  }

  async #consumeSafely(next: TracesConsumer, payload: TracesPayload): Promise<ConsumeOutcome> {
    try {
      return await next.consume(payload);
    } catch (error) {
      return refusedPermanent(`internal error: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #admitWaiters(): void {
    while (this.#waiters.length > 0 && (this.#closed || !this.#full())) {
      const waiter = this.#waiters.shift() as Waiter;
      this.#pending.append(waiter.payload);
      waiter.settle(accepted);
    }
  }
}
