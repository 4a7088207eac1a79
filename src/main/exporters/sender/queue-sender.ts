/** The queue stage: holds requests in memory, bounded, and lets a number of consumers send them on, batched if so configured. Main thread. */

import type { Clock } from '../../../shared/clock.ts';
import type { Arena } from '../../arena/arena.ts';
import { type DrainReport, nothingLost } from '../../pipeline/component.ts';
import { accepted, GrpcStatus, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { BoundCounter } from '../../telemetry/metrics.ts';
import { type Batch, Batcher, type Piece } from './batcher.ts';
import { cutParts } from './cut-parts.ts';
import { copyToOwned, type OwnedBytes } from './owned-bytes.ts';
import type { QueueConfig } from './queue-config.ts';
import type { Sender, SendOutcome, SendRequest } from './send-request.ts';
import { untilDeadline } from './until-deadline.ts';

export interface QueueSettings {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueueFailedSpans: BoundCounter;
}

const queueFull = refusedRetryable('sending queue is full');
const noMemory = refusedRetryable('sending queue is full: no memory left', { code: GrpcStatus.resourceExhausted, retryAfterMs: 1000 });

/** A request in the queue. It leaves when the last of its pieces has been answered. */
interface Item {
  readonly size: number;
  readonly spanCount: number;
  readonly owned: OwnedBytes | undefined;
  /** Absent when the caller has been answered already. */
  readonly settle: ((outcome: SendOutcome) => void) | undefined;
  piecesOpen: number;
  outcome: SendOutcome;
}

interface Waiter {
  readonly request: SendRequest;
  readonly size: number;
  readonly settle: (outcome: SendOutcome) => void;
}

export class QueueSender implements Sender {
  readonly #settings: QueueSettings;
  readonly #config: QueueConfig;
  readonly #next: Sender;
  readonly #batcher: Batcher<Item> | undefined;
  readonly #ready: Batch<Item>[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #items = new Set<Item>();
  #size = 0;
  #consumersBusy = 0;
  #closed = false;
  #spansLost = 0;
  #draining: Promise<DrainReport> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(settings: QueueSettings, config: QueueConfig, next: Sender) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    if (config.batch !== undefined) {
      const { sizer } = config.batch;
      this.#batcher = new Batcher(
        settings.clock,
        config.batch,
        (piece, sizeMax) => cutPiece(settings.arena, piece, sizer, sizeMax),
        (batch) => this.#enqueue(batch),
      );
    }
  }

  /** In the sizer's unit, what is being sent included. */
  size(): number {
    return this.#size;
  }

  capacity(): number {
    return this.#config.queueSize;
  }

  send(request: SendRequest): Promise<SendOutcome> {
    const size = this.#sizeOf(request);
    if (this.#closed) return this.#refuse(request, refusedRetryable('sending queue is stopped'));
    if (size > this.#config.queueSize)
      return this.#refuse(request, refusedPermanent('element size too large', GrpcStatus.resourceExhausted));
    const isFull = this.#size + size > this.#config.queueSize || this.#waiters.length > 0;
    const answer = isFull ? undefined : this.#accept(request, size);
    if (answer !== undefined) return answer;
    // Who waits without anything queued would wait for nothing.
    if (!this.#config.blockOnOverflow || this.#items.size === 0) return this.#refuse(request, isFull ? queueFull : noMemory);
    return new Promise((settle) => this.#waiters.push({ request, size, settle }));
  }

  /** Takes nothing more, sends what is there, and tells how many acknowledged spans it could not send. */
  drain(deadlineMs: number): Promise<DrainReport> {
    this.#draining ??= this.#drain(deadlineMs);
    return this.#draining;
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) {
      void this.#refuse(waiter.request, refusedRetryable('sending queue is stopped')).then(waiter.settle);
    }
    this.#batcher?.flushAll();
    if (this.#items.size > 0) {
      await untilDeadline(this.#settings.clock, deadlineMs, (done) => {
        this.#onIdle = done;
      });
    }
    let spansLost = this.#spansLost;
    for (const item of this.#items) if (item.settle === undefined) spansLost += item.spanCount;
    // What was not begun goes back: its room to the arena, its answer to whoever waits for one.
    const unsent = refusedRetryable('sending queue is stopped');
    for (const batch of this.#ready.splice(0)) for (const piece of batch.pieces) this.#settlePiece(piece, unsent);
    return spansLost === 0 ? nothingLost : { spansLost };
  }

  #refuse(request: SendRequest, outcome: SendOutcome): Promise<SendOutcome> {
    this.#settings.enqueueFailedSpans.add(request.spanCount);
    return Promise.resolve(outcome);
  }

  /** Undefined when there is no memory for a copy. */
  #accept(request: SendRequest, size: number): Promise<SendOutcome> | undefined {
    if (this.#config.waitForResult) {
      this.#size += size;
      return new Promise((settle) =>
        this.#admit({ size, spanCount: request.spanCount, owned: undefined, settle, piecesOpen: 0, outcome: accepted }, request),
      );
    }
    const owned = copyToOwned(this.#settings.arena, request.chunks, request.byteLength);
    if (owned === undefined) return undefined;
    this.#size += size;
    const item: Item = { size, spanCount: request.spanCount, owned, settle: undefined, piecesOpen: 0, outcome: accepted };
    this.#admit(item, { ...request, chunks: [owned.bytes], deadlineMs: Infinity });
    return Promise.resolve(accepted);
  }

  #admit(item: Item, request: SendRequest): void {
    this.#items.add(item);
    item.piecesOpen = 1;
    const piece: Piece<Item> = { item, chunks: request.chunks, byteLength: request.byteLength, spanCount: request.spanCount };
    if (this.#batcher === undefined) this.#enqueue({ pieces: [piece], metadata: request.metadata });
    else this.#batcher.add(piece, request.metadata);
  }

  #enqueue(batch: Batch<Item>): void {
    this.#ready.push(batch);
    this.#pump();
  }

  #pump(): void {
    while (this.#consumersBusy < this.#config.numConsumers && this.#ready.length > 0) {
      this.#consumersBusy++;
      void this.#consume(this.#ready.shift()!);
    }
  }

  async #consume(batch: Batch<Item>): Promise<void> {
    const outcome = await this.#next.send(requestOf(batch));
    this.#consumersBusy--;
    for (const piece of batch.pieces) this.#settlePiece(piece, outcome);
    this.#admitWaiters();
    this.#pump();
    if (this.#items.size === 0) this.#onIdle?.();
  }

  #settlePiece(piece: Piece<Item>, outcome: SendOutcome): void {
    const { item } = piece;
    if (outcome.kind === 'refused') {
      item.outcome = outcome;
      if (item.settle === undefined) this.#drop(piece.spanCount, outcome.message);
    }
    if (--item.piecesOpen > 0) return;
    this.#items.delete(item);
    this.#size -= item.size;
    item.owned?.release();
    item.settle?.(item.outcome);
  }

  #drop(spanCount: number, message: string): void {
    if (this.#closed) this.#spansLost += spanCount;
    this.#settings.logger.error({ error: message, dropped_items: spanCount }, 'Exporting failed. Dropping data.');
  }

  #admitWaiters(): void {
    while (this.#waiters.length > 0 && this.#size + this.#waiters[0]!.size <= this.#config.queueSize) {
      const waiter = this.#waiters[0]!;
      const answer =
        this.#accept(waiter.request, waiter.size) ?? (this.#items.size > 0 ? undefined : this.#refuse(waiter.request, noMemory));
      if (answer === undefined) return;
      this.#waiters.shift();
      void answer.then(waiter.settle);
    }
  }

  #sizeOf(request: SendRequest): number {
    switch (this.#config.sizer) {
      case 'requests':
        return 1;
      case 'items':
        return request.spanCount;
      case 'bytes':
        return request.byteLength;
    }
  }
}

function requestOf(batch: Batch<Item>): SendRequest {
  const chunks = batch.pieces.flatMap((piece) => piece.chunks);
  let byteLength = 0;
  let spanCount = 0;
  for (const piece of batch.pieces) {
    byteLength += piece.byteLength;
    spanCount += piece.spanCount;
  }
  const request = { chunks, byteLength, spanCount, deadlineMs: Infinity };
  return batch.metadata === undefined ? request : { ...request, metadata: batch.metadata };
}

function cutPiece(
  arena: Arena,
  piece: Piece<Item>,
  sizer: 'items' | 'bytes',
  sizeMax: number,
): { head: Piece<Item>; rest: Piece<Item> | undefined } {
  const cut = cutParts(arena, piece.chunks, piece.byteLength, piece.spanCount, sizer, sizeMax);
  if (cut === undefined) return { head: piece, rest: undefined };
  piece.item.piecesOpen++;
  return { head: { item: piece.item, ...cut.head }, rest: { item: piece.item, ...cut.rest } };
}
