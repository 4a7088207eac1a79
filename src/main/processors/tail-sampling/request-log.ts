/** The requests that a sampler holds: copied once into segments of the arena, indexed by a ring that the shards read. Main thread writes. */

import { requestBlock } from '../../../shared/arena/region-layout.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';
import type { PayloadRows, TracesPayload } from '../../pipeline/component.ts';
import { walkPayload } from '../../pipeline/walk-payload.ts';

/** 'full': memory is short; 'behind': as many requests as the ring holds wait for their shards. */
export type AppendOutcome = 'appended' | 'full' | 'behind' | 'malformed';

interface Segment {
  readonly block: ArenaBlock;
  /** Bytes written from the block's start. */
  used: number;
  lastSequence: number;
  lastWriteMs: number;
}

/** How far every shard of the instance has come. */
export interface LogProgress {
  /** Sequence of the first request that some shard has not taken whole. */
  readonly cursor: number;
  /** Arrival of the oldest trace that some shard has not decided. Units: monotonic milliseconds; +Infinity is none. */
  readonly watermark: number;
}

/**
 * Segments free by watermark: every trace is decided within its wait, so once all shards have decided everything that arrived up to a segment's last
 * write, nothing points into it any more. There are no reference counts.
 */
export class RequestLog {
  readonly ringSlots: number;
  readonly ringAt: number;
  readonly ringHeadAt: number;
  readonly #arena: Arena;
  readonly #segmentBytes: number;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #ring: ArenaBlock;
  #segments: Segment[] = [];
  #next = 0;
  #lastMs = 0;

  constructor(arena: Arena, options: { segmentBytes: number; ringSlots: number; ring: ArenaBlock }) {
    this.#arena = arena;
    this.#segmentBytes = options.segmentBytes;
    this.ringSlots = options.ringSlots;
    this.#ring = options.ring;
    this.ringHeadAt = options.ring.offset;
    this.ringAt = options.ring.offset + 64;
    const buffer = arena.memory.buffer;
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#words[this.ringHeadAt / 4] = 0;
  }

  /** Sequence that the next request gets. */
  get next(): number {
    return this.#next;
  }

  get heldBytes(): number {
    let held = 0;
    for (const segment of this.#segments) held += segment.block.length;
    return held;
  }

  /** Last write of the oldest segment that holds something; `andCurrent` false leaves out the one being filled. Units: monotonic milliseconds. */
  oldestWriteMs(andCurrent: boolean): number | undefined {
    const oldest = this.#segments[0];
    const isIn = oldest !== undefined && oldest.used > 0 && (andCurrent || this.#segments.length > 1);
    return isIn ? oldest.lastWriteMs : undefined;
  }

  /**
   * Copies the request and writes its rows.
   *
   * Bounds: `mayGrow` is asked before a further segment of so many bytes is taken from the arena.
   */
  append(payload: TracesPayload, receivedMs: number, cursor: number, mayGrow: (bytes: number) => boolean): AppendOutcome {
    if (((this.#next - cursor) | 0) >= this.ringSlots) return 'behind';
    const length = payload.bytes.length;
    const rows = payload.rows ?? walkPayload(this.#arena, payload);
    if (!rows) return 'full';
    const segment = this.#segmentFor(payload, rows, mayGrow);
    if (!segment) return 'full';
    const at = segment.block.offset + segment.used;
    const bytesAt = at + requestBlock.bytes;
    const runs = align(bytesAt + length);
    copyBytes(payload.bytes, this.#bytes, bytesAt);
    const runCount = this.#arena.kernel.split(bytesAt, length, runs, rows.uniform);
    if (runCount < 0) return 'malformed';
    const end = align(runs + this.#arena.kernel.splitBytes());
    // Two requests may arrive within one tick of the clock; the log's own time never stands still backwards.
    this.#lastMs = Math.max(this.#lastMs, receivedMs);
    const words = this.#words;
    words[(at + requestBlock.spanCount) / 4] = payload.spanCount;
    words[(at + requestBlock.runCount) / 4] = runCount;
    words[(at + requestBlock.runs) / 4] = runs;
    words[(at + requestBlock.bytesLength) / 4] = length;
    words[(at + requestBlock.end) / 4] = end;
    words[(at + requestBlock.sequence) / 4] = this.#next;
    this.#doubles[(at + requestBlock.receivedMs) / 8] = this.#lastMs;
    words[this.ringAt / 4 + (this.#next & (this.ringSlots - 1))] = at;
    segment.used = end - segment.block.offset;
    segment.lastSequence = this.#next;
    segment.lastWriteMs = this.#lastMs;
    this.#next = (this.#next + 1) >>> 0;
    // Pairs with the load in Shard.#takeRequests.
    Atomics.store(words, this.ringHeadAt / 4, this.#next);
    return 'appended';
  }

  /** When the request with this sequence, which is still held, arrived. Units: monotonic milliseconds. */
  receivedMs(sequence: number): number {
    const at = this.#words[this.ringAt / 4 + (sequence & (this.ringSlots - 1))];
    return this.#doubles[(at + requestBlock.receivedMs) / 8];
  }

  /** Gives back every segment that no shard needs any more. */
  free(progress: LogProgress): void {
    const segments = this.#segments;
    let freed = 0;
    while (freed < segments.length && isSettled(segments[freed], progress)) {
      // The one being filled starts anew, unless one large request made it larger than the next will need.
      if (freed === segments.length - 1 && segments[freed].block.length <= this.#segmentBytes) {
        segments[freed].used = 0;
        break;
      }
      this.#arena.release(segments[freed].block);
      freed++;
    }
    if (freed > 0) this.#segments = segments.slice(freed);
  }

  /** Positions of the request blocks from which a shard's undecided traces can be rebuilt, oldest first. */
  unsettledBlocks(watermark: number): number[] {
    const blocks: number[] = [];
    for (const segment of this.#segments) {
      const end = segment.block.offset + segment.used;
      for (let at = segment.block.offset; at < end; at = this.#words[(at + requestBlock.end) / 4]) {
        if (this.#doubles[(at + requestBlock.receivedMs) / 8] >= watermark) blocks.push(at);
      }
    }
    return blocks;
  }

  /** Gives everything back. No shard runs any more. */
  release(): void {
    for (const segment of this.#segments) this.#arena.release(segment.block);
    this.#segments = [];
    this.#arena.release(this.#ring);
  }

  #segmentFor(payload: TracesPayload, rows: PayloadRows, mayGrow: (bytes: number) => boolean): Segment | undefined {
    const current = this.#segments.at(-1);
    const room = requestBlock.bytes + payload.bytes.length + rows.bytesMax + 64;
    if (current && current.block.length - current.used >= room) return current;
    const wanted = Math.max(this.#segmentBytes, room);
    if (!mayGrow(2 ** Math.ceil(Math.log2(wanted)))) return undefined;
    const block = this.#arena.acquire(wanted);
    if (!block) return undefined;
    const segment: Segment = { block, used: 0, lastSequence: this.#next, lastWriteMs: 0 };
    if (current && current.used === 0) {
      this.#arena.release(current.block);
      this.#segments.pop();
    }
    this.#segments.push(segment);
    return segment;
  }
}

function isSettled(segment: Segment, progress: LogProgress): boolean {
  return ((progress.cursor - segment.lastSequence) | 0) > 0 && segment.lastWriteMs < progress.watermark;
}

function align(position: number): number {
  return Math.ceil(position / 8) * 8;
}
