/** Pooled memory for framed slices: arena blocks that are filled from the front and given back when the last slice in them is settled. Main thread. */

import assert from 'node:assert/strict';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';

/** An arena block with slices in it. `references` counts the slices that still need their bytes. */
export interface FrameBlock {
  readonly block: ArenaBlock;
  readonly cursor: FrameCursor;
  usedBytes: number;
  references: number;
}

/** A backend's place to write: the block that has room. */
export interface FrameCursor {
  current: FrameBlock | undefined;
}

const blockBytesMin = 65_536;
const blockBytesMax = 1_048_576;

export class FrameBlocks {
  readonly #arena: Arena;
  readonly #bytesMax: number;
  #heldBytes = 0;

  /** Bounds: at most `bytesMax` bytes of blocks are held at a time. */
  constructor(arena: Arena, bytesMax: number) {
    this.#arena = arena;
    this.#bytesMax = bytesMax;
  }

  heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Finds room for `byteLength` bytes behind what `cursor` has written; the new slice holds a reference to the block.
   * `pendingBytes` is how much waits already: the more, the larger the next block.
   * Returns the block with the room at `usedBytes - byteLength`; undefined when the bound or the arena is full.
   */
  reserve(cursor: FrameCursor, byteLength: number, pendingBytes: number): FrameBlock | undefined {
    let frame = cursor.current;
    if (frame === undefined || frame.block.length - frame.usedBytes < byteLength) {
      const wantedBytes = Math.max(byteLength, Math.min(Math.max(blockBytesMin, pendingBytes), blockBytesMax));
      frame = this.#acquire(cursor, wantedBytes) ?? this.#acquire(cursor, byteLength);
      if (frame === undefined) return undefined;
      cursor.current = frame;
    }
    frame.usedBytes += byteLength;
    frame.references++;
    return frame;
  }

  /** Gives up one reference. The block goes back when it was the last, and its cursor starts anew. */
  release(frame: FrameBlock): void {
    assert(frame.references > 0);
    if (--frame.references > 0) return;
    if (frame.cursor.current === frame) frame.cursor.current = undefined;
    this.#heldBytes -= frame.block.length;
    this.#arena.release(frame.block);
  }

  #acquire(cursor: FrameCursor, byteLength: number): FrameBlock | undefined {
    if (this.#heldBytes + byteLength > this.#bytesMax) return undefined;
    const block = this.#arena.acquire(byteLength);
    if (block === undefined) return undefined;
    this.#heldBytes += block.length;
    return { block, cursor, usedBytes: 0, references: 0 };
  }
}
