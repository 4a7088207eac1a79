/** Spans that wait for their batch, as the bytes of one growing request. Main thread. */

import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';
import type { TracesPayload } from '../../pipeline/component.ts';
import { cutRequest } from '../../pipeline/cut-request.ts';

/** A batch on its way out; `release` gives its room back once it has been taken. */
export interface TakenBatch {
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  release(): void;
}

/**
 * Payloads appended one after the other: concatenating two requests is a valid merge.
 *
 * The bytes lie in one arena block, which doubles when full; when the arena has no block, in a buffer of the heap's own, because what is
 * acknowledged must be kept.
 */
export class PendingBatch {
  readonly #arena: Arena;
  #block: ArenaBlock | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;
  #spanCount = 0;
  /** Where each payload ends and how many spans lie before that end. */
  #ends: number[] = [];
  #spansBefore: number[] = [];
  /** Room of the batch before: the next one starts with as much, and does not grow step by step again. */
  #roomBytes = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get spanCount(): number {
    return this.#spanCount;
  }

  get byteLength(): number {
    return this.#length;
  }

  append(payload: TracesPayload): void {
    this.#appendBytes(payload.bytes, payload.spanCount);
  }

  /** Takes everything, or the first `spansMax` spans (0 = no limit). The rest stays. Without room for a cut, everything is taken. */
  take(spansMax: number): TakenBatch {
    const bytes = this.#bytes;
    const block = this.#block;
    const ends = this.#ends;
    const spansBefore = this.#spansBefore;
    let length = this.#length;
    let spanCount = this.#spanCount;
    this.#roomBytes = bytes.length;
    this.#clear();
    if (spansMax > 0 && spanCount > spansMax) {
      const crossing = spansBefore.findIndex((before) => before > spansMax);
      const start = crossing === 0 ? 0 : (ends[crossing - 1] as number);
      const spansAtStart = crossing === 0 ? 0 : (spansBefore[crossing - 1] as number);
      const end = ends[crossing] as number;
      const cutLength = this.#cut(bytes, block, start, end, spansMax - spansAtStart, (spansBefore[crossing] as number) - spansMax);
      if (cutLength !== undefined) {
        for (let index = crossing + 1; index < ends.length; index++) {
          const from = ends[index - 1] as number;
          this.#appendBytes(bytes.subarray(from, ends[index]), (spansBefore[index] as number) - (spansBefore[index - 1] as number));
        }
        length = start + cutLength;
        spanCount = spansMax;
      }
    }
    const arena = this.#arena;
    return {
      bytes: bytes.subarray(0, length),
      spanCount,
      release: () => {
        if (block !== undefined) arena.release(block);
      },
    };
  }

  /** Gives the room back; what is pending is lost. */
  discard(): void {
    if (this.#block !== undefined) this.#arena.release(this.#block);
    this.#clear();
  }

  #clear(): void {
    this.#block = undefined;
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    this.#spanCount = 0;
    this.#ends = [];
    this.#spansBefore = [];
  }

  /** Cuts the payload at [start, end): its head replaces it in place, its tail becomes the first pending payload. Returns the head's length. */
  #cut(
    bytes: Uint8Array,
    block: ArenaBlock | undefined,
    start: number,
    end: number,
    headSpans: number,
    tailSpans: number,
  ): number | undefined {
    if (headSpans === 0) {
      this.#appendBytes(bytes.subarray(start, end), tailSpans);
      return 0;
    }
    if (block === undefined) return undefined;
    const halves = cutRequest(this.#arena, block.offset + start, end - start, { spansMax: headSpans, bytesMax: Infinity });
    if (halves === undefined) return undefined;
    try {
      // The head holds fewer spans under the same headers, so it is never longer than what it replaces.
      if (halves.head.length > end - start) return undefined;
      bytes.set(halves.head, start);
      this.#appendBytes(halves.tail, tailSpans);
      return halves.head.length;
    } finally {
      this.#arena.release(halves.block);
    }
  }

  #appendBytes(bytes: Uint8Array, spanCount: number): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#grow(length);
    copyBytes(bytes, this.#bytes, this.#length);
    this.#length = length;
    this.#spanCount += spanCount;
    this.#ends.push(length);
    this.#spansBefore.push(this.#spanCount);
  }

  #grow(lengthMin: number): void {
    const wanted = Math.max(lengthMin, this.#bytes.length * 2, this.#length === 0 ? this.#roomBytes : 0);
    const block = this.#arena.acquire(wanted) ?? this.#arena.acquire(lengthMin);
    const bytes = block?.bytes ?? new Uint8Array(wanted);
    copyBytes(this.#bytes.subarray(0, this.#length), bytes, 0);
    if (this.#block !== undefined) this.#arena.release(this.#block);
    this.#block = block;
    this.#bytes = bytes;
  }
}
