/** The `and` and `drop` policies: all sub-policies must sample, in order, stopping at the first that does not. Worker thread. */

import type { BatchTrace } from './batch-limiter.ts';
import { alwaysThreshold } from './otel-trace-state.ts';
import { type LeafPolicy, type PolicyNode, type TraceFacts, Verdict } from './policy.ts';

/** `success` is sampled for `and`, dropped for `drop`. Without sub-policies the answer is success. */
export class AllOf implements PolicyNode {
  readonly #subs: readonly PolicyNode[];
  readonly #success: Verdict;
  #failed: PolicyNode | undefined;

  constructor(subs: readonly PolicyNode[], success: Verdict) {
    this.#subs = subs;
    this.#success = success;
  }

  evaluate(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    for (const sub of this.#subs) {
      const verdict = sub.evaluate(trace, words, at, nowMs);
      if (verdict === Verdict.error) {
        this.#failed = sub;
        return Verdict.error;
      }
      if (verdict === Verdict.notSampled) return Verdict.notSampled;
    }
    return this.#success;
  }

  lastError(): string {
    return this.#failed?.lastError() ?? '';
  }

  /** The largest: a trace passes only where it passes the strictest. */
  threshold(): bigint {
    let largest = alwaysThreshold;
    for (const sub of this.#subs) {
      const own = sub.threshold?.() ?? alwaysThreshold;
      if (own > largest) largest = own;
    }
    return largest;
  }

  get judgeBatch(): LeafPolicy['judgeBatch'] {
    return this.#subs.some((sub) => sub.judgeBatch) ? (batch, words, nowMs) => this.#judgeBatch(batch, words, nowMs) : undefined;
  }

  /** Only traces that pass the other sub-policies, wherever those stand, use the limiters' budgets. */
  #judgeBatch(batch: readonly BatchTrace[], words: Uint32Array, nowMs: number): void {
    const others = this.#subs.filter((sub) => !sub.judgeBatch);
    const passing = batch.filter(({ facts, at }) => others.every((sub) => sub.evaluate(facts, words, at, nowMs) === Verdict.sampled));
    for (const sub of this.#subs) sub.judgeBatch?.(passing, words, nowMs);
  }
}

export function and(subs: readonly PolicyNode[]): PolicyNode {
  return new AllOf(subs, Verdict.sampled);
}
