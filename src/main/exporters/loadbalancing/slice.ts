/** A slice: the part of one request that belongs to one backend, and the request that waits for all its slices. Main thread. */

import { accepted, type ConsumeOutcome, type RefusedOutcome } from '../../pipeline/consume-outcome.ts';
import type { FrameBlock } from './frame-blocks.ts';

export interface Slice {
  readonly request: RoutedRequest;
  /** One ExportTraceServiceRequest by itself. */
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  /** Where the bytes are kept; undefined: they are the caller's, lent until the request settles. */
  readonly frame: FrameBlock | undefined;
  /** Version of the placement that chose the backend. */
  version: number;
  failures: number;
  /** Sent in a call of its own, because a call that held it was refused for good. */
  alone: boolean;
}

/** Settles once, when the last of its slices has. */
export class RoutedRequest {
  /** Units: monotonic clock; Infinity is none. No attempt begins after it. */
  readonly deadlineMs: number;
  readonly #settle: ((outcome: ConsumeOutcome) => void) | undefined;
  #openSlices = 0;
  #outcome: ConsumeOutcome = accepted;

  constructor(deadlineMs: number, settle: ((outcome: ConsumeOutcome) => void) | undefined) {
    this.deadlineMs = deadlineMs;
    this.#settle = settle;
  }

  /** True when nobody waits: the caller was told "accepted" when the slices were queued. */
  get acknowledged(): boolean {
    return this.#settle === undefined;
  }

  addSlices(count: number): void {
    this.#openSlices += count;
  }

  /** Errors of several slices become one: permanent if any part is, as in the Collector. Returns true when it was the last. */
  closeSlice(outcome: ConsumeOutcome): boolean {
    if (outcome.kind === 'refused') this.#outcome = worse(this.#outcome, outcome);
    if (--this.#openSlices > 0) return false;
    this.#settle?.(this.#outcome);
    return true;
  }
}

function worse(known: ConsumeOutcome, next: RefusedOutcome): RefusedOutcome {
  if (known.kind === 'accepted') return next;
  if (known.retryable !== next.retryable) return known.retryable ? next : known;
  const retryAfterMs = Math.max(known.retryAfterMs ?? 0, next.retryAfterMs ?? 0);
  return retryAfterMs > 0 ? { ...known, retryAfterMs } : known;
}
