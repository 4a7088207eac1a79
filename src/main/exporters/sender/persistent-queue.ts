/** The queue stage that survives the process: requests go to a storage log and from there, a few at a time, to the consumers. Main thread. */

import { Buffer } from 'node:buffer';
import type { Clock } from '../../../shared/clock.ts';
import type { Arena } from '../../arena/arena.ts';
import { type DrainReport, nothingLost, type RequestMetadata } from '../../pipeline/component.ts';
import { accepted, GrpcStatus, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { StorageLog, StoredRecord } from '../../pipeline/storage-extension.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { BoundCounter } from '../../telemetry/metrics.ts';
import { acquireOwned } from './owned-bytes.ts';
import type { QueueConfig } from './queue-config.ts';
import type { QueueSender } from './queue-sender.ts';
import type { Sender, SendOutcome, SendRequest } from './send-request.ts';
import { untilDeadline } from './until-deadline.ts';

export interface PersistentQueueSettings {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueueFailedSpans: BoundCounter;
  readonly sendFailedSpans: BoundCounter;
}

interface Waiter {
  readonly request: SendRequest;
  readonly size: number;
  readonly settle: (outcome: SendOutcome) => void;
}

/** Beyond one request per consumer, so many bytes are read ahead for the batches that the consumers make. */
const readAheadBytes = 16 * 1024 * 1024;

/**
 * Body of a stored record: length of the metadata (u32, little endian), the metadata as JSON pairs, the request.
 *
 * A request is acknowledged to its caller when it is stored, and in the log when it was sent or given up. What a shutdown interrupts stays in the log.
 */
export class PersistentQueue implements Sender {
  readonly #settings: PersistentQueueSettings;
  readonly #config: QueueConfig;
  readonly #log: StorageLog;
  readonly #consumers: QueueSender;
  readonly #waiting: StoredRecord[] = [];
  readonly #blocked: Waiter[] = [];
  #next = 0;
  #size = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  #closed = false;
  #draining: Promise<DrainReport> | undefined;
  #onIdle: (() => void) | undefined;

  /** `consumers` answers with the result of the send and bounds nothing: the bounds are here. */
  constructor(settings: PersistentQueueSettings, config: QueueConfig, log: StorageLog, consumers: QueueSender) {
    this.#settings = settings;
    this.#config = config;
    this.#log = log;
    this.#consumers = consumers;
    for (const record of log.recovered) {
      this.#size += this.#sizeOf(record.itemCount, record.byteLength);
      this.#waiting.push(record);
    }
    if (log.recovered.length > 0) settings.logger.info({ requests: log.recovered.length }, 'Requests of an earlier run are sent first.');
  }

  /** In the sizer's unit, what is being sent included. */
  size(): number {
    return this.#size;
  }

  capacity(): number {
    return this.#config.queueSize;
  }

  /** Begins to send what the log holds. */
  start(): void {
    this.#pump();
  }

  send(request: SendRequest): Promise<SendOutcome> {
    const size = this.#sizeOf(request.spanCount, request.byteLength);
    if (this.#closed) return this.#refuse(request, refusedRetryable('sending queue is stopped'));
    if (size > this.#config.queueSize)
      return this.#refuse(request, refusedPermanent('element size too large', GrpcStatus.resourceExhausted));
    if (this.#size + size <= this.#config.queueSize && this.#blocked.length === 0) return this.#store(request, size);
    if (!this.#config.blockOnOverflow) return this.#refuse(request, refusedRetryable('sending queue is full'));
    return new Promise((settle) => this.#blocked.push({ request, size, settle }));
  }

  /** Takes nothing more and lets what is under way end; the rest stays in the log and is not lost. */
  drain(deadlineMs: number): Promise<DrainReport> {
    this.#draining ??= this.#drain(deadlineMs);
    return this.#draining;
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    this.#closed = true;
    for (const waiter of this.#blocked.splice(0)) {
      void this.#refuse(waiter.request, refusedRetryable('sending queue is stopped')).then(waiter.settle);
    }
    const idle = untilDeadline(this.#settings.clock, deadlineMs, (done) => {
      if (this.#inFlight === 0) done();
      else this.#onIdle = done;
    });
    await this.#consumers.drain(deadlineMs);
    await idle;
    await this.#log.flush();
    if (this.#size > 0) this.#settings.logger.info({ size: this.#size }, 'Requests stay in the storage until the next start.');
    return nothingLost;
  }

  #refuse(request: SendRequest, outcome: SendOutcome): Promise<SendOutcome> {
    this.#settings.enqueueFailedSpans.add(request.spanCount);
    return Promise.resolve(outcome);
  }

  async #store(request: SendRequest, size: number): Promise<SendOutcome> {
    this.#size += size;
    const prefix = encodeMetadata(request.metadata);
    const stored = await this.#log.append([prefix, ...request.chunks], prefix.length + request.byteLength, request.spanCount);
    if (stored.kind === 'failed') {
      this.#release(size);
      return this.#refuse(request, refusedRetryable(stored.message));
    }
    // The sizes of stored records are counted by their records from here on, as after a restart.
    this.#size += this.#sizeOf(request.spanCount, stored.record.byteLength) - size;
    this.#waiting.push(stored.record);
    this.#pump();
    return accepted;
  }

  #pump(): void {
    const { numConsumers, batch } = this.#config;
    const bytesMax = batch === undefined ? 0 : readAheadBytes;
    while (!this.#closed && this.#next < this.#waiting.length && (this.#inFlight < numConsumers || this.#inFlightBytes < bytesMax)) {
      void this.#dispatch(this.#take());
    }
  }

  #take(): StoredRecord {
    const record = this.#waiting[this.#next++]!;
    if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    return record;
  }

  async #dispatch(record: StoredRecord): Promise<void> {
    this.#inFlight++;
    this.#inFlightBytes += record.byteLength;
    const done = await this.#sendStored(record);
    if (done) {
      this.#log.acknowledge(record);
      this.#release(this.#sizeOf(record.itemCount, record.byteLength));
    }
    this.#inFlight--;
    this.#inFlightBytes -= record.byteLength;
    if (this.#inFlight === 0) this.#onIdle?.();
    this.#pump();
  }

  /** Returns whether the record is done with: sent, or given up. */
  async #sendStored(record: StoredRecord): Promise<boolean> {
    const { arena, logger, sendFailedSpans } = this.#settings;
    const owned = acquireOwned(arena, record.byteLength);
    if (!(await this.#log.read(record, owned.bytes))) {
      owned.release();
      sendFailedSpans.add(record.itemCount);
      logger.error({ dropped_items: record.itemCount }, 'A stored request cannot be read. Dropping data.');
      return true;
    }
    const { metadata, bytes } = decodeBody(owned.bytes);
    const request = { chunks: [bytes], byteLength: bytes.length, spanCount: record.itemCount, deadlineMs: Infinity };
    const outcome = this.#closed
      ? refusedRetryable('sending queue is stopped')
      : await this.#consumers.send(metadata === undefined ? request : { ...request, metadata });
    owned.release();
    if (outcome.kind === 'accepted') return true;
    if (this.#closed && outcome.retryable) return false;
    logger.error({ error: outcome.message, dropped_items: record.itemCount }, 'Exporting failed. Dropping data.');
    return true;
  }

  #release(size: number): void {
    this.#size -= size;
    while (this.#blocked.length > 0 && this.#size + this.#blocked[0]!.size <= this.#config.queueSize) {
      const waiter = this.#blocked.shift()!;
      void this.#store(waiter.request, waiter.size).then(waiter.settle);
    }
  }

  #sizeOf(spanCount: number, byteLength: number): number {
    switch (this.#config.sizer) {
      case 'requests':
        return 1;
      case 'items':
        return spanCount;
      case 'bytes':
        return byteLength;
    }
  }
}

function encodeMetadata(metadata: RequestMetadata | undefined): Buffer {
  const text = metadata === undefined ? '' : JSON.stringify([...metadata]);
  const prefix = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  prefix.writeUInt32LE(prefix.length - 4);
  prefix.write(text, 4);
  return prefix;
}

function decodeBody(body: Uint8Array): { readonly metadata: RequestMetadata | undefined; readonly bytes: Uint8Array } {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  const end = 4 + buffer.readUInt32LE();
  const metadata = end === 4 ? undefined : new Map<string, readonly string[]>(JSON.parse(buffer.toString('utf8', 4, end)));
  return { metadata, bytes: body.subarray(end) };
}
