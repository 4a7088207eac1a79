/** The `not` policy: exchanges sampled and not sampled; errors pass. Worker thread. */

import { type PolicyNode, type TraceFacts, Verdict } from './policy.ts';

export class Not implements PolicyNode {
  readonly #sub: PolicyNode;

  constructor(sub: PolicyNode) {
    this.#sub = sub;
  }

  evaluate(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    const verdict = this.#sub.evaluate(trace, words, at, nowMs);
    if (verdict === Verdict.sampled) return Verdict.notSampled;
    return verdict === Verdict.notSampled ? Verdict.sampled : verdict;
  }

  lastError(): string {
    return this.#sub.lastError();
  }
}
