/** Where a task's sampled spans go: chains of runs framed into a range that the main thread lent. Whichever thread runs the shard. */

import { header, headerDoubles } from '../../shared/arena/region-layout.ts';
import { factRow, runRow, runSpansMax } from '../../shared/arena/rows.ts';
import type { Kernel } from '../../shared/kernel.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { copyChainHead } from './chain-head.ts';

/**
 * A chain that does not fit is pending: it keeps its decision and is framed first by the next task. While one is pending the shard neither decides nor takes requests, so memory fills and the caller hears of it instead of spans being lost.
 */
export class ShardOutput {
  pendingRun = 0;
  pendingSpans = 0;
  /** Bytes of the pending chain's first run that an earlier task framed. */
  pendingSkip = 0;
  /** Arrival of what is pending, +Infinity when nothing is; holds the watermark. */
  pendingArrival = Number.POSITIVE_INFINITY;
  readonly #kernel: Kernel;
  readonly #memory: ShardMemory;
  #at = 0;
  #end = 0;
  #start = 0;
  #spans = 0;
  #lateFirst = 0;
  #lateLast = 0;
  #lateSpans = 0;

  constructor(kernel: Kernel, memory: ShardMemory) {
    this.#kernel = kernel;
    this.#memory = memory;
  }

  /** Lends [at, at + length) for the task that begins. */
  begin(at: number, length: number): void {
    const { words, doubles, head, headDoubles } = this.#memory;
    this.#start = this.#at = at;
    this.#end = at + length;
    this.#spans = 0;
    this.#lateFirst = 0;
    this.#lateSpans = 0;
    this.pendingRun = words[head + header.pendingRun];
    this.pendingSpans = words[head + header.pendingSpans];
    this.pendingSkip = words[head + header.pendingSkip];
    this.pendingArrival = doubles[headDoubles + headerDoubles.pendingArrival];
  }

  /** Frames what an earlier task left. False when it still does not fit: then as much of it as does, since the main thread lent all it had. */
  flushPending(): boolean {
    if (this.pendingRun === 0) return true;
    if (this.pendingSkip > 0 || this.#kernel.frameBytes(this.pendingRun) > this.#end - this.#at) return this.#flushHead();
    const run = this.pendingRun;
    const arrival = this.pendingArrival;
    this.pendingRun = 0;
    this.pendingArrival = Number.POSITIVE_INFINITY;
    return this.emit(run, this.pendingSpans, arrival);
  }

  /** The fact rows are free while a chain is framed: copies of run rows may stand there. */
  #flushHead(): boolean {
    const { factsAt } = this.#memory.place;
    const from = { run: this.pendingRun, skip: this.pendingSkip };
    const head = copyChainHead(this.#memory, from, this.#end - this.#at, factsAt, (runSpansMax * factRow.bytes) / runRow.bytes);
    if (head.firstRun === 0) return false;
    this.#at = this.#kernel.frame(head.firstRun, this.#at);
    this.#spans += head.spans;
    this.pendingSpans -= head.spans;
    this.pendingRun = head.rest.run;
    this.pendingSkip = head.rest.skip;
    if (this.pendingRun !== 0) return false;
    this.pendingArrival = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Frames a chain of runs; false when it became pending, or joined what is. */
  emit(firstRun: number, spans: number, arrivalMs: number): boolean {
    if (this.pendingRun !== 0) return this.#join(firstRun, spans, arrivalMs);
    const needed = this.#kernel.frameBytes(firstRun);
    if (needed > this.#end - this.#at) {
      this.pendingRun = firstRun;
      this.pendingSpans = spans;
      this.pendingArrival = arrivalMs;
      return false;
    }
    this.#at = this.#kernel.frame(firstRun, this.#at);
    this.#spans += spans;
    return true;
  }

  #join(firstRun: number, spans: number, arrivalMs: number): false {
    const { words } = this.#memory;
    let last = this.pendingRun;
    while (words[(last + runRow.next) / 4] !== 0) last = words[(last + runRow.next) / 4];
    words[(last + runRow.next) / 4] = firstRun;
    this.pendingSpans += spans;
    this.pendingArrival = Math.min(this.pendingArrival, arrivalMs);
    return false;
  }

  /** Chains a late run of a sampled trace, whose `next` is 0; `flushLate` frames the chain at the end of its request. */
  addLate(run: number, spans: number): void {
    const { words } = this.#memory;
    if (this.#lateFirst === 0) this.#lateFirst = run;
    else words[(this.#lateLast + runRow.next) / 4] = run;
    this.#lateLast = run;
    this.#lateSpans += spans;
  }

  /** False when the late spans of this request became pending. */
  flushLate(arrivalMs: number): boolean {
    if (this.#lateFirst === 0) return true;
    const first = this.#lateFirst;
    this.#lateFirst = 0;
    const spans = this.#lateSpans;
    this.#lateSpans = 0;
    return this.emit(first, spans, arrivalMs);
  }

  /** What the task leaves, for the shard to commit. */
  result(): OutputResult {
    const neededBytes = this.pendingRun === 0 ? 0 : this.#kernel.frameBytes(this.pendingRun);
    return {
      pendingRun: this.pendingRun,
      pendingSpans: this.pendingSpans,
      pendingArrival: this.pendingArrival,
      usedBytes: this.#at - this.#start,
      spans: this.#spans,
      neededBytes,
    };
  }
}

export interface OutputResult {
  readonly pendingRun: number;
  readonly pendingSpans: number;
  readonly pendingArrival: number;
  readonly usedBytes: number;
  readonly spans: number;
  /** Room that the pending chain needs; 0 when nothing is pending. */
  readonly neededBytes: number;
}
