/** Where a task's sampled spans go: chains of runs framed into a range that the main thread lent. Whichever thread runs the shard. */

import { header, headerDoubles } from '../../shared/arena/region-layout.ts';
import { factRow, runRow, runSpansMax } from '../../shared/arena/rows.ts';
import type { Kernel } from '../../shared/kernel.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { copyChainHead } from './chain-head.ts';
import { TraceStateFramer } from './trace-state-framer.ts';

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
  /** The main thread had less room than the last task asked for, and no prospect of more: decisions go on, and what does not fit waits. */
  isShort = false;
  readonly #kernel: Kernel;
  readonly #memory: ShardMemory;
  /** Gate `usetracestate`. */
  readonly #framer: TraceStateFramer | undefined;
  #requiredBytes = 0;
  #at = 0;
  #end = 0;
  #start = 0;
  #spans = 0;
  #lateFirst = 0;
  #lateLast = 0;
  #lateSpans = 0;

  constructor(kernel: Kernel, memory: ShardMemory, framer: TraceStateFramer | undefined) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.#framer = framer;
  }

  /** Whether nothing can be decided before the next task: something is pending, or waits for more room. */
  get isFull(): boolean {
    return this.pendingRun !== 0 || this.#requiredBytes > 0;
  }

  get roomBytes(): number {
    return this.#end - this.#at;
  }

  /** Asks for a task with so much room; the output is full until then. */
  require(bytes: number): void {
    this.#requiredBytes = bytes;
  }

  /** Lends [at, at + length) for the task that begins. */
  begin(at: number, length: number): void {
    const { words, doubles, head, headDoubles } = this.#memory;
    this.#start = this.#at = at;
    this.#end = at + length;
    this.#spans = 0;
    this.#requiredBytes = 0;
    if (this.#framer) this.#framer.unparseable = 0;
    this.#lateFirst = 0;
    this.#lateSpans = 0;
    this.pendingRun = words[head + header.pendingRun];
    this.pendingSpans = words[head + header.pendingSpans];
    this.pendingSkip = words[head + header.pendingSkip];
    this.pendingArrival = doubles[headDoubles + headerDoubles.pendingArrival];
    this.isShort = length > 0 && length < words[head + header.outputNeeded];
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
    if (this.#kernel.frameBytes(firstRun) > this.roomBytes) return this.#hold(firstRun, spans, arrivalMs);
    this.#at = this.#kernel.frame(firstRun, this.#at);
    this.#spans += spans;
    return true;
  }

  /**
   * The same with `threshold` written into each span's tracestate. The caller has made room, because what becomes pending keeps its bytes as they are:
   * a threshold has no place to wait.
   */
  emitWithThreshold(firstRun: number, spans: number, arrivalMs: number, threshold: bigint): boolean {
    if (this.pendingRun !== 0) return this.#join(firstRun, spans, arrivalMs);
    const needed = TraceStateFramer.bytesMax(this.#kernel.frameBytes(firstRun), spans);
    if (needed > this.roomBytes || !this.#framer) return this.#hold(firstRun, spans, arrivalMs);
    this.#at = this.#framer.frame(firstRun, this.#at, threshold);
    this.#spans += spans;
    return true;
  }

  #hold(firstRun: number, spans: number, arrivalMs: number): false {
    this.pendingRun = firstRun;
    this.pendingSpans = spans;
    this.pendingArrival = arrivalMs;
    return false;
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
    const neededBytes = this.pendingRun === 0 ? this.#requiredBytes : this.#kernel.frameBytes(this.pendingRun);
    return {
      pendingRun: this.pendingRun,
      pendingSpans: this.pendingSpans,
      pendingArrival: this.pendingArrival,
      usedBytes: this.#at - this.#start,
      spans: this.#spans,
      neededBytes,
      unparseableTraceStates: this.#framer?.unparseable ?? 0,
    };
  }
}

export interface OutputResult {
  readonly pendingRun: number;
  readonly pendingSpans: number;
  readonly pendingArrival: number;
  readonly usedBytes: number;
  readonly spans: number;
  /** Room that the pending chain, or the next decision, needs; 0 when nothing waits for room. */
  readonly neededBytes: number;
  /** Gate `usetracestate`: kept spans that could get no threshold. */
  readonly unparseableTraceStates: number;
}
