/** Whether decisions that rewrite tracestates find room in the output: gate `usetracestate` only. Whichever thread runs the shard. */

import { traceRow } from '../../shared/arena/region-layout.ts';
import { runRow, scopeRow } from '../../shared/arena/rows.ts';
import type { Kernel } from '../../shared/kernel.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { decidedReference, findReference, readTraceId } from '../../shared/trace-table/trace-index.ts';
import { traceAt } from '../../shared/trace-table/trace-rows.ts';
import type { ShardOutput } from './shard-output.ts';
import { TraceStateFramer } from './trace-state-framer.ts';

export interface ThresholdRoomParts {
  readonly memory: ShardMemory;
  readonly kernel: Kernel;
  readonly output: ShardOutput;
  /** Words of a trace row. */
  readonly stride: number;
  /** What is said of a decision in a scope has at most so many bytes. */
  readonly markBytesMax: number;
}

/** A threshold cannot wait with its spans for the next task, so room is asked for before anything is decided. */
export class ThresholdRoom {
  readonly #parts: ThresholdRoomParts;
  readonly #id = { word0: 0, word1: 0, word2: 0, word3: 0 };

  constructor(parts: ThresholdRoomParts) {
    this.#parts = parts;
  }

  /** Output that the trace needs when it is sampled. */
  bytesOf(row: number): number {
    const { memory, stride } = this.#parts;
    return this.#chainBytes(memory.words[traceAt(memory, stride, row) + traceRow.firstRun]);
  }

  /** Otherwise asks for a task with more. */
  hasForTrace(row: number): boolean {
    return this.#has(this.bytesOf(row));
  }

  /** The same for all traces that have runs among those from `run` on, before `end`, that share its resource and are `taken` by this shard. */
  hasForResource(run: number, end: number, taken: (hash: number) => boolean): boolean {
    const { memory, stride } = this.#parts;
    const { words } = memory;
    const resourceOf = (at: number) => words[(words[(at + runRow.scope) / 4] + scopeRow.resource) / 4];
    const resource = resourceOf(run);
    const counted = new Set<number>();
    let needed = 0;
    for (let at = run; at < end && resourceOf(at) === resource; at += runRow.bytes) {
      const hash = words[(at + runRow.hash) / 4];
      if (!taken(hash)) continue;
      needed += this.#chainBytes(at);
      readTraceId(memory, words[(at + runRow.traceId) / 4], this.#id);
      const reference = findReference(memory, stride, this.#id, hash);
      if (reference === 0 || reference >= decidedReference || counted.has(reference)) continue;
      counted.add(reference);
      needed += this.bytesOf(reference - 1);
    }
    return this.#has(needed);
  }

  #has(bytes: number): boolean {
    const { output } = this.#parts;
    if (output.isShort || bytes <= output.roomBytes) return true;
    output.require(bytes);
    return false;
  }

  #chainBytes(firstRun: number): number {
    const { memory, kernel, markBytesMax } = this.#parts;
    let spans = 0;
    let runs = 0;
    for (let run = firstRun; run !== 0; run = memory.words[(run + runRow.next) / 4]) {
      spans += memory.words[(run + runRow.spanCount) / 4];
      runs++;
    }
    return TraceStateFramer.bytesMax(kernel.frameBytes(firstRun) + runs * markBytesMax, spans);
  }
}
