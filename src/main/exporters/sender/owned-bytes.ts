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

/** Copies the concatenation of `chunks`. Never fails: without room in the arena the copy is a Buffer, whose bound is the queue's own. */
export function copyToOwned(arena: Arena, chunks: readonly Uint8Array[], byteLength: number): OwnedBytes {
  const owned = acquireOwned(arena, byteLength);
  let position = 0;
  for (const chunk of chunks) {
    copyBytes(chunk, owned.bytes, position);
    position += chunk.length;
  }
  return owned;
}

/** Room for `byteLength` bytes, not cleared. Never fails, as above. */
export function acquireOwned(arena: Arena, byteLength: number): OwnedBytes {
  const block = byteLength >= arenaBytesMin ? arena.acquire(byteLength) : undefined;
  const bytes = block === undefined ? Buffer.allocUnsafe(byteLength) : block.bytes.subarray(0, byteLength);
  let released = false;
  return {
    bytes,
    release() {
      if (released) return;
      released = true;
      if (block !== undefined) arena.release(block);
    },
  };
}
