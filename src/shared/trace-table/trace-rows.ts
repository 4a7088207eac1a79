/** Rows of undecided traces: allocation and the two lists by which they come due. Whichever thread runs the shard. */

import { header, traceRow } from '../arena/region-layout.ts';
import type { ShardMemory } from './shard-memory.ts';
import type { TraceIdWords } from './trace-index.ts';

/** Returns a cleared row number, or -1 when all are taken. */
export function takeTraceRow(memory: ShardMemory, stride: number, id: TraceIdWords, hash: number, arrivalMs: number): number {
  const { words, head } = memory;
  let row = words[head + header.traceFree] - 1;
  if (row >= 0) {
    words[head + header.traceFree] = words[traceAt(memory, stride, row) + traceRow.arrivalNext];
  } else {
    row = words[head + header.traceHigh];
    if (row >= memory.place.traceRowsMax) return -1;
    words[head + header.traceHigh] = row + 1;
  }
  const at = traceAt(memory, stride, row);
  words.fill(0, at, at + stride);
  words[at] = id.word0;
  words[at + 1] = id.word1;
  words[at + 2] = id.word2;
  words[at + 3] = id.word3;
  words[at + traceRow.hash] = hash;
  memory.doubles[(at + traceRow.arrival) / 2] = arrivalMs;
  words[head + header.traceCount]++;
  appendArrival(memory, stride, row);
  return row;
}

/** Takes the row off both lists and frees it; its words stay readable until the next `takeTraceRow`. */
export function freeTraceRow(memory: ShardMemory, stride: number, row: number): void {
  const { words, head } = memory;
  const at = traceAt(memory, stride, row);
  unlink(memory, stride, at, traceRow.arrivalPrevious, traceRow.arrivalNext, header.arrivalHead, header.arrivalTail);
  if (words[at + traceRow.rootDueDelta] !== 0) {
    unlink(memory, stride, at, traceRow.rootPrevious, traceRow.rootNext, header.rootHead, header.rootTail);
  }
  words[at + traceRow.arrivalNext] = words[head + header.traceFree];
  words[head + header.traceFree] = row + 1;
  words[head + header.traceCount]--;
}

/** Enters the row in the list of traces whose root span was seen. Units: `dueDeltaMs` counts from the trace's arrival. */
export function appendRoot(memory: ShardMemory, stride: number, row: number, dueDeltaMs: number): void {
  const { words, head } = memory;
  const at = traceAt(memory, stride, row);
  const tail = words[head + header.rootTail];
  words[at + traceRow.rootDueDelta] = dueDeltaMs + 1;
  words[at + traceRow.rootPrevious] = tail;
  words[at + traceRow.rootNext] = 0;
  if (tail === 0) words[head + header.rootHead] = row + 1;
  else words[traceAt(memory, stride, tail - 1) + traceRow.rootNext] = row + 1;
  words[head + header.rootTail] = row + 1;
}

/** Word index of a trace row. */
export function traceAt(memory: ShardMemory, stride: number, row: number): number {
  return memory.place.tracesAt / 4 + row * stride;
}

function appendArrival(memory: ShardMemory, stride: number, row: number): void {
  const { words, head } = memory;
  const at = traceAt(memory, stride, row);
  const tail = words[head + header.arrivalTail];
  words[at + traceRow.arrivalPrevious] = tail;
  if (tail === 0) words[head + header.arrivalHead] = row + 1;
  else words[traceAt(memory, stride, tail - 1) + traceRow.arrivalNext] = row + 1;
  words[head + header.arrivalTail] = row + 1;
}

function unlink(
  memory: ShardMemory,
  stride: number,
  at: number,
  previousField: number,
  nextField: number,
  first: number,
  last: number,
): void {
  const { words, head } = memory;
  const previous = words[at + previousField];
  const next = words[at + nextField];
  if (previous === 0) words[head + first] = next;
  else words[traceAt(memory, stride, previous - 1) + nextField] = next;
  if (next === 0) words[head + last] = previous;
  else words[traceAt(memory, stride, next - 1) + previousField] = previous;
}
