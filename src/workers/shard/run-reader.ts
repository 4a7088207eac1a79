/** Shows the spans of runs to the policies, one after the other under one cursor. Whichever thread runs the shard. */

import { factRow, runRow, runSpansMax, scopeRow } from '../../shared/arena/rows.ts';
import type { Kernel } from '../../shared/kernel.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import type { SpanCursor } from '../policies/span-cursor.ts';

export class RunReader {
  readonly cursor: SpanCursor;
  readonly #kernel: Kernel;
  readonly #memory: ShardMemory;

  constructor(kernel: Kernel, memory: ShardMemory) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.cursor = { bytes: memory.bytes, words: memory.words, fact: 0, scopeRow: 0, resourceRow: 0 };
  }

  /** Writes the run's facts at the shard's scratch and points the cursor at its scope; returns the word after the last fact row. */
  read(run: number): number {
    const { words, place } = this.#memory;
    const count = this.#kernel.facts(run, place.factsAt);
    this.cursor.scopeRow = words[(run + runRow.scope) / 4];
    this.cursor.resourceRow = words[(this.cursor.scopeRow + scopeRow.resource) / 4];
    return (place.factsAt + Math.min(count, runSpansMax) * factRow.bytes) / 4;
  }

  /** Shows the spans of a chain in order until `visit` answers true. */
  eachSpan(firstRun: number, visit: (span: SpanCursor) => boolean): void {
    const { words, place } = this.#memory;
    for (let run = firstRun; run !== 0; run = words[(run + runRow.next) / 4]) {
      const end = this.read(run);
      for (let fact = place.factsAt / 4; fact < end; fact += factRow.bytes / 4) {
        this.cursor.fact = fact;
        if (visit(this.cursor)) return;
      }
    }
  }
}
