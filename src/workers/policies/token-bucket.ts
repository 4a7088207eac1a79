/** The token bucket behind `rate_limiting` and `bytes_limiting`, in memory that all workers share. Worker thread. */

import { type RegionCursor, RegionLock } from './shared-region.ts';

/**
 * A bucket's piece of shared memory, in 8-byte words.
 *
 *      0               1               2               3
 *      ├ lock │ 0 ─────┼ started ──────┼ tokens ───────┼ refilled at, ms ┤
 */
const startedWord = 1;
const tokensWord = 2;
const refilledWord = 3;
export const tokenBucketBytes = 32;

/**
 * Capacity `burst`, refilled by `perSecond`, full at the start.
 *
 * Units:  tokens; times are milliseconds of a clock that is never set back, the same for all workers.
 * Source: spec 1.4.6, the arithmetic of golang.org/x/time/rate: a deficit that would be made up in less than a nanosecond counts as none.
 */
export class TokenBucket {
  readonly burst: number;
  readonly #perSecond: number;
  readonly #words: Float64Array;
  readonly #lock: RegionLock;

  constructor(perSecond: number, burst: number, region: RegionCursor) {
    this.#perSecond = perSecond;
    this.burst = burst;
    this.#words = region.take(tokenBucketBytes);
    this.#lock = new RegionLock(this.#words);
  }

  /** Takes `tokens` if they are there; takes nothing otherwise. */
  take(tokens: number, nowMs: number): boolean {
    this.#lock.acquire();
    const left = this.#available(nowMs) - tokens;
    const allowed = tokens <= this.burst && (left >= 0 || (this.#perSecond > 0 && Math.trunc((-left / this.#perSecond) * 1e9) === 0));
    if (allowed) {
      this.#words[startedWord] = 1;
      this.#words[tokensWord] = left;
      this.#words[refilledWord] = nowMs;
    }
    this.#lock.release();
    return allowed;
  }

  /** Takes as many of the tokens that are there as `choose` wants, at most all of them. */
  takeSome(nowMs: number, choose: (tokens: number) => number): void {
    this.#lock.acquire();
    const tokens = this.#available(nowMs);
    const taken = choose(tokens);
    if (taken > 0) {
      this.#words[startedWord] = 1;
      this.#words[tokensWord] = tokens - taken;
      this.#words[refilledWord] = nowMs;
    }
    this.#lock.release();
  }

  /** Tokens there at `nowMs`, taking none. */
  available(nowMs: number): number {
    this.#lock.acquire();
    const tokens = this.#available(nowMs);
    this.#lock.release();
    return tokens;
  }

  #available(nowMs: number): number {
    if (this.#words[startedWord] === 0) return this.burst;
    const elapsedMs = Math.max(0, nowMs - this.#words[refilledWord]);
    const refill = this.#perSecond > 0 ? (elapsedMs / 1000) * this.#perSecond : 0;
    return Math.min(this.burst, this.#words[tokensWord] + refill);
  }
}

/** A configured burst, or twice the rate. */
export function burstOf(burstCapacity: number, perSecond: number): number {
  return burstCapacity > 0 ? burstCapacity : perSecond * 2;
}
