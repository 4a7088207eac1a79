/** Finds out for a payload what a receiver would have found: for payloads that a stage put together. Main thread. */

import type { Arena } from '../arena/arena.ts';
import type { PayloadRows, TracesPayload } from './component.ts';

/** Undefined when the bytes lie outside the arena and no block is free to walk them in. */
export function walkPayload(arena: Arena, payload: TracesPayload): PayloadRows | undefined {
  const { bytes } = payload;
  if (bytes.buffer === arena.memory.buffer) return walk(arena, bytes.byteOffset, bytes.length);
  const block = arena.acquire(bytes.length);
  if (!block) return undefined;
  block.bytes.set(bytes);
  const rows = walk(arena, block.offset, bytes.length);
  arena.release(block);
  return rows;
}

function walk(arena: Arena, at: number, length: number): PayloadRows {
  arena.kernel.validate(at, length);
  return { bytesMax: arena.kernel.splitBytesMax(), uniform: arena.kernel.uniform() };
}
