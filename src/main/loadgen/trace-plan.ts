/** What traces are made of: spans in the order in which they end, and how kinds of traces are mixed. Pure. */

import type { SpanTemplate } from './span-template.ts';

export interface PlannedSpan {
  readonly template: SpanTemplate;
  /** The same span with links to earlier ones; absent: never has any. */
  readonly linked?: SpanTemplate;
  /** Which outbox it leaves through. */
  readonly service: number;
  readonly isRoot: boolean;
  /** Units: nanoseconds after the trace's begin. */
  readonly startNanos: number;
  readonly endNanos: number;
}

export interface TracePlan {
  readonly kind: string;
  /** In the order in which they end: the root, parent of all others, is the last. */
  readonly spans: readonly PlannedSpan[];
}

/** Says what the next trace is. */
export interface TraceSource {
  next(): TracePlan;
}

export interface TraceShare {
  readonly plan: TracePlan;
  /** Of all traces. */
  readonly percent: number;
}

/** Mixes plans in exact shares: over any row of N traces, a kind of P percent comes ⌊N·P/100⌋ or one more times. `rest` gets what the shares leave. */
export class TraceMix implements TraceSource {
  readonly #shares: readonly TraceShare[];
  readonly #rest: TracePlan;
  readonly #due: number[];

  constructor(shares: readonly TraceShare[], rest: TracePlan) {
    this.#shares = shares;
    this.#rest = rest;
    this.#due = shares.map(() => 0);
  }

  next(): TracePlan {
    const due = this.#due;
    for (let index = 0; index < due.length; index++) due[index]! += this.#shares[index]!.percent;
    let chosen = -1;
    for (let index = 0; index < due.length; index++) {
      if (due[index]! >= 100 - 1e-9 && (chosen < 0 || due[index]! > due[chosen]!)) chosen = index;
    }
    if (chosen < 0) return this.#rest;
    due[chosen]! -= 100;
    return this.#shares[chosen]!.plan;
  }
}
