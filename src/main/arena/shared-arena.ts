/** The process's one shared memory, handed out in blocks of 64 KiB · 2^k by a buddy allocator. Main thread. */

import assert from 'node:assert/strict';
import type { Kernel } from '../../shared/kernel.ts';
import { createSharedMemory, loadKernel, memoryBytesMax, wasmPageBytes } from '../../shared/kernel-module.ts';
import type { Arena, ArenaBlock } from './arena.ts';

export interface ArenaOptions {
  /** All of it, the kernel's page included. Rounded down to whole 64 KiB. */
  readonly capacityBytes: number;
  /** Largest block ever handed out; default: no limit but the capacity. */
  readonly maximumBlockBytes?: number;
}

const unitBytes = wasmPageBytes;
const nobody = -1;

/** Shape: `levels[k]` is a stack of free blocks of 2^k units; a block's own place in its stack makes taking it out of the middle O(1). */
class BuddyArena implements Arena {
  readonly memory: WebAssembly.Memory;
  readonly kernel: Kernel;
  readonly capacityBytes: number;
  readonly #levels: number[][] = [];
  /** Per unit: the level of the free block that starts here, or nobody. */
  readonly #freeLevel: Int8Array;
  /** Per unit: index of the free block that starts here in its stack. */
  readonly #place: Int32Array;
  readonly #blocks = new Set<ArenaBlock>();
  readonly #levelMax: number;
  #heldBytes = 0;

  constructor(options: ArenaOptions) {
    const units = Math.floor(Math.min(options.capacityBytes, memoryBytesMax) / unitBytes);
    assert(units >= 2, 'an arena needs its own 64 KiB and at least one block');
    this.capacityBytes = units * unitBytes;
    this.memory = createSharedMemory(this.capacityBytes);
    this.kernel = loadKernel(this.memory);
    this.#levelMax = Math.floor(Math.log2(Math.min(options.maximumBlockBytes ?? this.capacityBytes, this.capacityBytes) / unitBytes));
    this.#freeLevel = new Int8Array(units).fill(nobody);
    this.#place = new Int32Array(units);
    for (let level = 0; level < 32; level++) this.#levels.push([]);
    // High blocks first: the stacks then hand out low addresses first. Unit 0 is the kernel's.
    const initial: [unit: number, level: number][] = [];
    for (let unit = 1; unit < units; ) {
      let level = 31 - Math.clz32(unit & -unit);
      while (unit + 2 ** level > units) level--;
      initial.push([unit, level]);
      unit += 2 ** level;
    }
    for (const [unit, level] of initial.reverse()) this.#push(unit, level);
  }

  heldBytes(): number {
    return this.#heldBytes;
  }

  acquire(bytesMin: number): ArenaBlock | undefined {
    assert(bytesMin >= 0);
    const units = Math.max(1, Math.ceil(bytesMin / unitBytes));
    const wanted = units === 1 ? 0 : 32 - Math.clz32(units - 1);
    if (wanted > this.#levelMax) return undefined;
    let level = wanted;
    while (level < this.#levels.length && this.#levels[level]!.length === 0) level++;
    if (level >= this.#levels.length) return undefined;
    const unit = this.#levels[level]!.pop()!;
    this.#freeLevel[unit] = nobody;
    // The low half goes on, the high halves become free: used pages stay together at the bottom.
    while (level > wanted) {
      level--;
      this.#push(unit + 2 ** level, level);
    }
    const offset = unit * unitBytes;
    const length = 2 ** wanted * unitBytes;
    const block: ArenaBlock = { offset, length, bytes: new Uint8Array(this.memory.buffer, offset, length) };
    this.#blocks.add(block);
    this.#heldBytes += length;
    return block;
  }

  release(block: ArenaBlock): void {
    assert(this.#blocks.delete(block), `block at ${block.offset} is not held: released twice, or from another arena`);
    this.#heldBytes -= block.length;
    let unit = block.offset / unitBytes;
    let level = 31 - Math.clz32(block.length / unitBytes);
    for (;;) {
      const buddy = unit ^ (2 ** level);
      if (this.#freeLevel[buddy] !== level) break;
      this.#remove(buddy, level);
      unit = Math.min(unit, buddy);
      level++;
    }
    this.#push(unit, level);
  }

  #push(unit: number, level: number): void {
    const stack = this.#levels[level]!;
    this.#freeLevel[unit] = level;
    this.#place[unit] = stack.length;
    stack.push(unit);
  }

  #remove(unit: number, level: number): void {
    const stack = this.#levels[level]!;
    const last = stack.pop()!;
    if (last !== unit) {
      const place = this.#place[unit]!;
      stack[place] = last;
      this.#place[last] = place;
    }
    this.#freeLevel[unit] = nobody;
  }
}

/**
 * Bounds: at most `memoryBytesMax`; memory is reserved at once and costs nothing until touched.
 * Errors: RangeError when the address space is refused.
 */
export function createArena(options: ArenaOptions): Arena {
  return new BuddyArena(options);
}
