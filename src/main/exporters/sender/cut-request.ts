/** Cuts one ExportTraceServiceRequest in two at a span boundary, every header kept on both sides. Main thread. */

import { runRow } from '../../../shared/arena/rows.ts';
import type { Arena } from '../../arena/arena.ts';

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
export function cutRequest(
  arena: Arena,
  chunks: readonly Uint8Array[],
  byteLength: number,
  spanCount: number,
  sizer: 'items' | 'bytes',
  sizeMax: number,
): { readonly head: CutPart; readonly rest: CutPart } | undefined {
  if (spanCount < 2) return undefined;
  const { kernel } = arena;
  const source = arena.acquire(byteLength);
  if (source === undefined) return undefined;
  let position = 0;
  for (const chunk of chunks) {
    source.bytes.set(chunk, position);
    position += chunk.length;
  }
  const cannot = (): undefined => {
    arena.release(source);
    return undefined;
  };
  if (kernel.validate(source.offset, byteLength) < 2) return cannot();
  // One more row than split writes: the run in which the cut falls becomes two.
  const rows = arena.acquire(kernel.splitBytesMax() + runRow.bytes);
  if (rows === undefined) return cannot();
  const runCount = kernel.split(source.offset, byteLength, rows.offset);
  const words = new Uint32Array(arena.memory.buffer, rows.offset, rows.length >>> 2);
  const extraRow = rows.offset + alignTo8(kernel.splitBytes());
  const cut = cutChain(
    words,
    new Uint8Array(arena.memory.buffer),
    rows.offset,
    runCount,
    extraRow,
    sizer === 'items' ? sizeMax : spanCount,
    sizer === 'bytes' ? sizeMax : Infinity,
  );
  const head = framePart(arena, cut.headFirst, cut.headSpans);
  const rest = head === undefined ? undefined : framePart(arena, cut.restFirst, spanCount - cut.headSpans);
  arena.release(rows);
  arena.release(source);
  return head === undefined || rest === undefined ? undefined : { head, rest };
}

function framePart(arena: Arena, firstRunPtr: number, spanCount: number): CutPart | undefined {
  const byteLength = arena.kernel.frameBytes(firstRunPtr);
  const block = arena.acquire(byteLength);
  if (block === undefined) return undefined;
  arena.kernel.frame(firstRunPtr, block.offset);
  // The copy lives as long as the request it came from; only the garbage collector knows when the last part has gone.
  const bytes = Uint8Array.prototype.slice.call(block.bytes, 0, byteLength);
  arena.release(block);
  return { chunks: [bytes], byteLength, spanCount };
}

function alignTo8(value: number): number {
  return (value + 7) & ~7;
}

/** Links the runs into two chains that part after `spansMax` spans or `bytesMax` bytes; a run may be cut inside. */
function cutChain(
  words: Uint32Array,
  memory: Uint8Array,
  rowsPtr: number,
  runCount: number,
  extraRow: number,
  spansMax: number,
  bytesMax: number,
): { headFirst: number; restFirst: number; headSpans: number } {
  let headSpans = 0;
  let headBytes = 0;
  let restFirst = 0;
  const wordAt = (rowPtr: number, field: number): number => (rowPtr + field - rowsPtr) >>> 2;
  for (let run = 0; run < runCount; run++) {
    const row = rowsPtr + run * runRow.bytes;
    const nextRow = run + 1 < runCount ? row + runRow.bytes : 0;
    words[wordAt(row, runRow.next)] = nextRow;
    if (restFirst !== 0) continue;
    const spans = words[wordAt(row, runRow.spans)]!;
    const spansEnd = spans + words[wordAt(row, runRow.spansLength)]!;
    const count = words[wordAt(row, runRow.spanCount)]!;
    let position = spans;
    let taken = 0;
    while (taken < count) {
      const end = endOfField(memory, position);
      if (headSpans > 0 && (headSpans + 1 > spansMax || headBytes + end - position > bytesMax)) break;
      headBytes += end - position;
      headSpans++;
      taken++;
      position = end;
    }
    if (taken === count) continue;
    if (taken === 0) {
      restFirst = row;
      words[wordAt(row - runRow.bytes, runRow.next)] = 0;
      continue;
    }
    restFirst = extraRow;
    words.copyWithin(wordAt(extraRow, 0), wordAt(row, 0), wordAt(row, runRow.bytes));
    words[wordAt(extraRow, runRow.next)] = nextRow;
    words[wordAt(extraRow, runRow.spans)] = position;
    words[wordAt(extraRow, runRow.spansLength)] = spansEnd - position;
    words[wordAt(extraRow, runRow.spanCount)] = count - taken;
    words[wordAt(row, runRow.next)] = 0;
    words[wordAt(row, runRow.spansLength)] = position - spans;
    words[wordAt(row, runRow.spanCount)] = taken;
  }
  return { headFirst: rowsPtr, restFirst, headSpans };
}

/** The kernel has checked the bytes: a tag and a length of at most ten bytes each, then the body. */
function endOfField(memory: Uint8Array, at: number): number {
  let position = at;
  while (memory[position]! >= 0x80) position++;
  position++;
  let length = 0;
  let scale = 1;
  for (;;) {
    const byte = memory[position++]!;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return position + length;
    scale *= 128;
  }
}
