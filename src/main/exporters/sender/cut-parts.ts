/** Cuts a queued request in two, and gives each half bytes of its own. Main thread. */

import type { Arena } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';
import { cutRequest } from '../../pipeline/cut-request.ts';

export interface CutPart {
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  readonly spanCount: number;
}

/**
 * Cuts off as many leading spans as `sizeMax` allows, at least one.
 *
 * Units:  `sizeMax` is spans, or bytes of the spans themselves (headers come on top).
 * Errors: undefined when the request cannot be cut: one span, no room in the arena, or bytes that do not parse.
 */
export function cutParts(
  arena: Arena,
  chunks: readonly Uint8Array[],
  byteLength: number,
  spanCount: number,
  sizer: 'items' | 'bytes',
  sizeMax: number,
): { readonly head: CutPart; readonly rest: CutPart } | undefined {
  if (spanCount < 2) return undefined;
  const source = arena.acquire(byteLength);
  if (source === undefined) return undefined;
  let position = 0;
  for (const chunk of chunks) {
    copyBytes(chunk, source.bytes, position);
    position += chunk.length;
  }
  const limits = sizer === 'items' ? { spansMax: sizeMax, bytesMax: Infinity } : { spansMax: Infinity, bytesMax: sizeMax };
  const cut = cutRequest(arena, source.offset, byteLength, limits);
  arena.release(source);
  if (cut === undefined) return undefined;
  const head = partOf(cut.head, cut.headSpans);
  const rest = partOf(cut.tail, spanCount - cut.headSpans);
  arena.release(cut.block);
  return { head, rest };
}

/** A copy lives as long as the request it came from; only the garbage collector knows when the last part has gone. */
function partOf(view: Uint8Array, spanCount: number): CutPart {
  const bytes = new Uint8Array(view.length);
  copyBytes(view, bytes, 0);
  return { chunks: [bytes], byteLength: bytes.length, spanCount };
}
