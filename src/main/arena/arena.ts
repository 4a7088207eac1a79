/** The process's one shared memory: block allocator for receive buffers, trace segments, framed output and send buffers. Main thread owns it. */

import type { Kernel } from '../../shared/kernel.ts';

/** A piece of the arena. `offset` is a multiple of 65,536; `length` is the room it really has (a power of two, at least what was asked for). */
export interface ArenaBlock {
  readonly offset: number;
  readonly length: number;
  /** View over exactly [offset, offset + length). */
  readonly bytes: Uint8Array;
}

export interface Arena {
  readonly memory: WebAssembly.Memory;
  /** The main thread's kernel over `memory`. */
  readonly kernel: Kernel;
  readonly capacityBytes: number;
  heldBytes(): number;
  /** Takes a block of at least `bytesMin` bytes; undefined when none is free, which is normal operation: refuse, wait or decide early. */
  acquire(bytesMin: number): ArenaBlock | undefined;
  /** Gives a block back. Last in, first out, so that a lightly used arena touches few pages. */
  release(block: ArenaBlock): void;
}
