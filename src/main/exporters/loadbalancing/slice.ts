/** A slice: the part of one request that belongs to one backend, and the request that waits for all its slices. Main thread. */

import type { Placement } from '../../../discovery/placement.ts';
import { accepted, type ConsumeOutcome, type RefusedOutcome } from '../../pipeline/consume-outcome.ts';
import type { FrameBlock } from './frame-blocks.ts';

export interface Slice {
  readonly request: RoutedRequest;
  /** One ExportTraceServiceRequest by itself. */
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  /** Where the bytes are kept; undefined: they are the caller's, lent until the request settles. */
  readonly frame: FrameBlock | undefined;
  /** Owner of the part that the slice is, or comes from, in the placement that the request was first routed by. */
  readonly origin: number;
  /** Version of the placement that chose the backend. */
  version: number;
  /** Sent in a call of its own, because a call that held it was refused for good. */
  alone: boolean;
}

/** What a request was when it came: enough to know it again. `bytes` are lent until it settles. */
export interface RequestSource {
  readonly bytes: Uint8Array;
  readonly placement: Placement;
  /** True when some of its parts were delivered before, by an earlier try of the caller. */
  readonly repeated: boolean;
}

/** Settles once, when the last of its slices has. */
export class RoutedRequest {
  /** Units: monotonic clock; Infinity is none. No attempt begins after it. */
  readonly deadlineMs: number;
  readonly source: RequestSource | undefined;
  readonly #settle: ((outcome: ConsumeOutcome) => void) | undefined;
  readonly #partCount: number;
  #openSlices: number;
  #outcome: ConsumeOutcome = accepted;
  #undelivered: Set<number> | undefined;

  constructor(
    deadlineMs: number,
    partCount: number,
    settle: ((outcome: ConsumeOutcome) => void) | undefined,
    source: RequestSource | undefined,
  ) {
    this.deadlineMs = deadlineMs;
    this.source = source;
    this.#partCount = partCount;
    this.#openSlices = partCount;
    this.#settle = settle;
  }

  /** True when nobody waits: the caller was told "accepted" when the slices were queued. */
  get acknowledged(): boolean {
    return this.#settle === undefined;
  }

  /** Origins of the slices that were refused, when the caller may repeat the request and other parts were delivered. */
  get undelivered(): ReadonlySet<number> | undefined {
    if (this.#outcome.kind === 'accepted' || !this.#outcome.retryable || this.source === undefined) return undefined;
    return this.source.repeated || this.#undelivered!.size < this.#partCount ? this.#undelivered : undefined;
  }

  /** Rerouting a slice may split it. */
  addSlices(count: number): void {
    this.#openSlices += count;
  }

  /** Errors of several slices become one: permanent if any part is, as in the Collector. Returns true when it was the last; `settle` is then due. */
  closeSlice(slice: Slice, outcome: ConsumeOutcome): boolean {
    if (outcome.kind === 'refused') {
      this.#outcome = worse(this.#outcome, outcome);
      this.#undelivered ??= new Set();
      this.#undelivered.add(slice.origin);
    }
    return --this.#openSlices === 0;
  }

  settle(): void {
    this.#settle?.(this.#outcome);
  }
}

function worse(known: ConsumeOutcome, next: RefusedOutcome): RefusedOutcome {
  if (known.kind === 'accepted') return next;
  if (known.retryable !== next.retryable) return known.retryable ? next : known;
  const retryAfterMs = Math.max(known.retryAfterMs ?? 0, next.retryAfterMs ?? 0);
  return retryAfterMs > 0 ? { ...known, retryAfterMs } : known;
}
