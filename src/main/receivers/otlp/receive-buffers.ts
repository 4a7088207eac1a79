/** Places for request bytes in the arena, so that the kernel can read them and no request costs external memory. Main thread. */

import { Buffer } from 'node:buffer';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import { dropUnusableSpans } from './unusable-spans.ts';

/** A place for one request. `pointer` is its position in the arena, or -1 when the bytes stand on the heap because the arena was full. */
export interface ReceiveBuffer {
  readonly pointer: number;
  /** Exactly the request's bytes. */
  readonly bytes: Uint8Array;
  readonly block: ArenaBlock | undefined;
  readonly slotClass: SlotClass | undefined;
}

export interface UsableBytes {
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  readonly rejectedSpans: number;
}

const slotBlockBytes = 65_536;

/** Slots of one size, cut out of 64 KiB blocks; freed slots are taken again last in, first out. */
class SlotClass {
  readonly slotBytes: number;
  readonly #arena: Arena;
  readonly #free: number[] = [];
  readonly #blocks = new Map<number, { readonly block: ArenaBlock; used: number }>();

  constructor(arena: Arena, slotBytes: number) {
    this.#arena = arena;
    this.slotBytes = slotBytes;
  }

  take(): number {
    if (this.#free.length === 0 && !this.#addBlock()) return -1;
    const pointer = this.#free.pop()!;
    this.#blocks.get(pointer - (pointer % slotBlockBytes))!.used++;
    return pointer;
  }

  give(pointer: number): void {
    const base = pointer - (pointer % slotBlockBytes);
    const held = this.#blocks.get(base)!;
    this.#free.push(pointer);
    // One block's worth of free slots stays; more than that goes back, so that a burst does not keep the arena.
    if (--held.used === 0 && this.#free.length > slotBlockBytes / this.slotBytes) this.#dropBlock(base, held.block);
  }

  #addBlock(): boolean {
    const block = this.#arena.acquire(slotBlockBytes);
    if (block === undefined) return false;
    this.#blocks.set(block.offset, { block, used: 0 });
    for (let offset = slotBlockBytes - this.slotBytes; offset >= 0; offset -= this.slotBytes) this.#free.push(block.offset + offset);
    return true;
  }

  #dropBlock(base: number, block: ArenaBlock): void {
    let kept = 0;
    for (const pointer of this.#free) if (pointer - (pointer % slotBlockBytes) !== base) this.#free[kept++] = pointer;
    this.#free.length = kept;
    this.#blocks.delete(base);
    this.#arena.release(block);
  }
}

/** One per arena, shared by all receivers of the process. */
export class ReceiveBuffers {
  static readonly #byArena = new WeakMap<Arena, ReceiveBuffers>();
  readonly #arena: Arena;
  readonly #memory: ArrayBufferLike;
  readonly #small: SlotClass;
  readonly #medium: SlotClass;
  readonly #heapBytesMax: number;
  #heapBytes = 0;
  #scratch: ArenaBlock | undefined;

  static of(arena: Arena): ReceiveBuffers {
    let buffers = ReceiveBuffers.#byArena.get(arena);
    if (buffers === undefined) ReceiveBuffers.#byArena.set(arena, (buffers = new ReceiveBuffers(arena)));
    return buffers;
  }

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#memory = arena.memory.buffer;
    this.#small = new SlotClass(arena, 4_096);
    this.#medium = new SlotClass(arena, 16_384);
    this.#heapBytesMax = Math.min(64 << 20, arena.capacityBytes / 8);
    // Taken now, because it is needed exactly when nothing can be taken. Untouched pages cost no memory.
    this.#scratch = arena.acquire(Math.max(slotBlockBytes, Math.min(4 << 20, arena.capacityBytes / 64)));
  }

  /** Undefined when the arena is full and the heap's share is used up, or the request is larger than the scratch place. */
  take(byteLength: number): ReceiveBuffer | undefined {
    const slotClass = byteLength <= 4_096 ? this.#small : byteLength <= 16_384 ? this.#medium : undefined;
    if (slotClass !== undefined) {
      const pointer = slotClass.take();
      if (pointer >= 0) return { pointer, bytes: new Uint8Array(this.#memory, pointer, byteLength), block: undefined, slotClass };
      return this.#takeHeap(byteLength);
    }
    const block = this.#arena.acquire(byteLength);
    if (block === undefined) return this.#takeHeap(byteLength);
    return { pointer: block.offset, bytes: new Uint8Array(this.#memory, block.offset, byteLength), block, slotClass: undefined };
  }

  give(buffer: ReceiveBuffer): void {
    if (buffer.slotClass !== undefined) buffer.slotClass.give(buffer.pointer);
    else if (buffer.block !== undefined) this.#arena.release(buffer.block);
    else this.#heapBytes -= buffer.bytes.length;
  }

  /** Walks the request with the kernel; a request on the heap is copied to the scratch place for that moment. Returns as `Kernel.validate`. */
  validate(buffer: ReceiveBuffer): number {
    if (buffer.pointer >= 0) return this.#arena.kernel.validate(buffer.pointer, buffer.bytes.length);
    this.#scratch!.bytes.set(buffer.bytes);
    return this.#arena.kernel.validate(this.#scratch!.offset, buffer.bytes.length);
  }

  /**
   * Takes unusable spans out of a request that `validate` has just refused at `faultOffset`.
   *
   * Shape:  the bytes that are left, at the beginning of the buffer's, and as many spans as `validate` finds in them.
   * Errors: undefined when more than spans is broken.
   */
  dropUnusable(buffer: ReceiveBuffer, faultOffset: number): UsableBytes | undefined {
    const { kernel } = this.#arena;
    const at = buffer.pointer >= 0 ? buffer.pointer : this.#scratch!.offset;
    const usable = dropUnusableSpans(kernel, at, buffer.bytes.length, faultOffset);
    if (usable === undefined) return undefined;
    const spanCount = kernel.validate(at, usable.byteLength);
    if (spanCount < 0) return undefined;
    const bytes = buffer.bytes.subarray(0, usable.byteLength);
    if (buffer.pointer < 0) bytes.set(this.#scratch!.bytes.subarray(0, usable.byteLength));
    return { bytes, spanCount, rejectedSpans: usable.rejectedSpans };
  }

  #takeHeap(byteLength: number): ReceiveBuffer | undefined {
    if (this.#scratch === undefined || byteLength > this.#scratch.length) return undefined;
    if (this.#heapBytes + byteLength > this.#heapBytesMax) return undefined;
    this.#heapBytes += byteLength;
    return { pointer: -1, bytes: Buffer.allocUnsafeSlow(byteLength), block: undefined, slotClass: undefined };
  }
}
