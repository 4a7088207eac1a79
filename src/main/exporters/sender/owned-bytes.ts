/** Copies of lent bytes for stages that acknowledge before the bytes are sent: arena blocks for large ones, Buffers for small ones. Main thread. */

import { Buffer } from 'node:buffer';
import type { Arena } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';

export interface OwnedBytes {
  readonly bytes: Uint8Array;
  release(): void;
}

/** Below half an arena page a block would waste more than it saves. */
const arenaBytesMin = 32_768;

/**
 * What the queues of a process may hold on the heap when the arena is full: a queue that counts requests is no bound in bytes. Half an arena is
 * more than a full sampler can still hand over, so what is decided is not lost here.
 */
const heapBytesMin = 32 * 1024 * 1024;
const heapBytes = new WeakMap<Arena, { held: number }>();

/** Copies the concatenation of `chunks`. Errors: undefined when the arena and the heap's share are full. */
export function copyToOwned(arena: Arena, chunks: readonly Uint8Array[], byteLength: number): OwnedBytes | undefined {
  const owned = ownedInArena(arena, byteLength, arenaBytesMin) ?? ownedOnHeap(arena, byteLength) ?? ownedInArena(arena, byteLength, 0);
  if (owned === undefined) return undefined;
  let position = 0;
  for (const chunk of chunks) {
    copyBytes(chunk, owned.bytes, position);
    position += chunk.length;
  }
  return owned;
}

/** Room for `byteLength` bytes, not cleared. Never fails: for a caller that holds few at a time. */
export function acquireOwned(arena: Arena, byteLength: number): OwnedBytes {
  return ownedInArena(arena, byteLength, arenaBytesMin) ?? { bytes: Buffer.allocUnsafe(byteLength), release() {} };
}

function ownedInArena(arena: Arena, byteLength: number, bytesMin: number): OwnedBytes | undefined {
  const block = byteLength >= bytesMin ? arena.acquire(byteLength) : undefined;
  return block && { bytes: block.bytes.subarray(0, byteLength), release: once(() => arena.release(block)) };
}

function ownedOnHeap(arena: Arena, byteLength: number): OwnedBytes | undefined {
  let share = heapBytes.get(arena);
  if (share === undefined) heapBytes.set(arena, (share = { held: 0 }));
  if (share.held + byteLength > Math.max(heapBytesMin, arena.capacityBytes / 2)) return undefined;
  share.held += byteLength;
  return {
    bytes: Buffer.allocUnsafe(byteLength),
    release: once(() => {
      share.held -= byteLength;
    }),
  };
}

function once(release: () => void): () => void {
  let released = false;
  return () => {
    if (released) return;
    released = true;
    release();
  };
}
