/** A limiter under the gate `usetracestate`: cuts each batch of due traces by their randomness where the budget ends. Worker thread. */

import { alwaysThreshold, neverThreshold } from './otel-trace-state.ts';
import { type LeafPolicy, type TraceFacts, Verdict } from './policy.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { TraceRandomness } from './trace-randomness.ts';

/** A due trace as the limiter sees it. */
export interface BatchItem {
  readonly randomness: bigint;
  readonly cost: number;
}

/** What a budget keeps of a batch: traces whose randomness is at least `threshold`, which cost `spent` together. */
export interface BatchCut {
  readonly threshold: bigint;
  readonly spent: number;
}

/**
 * The longest row of items by falling randomness that fits into `budget`. All that tie with the first one that does not fit are out too, because a
 * threshold cannot tell them apart.
 * Source: spec 1.10; Ting, Adaptive Threshold Sampling (arXiv 1708.04970), section 3.1.
 */
export function cutBatch(items: readonly BatchItem[], budget: number): BatchCut {
  const sorted = items.toSorted((left, right) => (left.randomness < right.randomness ? 1 : left.randomness > right.randomness ? -1 : 0));
  let spent = 0;
  let kept = 0;
  while (kept < sorted.length && spent + sorted[kept].cost <= budget) spent += sorted[kept++].cost;
  if (kept === sorted.length) return { threshold: alwaysThreshold, spent };
  const rejected = sorted[kept].randomness;
  while (kept > 0 && sorted[kept - 1].randomness === rejected) spent -= sorted[--kept].cost;
  if (kept === 0) return { threshold: neverThreshold, spent };
  return { threshold: rejected + 1n < neverThreshold ? rejected + 1n : neverThreshold, spent };
}

/** A trace of the batch, copied from the facts that are reused. */
export interface BatchTrace {
  readonly facts: TraceFacts;
  /** Where its state begins. */
  readonly at: number;
}

export type CostOf = (trace: TraceFacts, words: Uint32Array, at: number) => number;

/** Until a batch was cut it takes traces one by one, as without the gate: so it does inside `not`, `drop` and `composite`. */
export class BatchLimiter {
  readonly #bucket: TokenBucket;
  readonly #costOf: CostOf;
  readonly #randomness: TraceRandomness;
  #cut: bigint | undefined;
  #threshold = alwaysThreshold;

  constructor(bucket: TokenBucket, costOf: CostOf, randomness: TraceRandomness) {
    this.#bucket = bucket;
    this.#costOf = costOf;
    this.#randomness = randomness;
  }

  /** Cuts the batch and spends what it keeps. A trace that costs more than the burst is left out, so that it takes nothing from others. */
  judge(batch: readonly BatchTrace[], words: Uint32Array, nowMs: number): void {
    const items: BatchItem[] = [];
    for (const { facts, at } of batch) {
      const cost = this.#costOf(facts, words, at);
      if (cost <= this.#bucket.burst) items.push({ cost, randomness: this.#randomness.of(facts, words, at) });
    }
    this.#bucket.takeSome(nowMs, (tokens) => {
      const { threshold, spent } = cutBatch(items, Math.trunc(tokens));
      this.#cut = threshold;
      return spent;
    });
  }

  read(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    this.#threshold = alwaysThreshold;
    const cost = this.#costOf(trace, words, at);
    if (this.#cut === undefined) return this.#bucket.take(cost, nowMs) ? Verdict.sampled : Verdict.notSampled;
    if (cost > this.#bucket.burst || this.#cut > this.#randomness.of(trace, words, at)) return Verdict.notSampled;
    this.#threshold = this.#cut;
    return Verdict.sampled;
  }

  threshold(): bigint {
    return this.#threshold;
  }
}

/** The leaf of a batch limiter. */
export function batchLimiting(limiter: BatchLimiter): Pick<LeafPolicy, 'stateWords' | 'read' | 'threshold' | 'judgeBatch'> {
  return {
    stateWords: 0,
    read: (_settled, trace, words, at, nowMs) => limiter.read(trace, words, at, nowMs),
    threshold: () => limiter.threshold(),
    judgeBatch: (batch, words, nowMs) => limiter.judge(batch, words, nowMs),
  };
}
