/** Cuts one serialized request in two at a span boundary, every header kept on both sides. Main thread. */

import { runRow } from '../../shared/arena/rows.ts';
import type { Arena, ArenaBlock } from '../arena/arena.ts';

/** `head` and `tail` are views into `block`, which the caller releases. */
export interface CutRequest {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly headSpans: number;
  readonly block: ArenaBlock;
}

/** How much the head may hold; at least one span goes into it whatever its size. Units: `bytesMax` is bytes of the spans alone, headers come on top. */
export interface CutLimits {
  readonly spansMax: number;
  readonly bytesMax: number;
}

interface CutChain {
  readonly tailRun: number;
  readonly headSpans: number;
}

/**
 * Cuts the request at [ptr, ptr + length) of the arena behind its first spans in wire order, as many as the limits allow.
 *
 * Errors: undefined when nothing is left for the tail, the arena has no room for the two halves, or the bytes are no request.
 */
export function cutRequest(arena: Arena, ptr: number, length: number, limits: CutLimits): CutRequest | undefined {
  const { kernel } = arena;
  if (kernel.validate(ptr, length) < 2) return undefined;
  // One more row than split writes: the run in which the cut falls becomes two.
  const rows = arena.acquire(kernel.splitBytesMax() + runRow.bytes + 8);
  if (rows === undefined) return undefined;
  try {
    const runCount = kernel.split(ptr, length, rows.offset);
    const spareRow = rows.offset + Math.ceil(kernel.splitBytes() / 8) * 8;
    const { tailRun, headSpans } = cutChain(arena, rows.offset, runCount, spareRow, limits);
    if (tailRun === 0) return undefined;
    const headBytes = kernel.frameBytes(rows.offset);
    const tailBytes = kernel.frameBytes(tailRun);
    const block = arena.acquire(headBytes + tailBytes);
    if (block === undefined) return undefined;
    kernel.frame(rows.offset, block.offset);
    kernel.frame(tailRun, block.offset + headBytes);
    return {
      head: block.bytes.subarray(0, headBytes),
      tail: block.bytes.subarray(headBytes, headBytes + tailBytes),
      headSpans,
      block,
    };
  } finally {
    arena.release(rows);
  }
}

/** Links the rows into two chains; a run that crosses a limit becomes two rows. `tailRun` is the first row of the second chain, 0 when all spans are in the first. */
function cutChain(arena: Arena, firstRow: number, runCount: number, spareRow: number, limits: CutLimits): CutChain {
  const words = new Uint32Array(arena.memory.buffer);
  const memory = new Uint8Array(arena.memory.buffer);
  let headSpans = 0;
  let headBytes = 0;
  let tailRun = 0;
  for (let run = 0; run < runCount; run++) {
    const row = firstRow + run * runRow.bytes;
    const nextRow = run + 1 < runCount ? row + runRow.bytes : 0;
    words[(row + runRow.next) / 4] = nextRow;
    if (tailRun !== 0) continue;
    const start = words[(row + runRow.spans) / 4]!;
    const count = words[(row + runRow.spanCount) / 4]!;
    let position = start;
    let taken = 0;
    while (taken < count) {
      const end = endOfSpan(memory, position);
      if (headSpans > 0 && (headSpans + 1 > limits.spansMax || headBytes + end - position > limits.bytesMax)) break;
      headBytes += end - position;
      headSpans++;
      taken++;
      position = end;
    }
    if (taken === count) continue;
    if (taken === 0) {
      tailRun = row;
      words[(row - runRow.bytes + runRow.next) / 4] = 0;
      continue;
    }
    tailRun = spareRow;
    words.copyWithin(spareRow / 4, row / 4, (row + runRow.bytes) / 4);
    words[(spareRow + runRow.spans) / 4] = position;
    words[(spareRow + runRow.spansLength) / 4]! -= position - start;
    words[(spareRow + runRow.spanCount) / 4] = count - taken;
    words[(row + runRow.next) / 4] = 0;
    words[(row + runRow.spansLength) / 4] = position - start;
    words[(row + runRow.spanCount) / 4] = taken;
  }
  return { tailRun, headSpans };
}

/** Spans of a run lie one behind the other, and the kernel has checked their tags and lengths: at most ten bytes each, then the body. */
function endOfSpan(memory: Uint8Array, at: number): number {
  let position = at;
  while (memory[position++]! >= 0x80);
  let length = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = memory[position++]!;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return position + length;
  }
}
