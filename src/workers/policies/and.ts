/** The `and` and `drop` policies: all sub-policies must sample, in order, stopping at the first that does not. Worker thread. */

import { type PolicyNode, type TraceFacts, Verdict } from './policy.ts';

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
}

export function and(subs: readonly PolicyNode[]): PolicyNode {
  return new AllOf(subs, Verdict.sampled);
}
