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

/**
 * Mixes plans evenly and in exact shares: whole percents hold in every hundred traces from the first on. `rest` gets what the shares leave.
 *
 * Source: the smooth weighted round robin of nginx.
 */
export class TraceMix implements TraceSource {
  readonly #shares: readonly TraceShare[];
  readonly #due: number[];

  constructor(shares: readonly TraceShare[], rest: TracePlan) {
    const left = 100 - shares.reduce((sum, share) => sum + share.percent, 0);
    this.#shares = [...shares, { plan: rest, percent: left }];
    this.#due = this.#shares.map(() => 0);
  }

  next(): TracePlan {
    const due = this.#due;
    let chosen = 0;
    for (let index = 0; index < due.length; index++) {
      due[index]! += this.#shares[index]!.percent;
      if (due[index]! > due[chosen]!) chosen = index;
    }
    due[chosen]! -= 100;
    return this.#shares[chosen]!.plan;
  }
}
