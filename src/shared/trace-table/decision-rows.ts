/** Rows of decided traces: the decision cache, least recently used out first, and the record that answers "why". Whichever thread runs the shard. */

import { cacheRow, header } from '../arena/region-layout.ts';
import type { ShardMemory } from './shard-memory.ts';

/** Sampled decisions and all others are remembered apart, as in the Collector. */
export interface CacheLimits {
  readonly sampledMax: number;
  readonly otherMax: number;
}

/** Row number for a new record, or -1 when nothing of the kind is to be remembered. The caller has made room by `oldestRow`. */
export function takeCacheRow(memory: ShardMemory): number {
  const { words, head } = memory;
  const row = words[head + header.cacheFree] - 1;
  if (row >= 0) {
    words[head + header.cacheFree] = words[cacheAt(memory, row) + cacheRow.next];
    return row;
  }
  const high = words[head + header.cacheHigh];
  if (high >= memory.place.cacheRowsMax) return -1;
  words[head + header.cacheHigh] = high + 1;
  return high;
}

export function freeCacheRow(memory: ShardMemory, row: number): void {
  const { words, head } = memory;
  const at = cacheAt(memory, row);
  unlinkRecord(memory, row);
  words[at + cacheRow.verdict] = 0;
  words[at + cacheRow.next] = words[head + header.cacheFree];
  words[head + header.cacheFree] = row + 1;
}

/** The least recently used row of a kind, or -1. */
export function oldestRow(memory: ShardMemory, sampled: boolean): number {
  return memory.words[memory.head + (sampled ? header.sampledHead : header.otherHead)] - 1;
}

export function recordCount(memory: ShardMemory, sampled: boolean): number {
  return memory.words[memory.head + (sampled ? header.sampledCount : header.otherCount)];
}

/** Appends a row as the most recently used of its kind; its verdict is written already. */
export function linkRecord(memory: ShardMemory, row: number): void {
  const { words, head } = memory;
  const at = cacheAt(memory, row);
  const lists = listsOf(words[at + cacheRow.verdict]);
  const tail = words[head + lists.tail];
  words[at + cacheRow.previous] = tail;
  words[at + cacheRow.next] = 0;
  if (tail === 0) words[head + lists.head] = row + 1;
  else words[cacheAt(memory, tail - 1) + cacheRow.next] = row + 1;
  words[head + lists.tail] = row + 1;
  words[head + lists.count]++;
}

/** A late span asked for it: it becomes the most recently used of its kind. */
export function refreshRecord(memory: ShardMemory, row: number): void {
  const { words } = memory;
  if (words[cacheAt(memory, row) + cacheRow.next] === 0) return;
  unlinkRecord(memory, row);
  linkRecord(memory, row);
}

/** Word index of a decision row. */
export function cacheAt(memory: ShardMemory, row: number): number {
  return memory.place.cacheAt / 4 + row * cacheRow.words;
}

const sampledDecision = 1;
const sampledLists = { head: header.sampledHead, tail: header.sampledTail, count: header.sampledCount };
const otherLists = { head: header.otherHead, tail: header.otherTail, count: header.otherCount };

function listsOf(verdict: number): typeof sampledLists | typeof otherLists {
  return (verdict & 0xff) === sampledDecision ? sampledLists : otherLists;
}

function unlinkRecord(memory: ShardMemory, row: number): void {
  const { words, head } = memory;
  const at = cacheAt(memory, row);
  const lists = listsOf(words[at + cacheRow.verdict]);
  const previous = words[at + cacheRow.previous];
  const next = words[at + cacheRow.next];
  if (previous === 0) words[head + lists.head] = next;
  else words[cacheAt(memory, previous - 1) + cacheRow.next] = next;
  if (next === 0) words[head + lists.tail] = previous;
  else words[cacheAt(memory, next - 1) + cacheRow.previous] = previous;
  words[head + lists.count]--;
}
