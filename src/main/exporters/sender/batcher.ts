/** Batching inside a queue: joins pieces per metadata partition until one is large enough or has waited long enough. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import type { RequestMetadata } from '../../pipeline/component.ts';
import type { QueueBatchConfig } from './queue-config.ts';

/** Part of a queued item, a whole request by itself. */
export interface Piece<Item> {
  readonly item: Item;
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  readonly spanCount: number;
}

export interface Batch<Item> {
  readonly pieces: readonly Piece<Item>[];
  readonly metadata: RequestMetadata | undefined;
}

/** Cuts a piece into one of at most `sizeMax` (in the sizer's unit, at least one span) and the rest. */
export type CutPiece<Item> = (
  piece: Piece<Item>,
  sizeMax: number,
) => { readonly head: Piece<Item>; readonly rest: Piece<Item> | undefined };

interface Partition<Item> {
  readonly key: string;
  readonly metadata: RequestMetadata | undefined;
  pieces: Piece<Item>[];
  size: number;
  timer: Timer | undefined;
}

export class Batcher<Item> {
  readonly #clock: Clock;
  readonly #config: QueueBatchConfig;
  readonly #cut: CutPiece<Item>;
  readonly #emit: (batch: Batch<Item>) => void;
  readonly #partitions = new Map<string, Partition<Item>>();

  constructor(clock: Clock, config: QueueBatchConfig, cut: CutPiece<Item>, emit: (batch: Batch<Item>) => void) {
    this.#clock = clock;
    this.#config = config;
    this.#cut = cut;
    this.#emit = emit;
  }

  add(piece: Piece<Item>, metadata: RequestMetadata | undefined): void {
    const partition = this.#partitionOf(metadata);
    const { maxSize, minSize } = this.#config;
    let rest: Piece<Item> | undefined = piece;
    while (rest !== undefined) {
      const room: number = maxSize === 0 ? Infinity : maxSize - partition.size;
      if (this.#sizeOf(rest) <= room) {
        this.#append(partition, rest);
        rest = undefined;
      } else {
        // A piece that may not be cut to fit goes into a batch of its own rather than nowhere.
        const cut: { head: Piece<Item>; rest: Piece<Item> | undefined } = this.#cut(rest, room);
        if (this.#sizeOf(cut.head) > room && partition.size > 0) {
          this.#flush(partition);
          continue;
        }
        this.#append(partition, cut.head);
        rest = cut.rest;
      }
      if (partition.size >= minSize || (maxSize > 0 && partition.size >= maxSize) || rest !== undefined) this.#flush(partition);
    }
    if (partition.size === 0) this.#partitions.delete(partition.key);
  }

  flushAll(): void {
    for (const partition of this.#partitions.values()) this.#flush(partition);
    this.#partitions.clear();
  }

  #append(partition: Partition<Item>, piece: Piece<Item>): void {
    partition.pieces.push(piece);
    partition.size += this.#sizeOf(piece);
    partition.timer ??= this.#clock.after(this.#config.flushTimeoutMs, () => {
      this.#flush(partition);
      this.#partitions.delete(partition.key);
    });
  }

  #flush(partition: Partition<Item>): void {
    partition.timer?.cancel();
    partition.timer = undefined;
    if (partition.pieces.length === 0) return;
    const { pieces, metadata } = partition;
    partition.pieces = [];
    partition.size = 0;
    this.#emit({ pieces, metadata });
  }

  #sizeOf(piece: Piece<Item>): number {
    return this.#config.sizer === 'items' ? piece.spanCount : piece.byteLength;
  }

  #partitionOf(metadata: RequestMetadata | undefined): Partition<Item> {
    const keys = this.#config.metadataKeys;
    const kept = new Map<string, readonly string[]>();
    for (const key of keys) {
      const values = metadata?.get(key);
      if (values !== undefined) kept.set(key, values);
    }
    const key = keys.length === 0 ? '' : JSON.stringify([...kept]);
    let partition = this.#partitions.get(key);
    if (partition === undefined) {
      partition = { key, metadata: kept.size === 0 ? undefined : kept, pieces: [], size: 0, timer: undefined };
      this.#partitions.set(key, partition);
    }
    return partition;
  }
}
