/** The `composite` policy: the first sub-policy that samples decides, within a budget of spans per second of its own. Worker thread. */

import { type PolicyNode, type TraceFacts, Verdict } from './policy.ts';
import { type RegionCursor, RegionLock } from './shared-region.ts';

export interface CompositeSub {
  readonly node: PolicyNode;
  /** Spans per second. */
  readonly share: number;
}

/** Bytes of shared memory for a composite of so many sub-policies, theirs not included. */
export function compositeBytes(subs: number): number {
  return 16 + 8 * subs;
}

/**
 * Shared memory, in 8-byte words: lock, current unix second, then one counter of spans per sub-policy.
 * The counters start again when the second changes. The sum over subs is compared with nothing, as in the Collector.
 */
export class Composite implements PolicyNode {
  readonly #subs: readonly CompositeSub[];
  readonly #maxTotal: number;
  readonly #words: Float64Array;
  readonly #lock: RegionLock;
  #failed: PolicyNode | undefined;
  /** Index of the sub-policy that the last sampled verdict came from. */
  winner = -1;

  constructor(subs: readonly CompositeSub[], maxTotalSpansPerSecond: number, region: RegionCursor) {
    this.#subs = subs;
    this.#maxTotal = maxTotalSpansPerSecond;
    this.#words = region.take(compositeBytes(subs.length));
    this.#lock = new RegionLock(this.#words);
  }

  evaluate(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    this.winner = -1;
    for (let index = 0; index < this.#subs.length; index++) {
      const { node, share } = this.#subs[index];
      const verdict = node.evaluate(trace, words, at, nowMs);
      if (verdict === Verdict.error) {
        this.#failed = node;
        return Verdict.error;
      }
      if (verdict !== Verdict.sampled) continue;
      if (!this.#spend(index, trace.spanCount, Math.min(share, this.#maxTotal), Math.floor(nowMs / 1000))) return Verdict.notSampled;
      this.winner = index;
      return Verdict.sampled;
    }
    return Verdict.notSampled;
  }

  #spend(sub: number, spans: number, spansMax: number, second: number): boolean {
    this.#lock.acquire();
    if (this.#words[1] !== second) {
      this.#words.fill(0, 2);
      this.#words[1] = second;
    }
    const spent = this.#words[2 + sub] + spans;
    const fits = spent <= spansMax;
    if (fits) this.#words[2 + sub] = spent;
    this.#lock.release();
    return fits;
  }

  lastError(): string {
    return this.#failed?.lastError() ?? '';
  }
}

/**
 * Shares of the sub-policies in spans per second: a positive percentage of the maximum, or an equal part of it. Shares are not normalised, as in the Collector.
 * Of several allocations for one name the last counts, and sub-policies of one name share a percentage.
 */
export function compositeShares(
  maxTotalSpansPerSecond: number,
  names: readonly string[],
  rateAllocation: readonly { readonly policy: string; readonly percent: number }[],
): number[] {
  const percents = new Map(rateAllocation.map(({ policy, percent }) => [policy, percent]));
  return names.map((name) => {
    const percent = percents.get(name) ?? 0;
    return Math.trunc(percent > 0 ? (percent / 100) * maxTotalSpansPerSecond : maxTotalSpansPerSecond / names.length);
  });
}
