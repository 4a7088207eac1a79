/** The waiting times between attempts: exponential, with jitter, bounded. Main thread. */

import type { Prng } from '../../../shared/prng.ts';

export interface RetryConfig {
  readonly enabled: boolean;
  readonly initialIntervalMs: number;
  readonly randomizationFactor: number;
  readonly multiplier: number;
  readonly maxIntervalMs: number;
  /** 0 is for ever. */
  readonly maxElapsedTimeMs: number;
}

/**
 * Delay before attempt `attempt + 1`, the first failure being attempt 1.
 *
 * Source: github.com/cenkalti/backoff (MIT), which the Collector uses: interval × [1 − factor, 1 + factor], interval grows by `multiplier` to `maxIntervalMs`.
 */
export function backOffMs(config: RetryConfig, attempt: number, prng: Prng): number {
  const growth = config.multiplier ** Math.min(attempt - 1, 1024);
  const interval = Math.min(config.initialIntervalMs * growth, Math.max(config.maxIntervalMs, 0));
  const spread = config.randomizationFactor * interval;
  return interval - spread + prng.next() * 2 * spread;
}
