/** Open addressing from trace id to trace row or decision row, linear probing, 8 bytes a slot. Whichever thread runs the shard. */

import { cacheRow, header, traceRow } from '../arena/region-layout.ts';
import { clearIndex, type ShardMemory } from './shard-memory.ts';

/** Set in a reference to a decision row. The rest is the row number + 1; 0 is an empty slot. */
export const decidedReference = 0x80000000;

/** The sixteen id bytes as four words, as they lie in memory. One instance a shard, filled by `readTraceId`. */
export interface TraceIdWords {
  word0: number;
  word1: number;
  word2: number;
  word3: number;
}

/** Reads the id at byte position `at`, which need not be aligned. */
export function readTraceId(memory: ShardMemory, at: number, into: TraceIdWords): void {
  into.word0 = memory.view.getUint32(at, true);
  into.word1 = memory.view.getUint32(at + 4, true);
  into.word2 = memory.view.getUint32(at + 8, true);
  into.word3 = memory.view.getUint32(at + 12, true);
}

/** Returns the reference stored for the id, or 0. `traceStride`: words of a trace row. */
export function findReference(memory: ShardMemory, traceStride: number, id: TraceIdWords, hash: number): number {
  const { words } = memory;
  const level = words[memory.head + header.indexLevel];
  const mask = 2 ** level - 1;
  const base = memory.place.indexAt / 4 + 2 * 2 ** level;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const at = base + 2 * slot;
    const reference = words[at + 1];
    if (reference === 0) return 0;
    if (words[at] === hash && sameId(words, rowOf(memory, traceStride, reference), id)) return reference;
  }
}

/** Stores a reference for an id that is not in the index yet. Bounds: the caller keeps rows below the index's capacity. */
export function insertReference(memory: ShardMemory, hash: number, reference: number): void {
  const { words } = memory;
  const level = words[memory.head + header.indexLevel];
  const used = ++words[memory.head + header.indexUsed];
  if (used * 4 > 2 ** level * 3 && level < memory.place.indexLevelMax) growIndex(memory, level);
  place(memory, hash, reference);
}

/** Puts another reference in place of the one stored under the same id (a trace that has just been decided). */
export function replaceReference(memory: ShardMemory, hash: number, before: number, after: number): void {
  memory.words[slotOf(memory, hash, before) + 1] = after;
}

/** Removes a reference, moving later members of the probe chain back so that no tombstones are needed. */
export function removeReference(memory: ShardMemory, hash: number, reference: number): void {
  const { words } = memory;
  const level = words[memory.head + header.indexLevel];
  const mask = 2 ** level - 1;
  const base = memory.place.indexAt / 4 + 2 * 2 ** level;
  let hole = (slotOf(memory, hash, reference) - base) / 2;
  for (let slot = (hole + 1) & mask; words[base + 2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
    const home = words[base + 2 * slot] & mask;
    if (((slot - home) & mask) >= ((slot - hole) & mask)) {
      words[base + 2 * hole] = words[base + 2 * slot];
      words[base + 2 * hole + 1] = words[base + 2 * slot + 1];
      hole = slot;
    }
  }
  words[base + 2 * hole + 1] = 0;
  words[memory.head + header.indexUsed]--;
}

/** Word index of the row that a reference names. */
export function rowOf(memory: ShardMemory, traceStride: number, reference: number): number {
  return reference >= decidedReference
    ? memory.place.cacheAt / 4 + (reference - decidedReference - 1) * cacheRow.words
    : memory.place.tracesAt / 4 + (reference - 1) * traceStride;
}

function sameId(words: Uint32Array, row: number, id: TraceIdWords): boolean {
  return (
    words[row + traceRow.id] === id.word0 &&
    words[row + traceRow.id + 1] === id.word1 &&
    words[row + traceRow.id + 2] === id.word2 &&
    words[row + traceRow.id + 3] === id.word3
  );
}

function place(memory: ShardMemory, hash: number, reference: number): void {
  const { words } = memory;
  const level = words[memory.head + header.indexLevel];
  const mask = 2 ** level - 1;
  const base = memory.place.indexAt / 4 + 2 * 2 ** level;
  let slot = hash & mask;
  while (words[base + 2 * slot + 1] !== 0) slot = (slot + 1) & mask;
  words[base + 2 * slot] = hash;
  words[base + 2 * slot + 1] = reference;
}

function slotOf(memory: ShardMemory, hash: number, reference: number): number {
  const { words } = memory;
  const level = words[memory.head + header.indexLevel];
  const mask = 2 ** level - 1;
  const base = memory.place.indexAt / 4 + 2 * 2 ** level;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const stored = words[base + 2 * slot + 1];
    if (stored === reference) return base + 2 * slot;
    if (stored === 0) throw new Error('broken invariant: a row is missing from the trace index');
  }
}

/** Level k lies at slot 2^k of the piece, so the larger index never overlaps the smaller one. */
function growIndex(memory: ShardMemory, level: number): void {
  const { words } = memory;
  const used = words[memory.head + header.indexUsed];
  const from = memory.place.indexAt / 4 + 2 * 2 ** level;
  clearIndex(memory, level + 1);
  for (let at = from; at < from + 2 * 2 ** level; at += 2) {
    if (words[at + 1] !== 0) place(memory, words[at], words[at + 1]);
  }
  words[memory.head + header.indexUsed] = used;
}
