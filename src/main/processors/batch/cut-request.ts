/** Cuts one serialized request into two at a span boundary, headers repeated on both sides. Main thread. */

import { runRow } from '../../../shared/arena/rows.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';

/** `head` and `tail` are views into `block`, which the caller releases. */
export interface CutRequest {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly block: ArenaBlock;
}

/**
 * Cuts the request at [ptr, ptr + len) of the arena after its first `headSpans` spans in wire order.
 *
 * Bounds: 0 < headSpans < spans of the request.
 * Errors: undefined when the arena has no room for the two halves, or the bytes are no request.
 */
export function cutRequest(arena: Arena, ptr: number, len: number, headSpans: number): CutRequest | undefined {
  const { kernel } = arena;
  if (kernel.validate(ptr, len) <= headSpans) return undefined;
  const rowsBytesMax = kernel.splitBytesMax() + runRow.bytes + 8;
  const rows = arena.acquire(rowsBytesMax);
  if (rows === undefined) return undefined;
  try {
    const runs = kernel.split(ptr, len, rows.offset);
    if (runs <= 0) return undefined;
    const spareRow = (rows.offset + kernel.splitBytes() + 7) & ~7;
    const tailRun = linkHalves(new DataView(arena.memory.buffer), rows.offset, runs, headSpans, spareRow >>> 0);
    const headBytes = kernel.frameBytes(rows.offset);
    const tailBytes = kernel.frameBytes(tailRun);
    const block = arena.acquire(headBytes + tailBytes);
    if (block === undefined) return undefined;
    kernel.frame(rows.offset, block.offset);
    kernel.frame(tailRun, block.offset + headBytes);
    return { head: block.bytes.subarray(0, headBytes), tail: block.bytes.subarray(headBytes, headBytes + tailBytes), block };
  } finally {
    arena.release(rows);
  }
}

/** Links the runs into two chains; a run that crosses the limit becomes two rows. Returns the first row of the second chain. */
function linkHalves(memory: DataView, firstRow: number, runs: number, headSpans: number, spareRow: number): number {
  const read = (row: number, offset: number) => memory.getUint32(row + offset, true);
  const write = (row: number, offset: number, value: number) => memory.setUint32(row + offset, value, true);
  let left = headSpans;
  let tailRun = 0;
  for (let index = 0; index < runs; index++) {
    const row = firstRow + index * runRow.bytes;
    const next = index + 1 < runs ? row + runRow.bytes : 0;
    const spans = read(row, runRow.spanCount);
    write(row, runRow.next, next);
    if (tailRun !== 0 || left > spans) {
      left -= tailRun === 0 ? spans : 0;
      continue;
    }
    write(row, runRow.next, 0);
    if (left === spans) {
      tailRun = next;
      continue;
    }
    const start = read(row, runRow.spans);
    const length = read(row, runRow.spansLength);
    const cut = skipSpans(memory, start, left);
    for (let offset = 0; offset < runRow.bytes; offset += 4) write(spareRow, offset, read(row, offset));
    write(row, runRow.spanCount, left);
    write(row, runRow.spansLength, cut - start);
    write(spareRow, runRow.next, next);
    write(spareRow, runRow.spans, cut);
    write(spareRow, runRow.spansLength, start + length - cut);
    write(spareRow, runRow.spanCount, spans - left);
    tailRun = spareRow;
  }
  return tailRun;
}

/** Steps over `count` length-delimited fields that lie one after the other; the kernel has validated them. */
function skipSpans(memory: DataView, start: number, count: number): number {
  let position = start;
  for (let index = 0; index < count; index++) {
    while (memory.getUint8(position++) >= 0x80);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = memory.getUint8(position++);
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    position += length;
  }
  return position;
}
