/** Cuts a chain of runs where a room is full, without touching the chain. Whichever thread runs the shard. */

import { resourceRow, runRow, scopeRow } from '../../shared/arena/rows.ts';
import { WireReader } from '../../shared/otlp/wire-reader.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';

/** A place in a chain: a run, and how many bytes of its spans have gone before. */
export interface ChainPlace {
  readonly run: number;
  readonly skip: number;
}

export interface ChainHead {
  /** First of the copied rows, a chain of its own; 0: not even one span fits. */
  readonly firstRun: number;
  readonly spans: number;
  /** Where the rest begins; `run` is 0 when there is none. */
  readonly rest: ChainPlace;
}

/** Tag and length of a message of up to 4 GiB. */
const frameBytesMax = 6;
/** ScopeSpans.spans = 2. */
const spansTag = 0x12;

const reader = new WireReader();

/**
 * Copies as many rows of a chain as `roomBytes` holds when framed, the last one shortened to whole spans.
 *
 * The chain itself stays as it is, because it is what a task that dies half-way is repeated from.
 * Bounds: at most `rowsMax` rows, written from `rowsAt` (8-byte aligned) on.
 */
export function copyChainHead(memory: ShardMemory, from: ChainPlace, roomBytes: number, rowsAt: number, rowsMax: number): ChainHead {
  const { words } = memory;
  let { run, skip } = from;
  let room = roomBytes;
  let spans = 0;
  let rows = 0;
  let scope = 0;
  let mark = 0;
  while (run !== 0 && rows < rowsMax) {
    const own = words[(run + runRow.scope) / 4];
    const ownMark = words[(run + runRow.mark) / 4];
    if (own !== scope || ownMark !== mark) room -= headerBytesMax(words, own, ownMark);
    scope = own;
    mark = ownMark;
    const at = words[(run + runRow.spans) / 4] + skip;
    const length = words[(run + runRow.spansLength) / 4] - skip;
    const part = wholeSpans(memory, at, length, room);
    if (part.spans === 0) break;
    const row = rowsAt + rows * runRow.bytes;
    words.copyWithin(row / 4, run / 4, (run + runRow.bytes) / 4);
    words[(row + runRow.spans) / 4] = at;
    words[(row + runRow.spansLength) / 4] = part.length;
    words[(row + runRow.spanCount) / 4] = part.spans;
    words[(row + runRow.next) / 4] = 0;
    if (rows > 0) words[(row - runRow.bytes + runRow.next) / 4] = row;
    rows++;
    spans += part.spans;
    room -= part.length;
    if (part.length < length) {
      skip += part.length;
      break;
    }
    run = words[(run + runRow.next) / 4];
    skip = 0;
  }
  return { firstRun: rows > 0 ? rowsAt : 0, spans, rest: { run, skip } };
}

/** What a ScopeSpans of its own ResourceSpans takes beside its spans. */
function headerBytesMax(words: Uint32Array, scope: number, mark: number): number {
  const resource = words[(scope + scopeRow.resource) / 4];
  return (
    2 * frameBytesMax +
    words[(resource + resourceRow.firstLength) / 4] +
    words[(resource + resourceRow.secondLength) / 4] +
    words[(scope + scopeRow.firstLength) / 4] +
    words[(scope + scopeRow.secondLength) / 4] +
    (mark === 0 ? 0 : words[mark / 4])
  );
}

/** How many of the spans that begin at `at` fit, with the fields between them. */
function wholeSpans(memory: ShardMemory, at: number, length: number, room: number): { spans: number; length: number } {
  reader.at(memory.bytes, at);
  let spans = 0;
  let taken = 0;
  while (taken < length) {
    const tag = reader.varint();
    reader.skip(tag);
    if (reader.position - at > room) break;
    if (tag === spansTag) spans++;
    taken = reader.position - at;
  }
  return { spans, length: taken };
}
