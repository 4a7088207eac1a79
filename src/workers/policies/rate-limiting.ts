/** The `rate_limiting` policy: samples traces while their spans fit into a token bucket. Worker thread. */

import { BatchLimiter, batchLimiting } from './batch-limiter.ts';
import { type LeafPolicy, Verdict } from './policy.ts';
import type { RegionCursor } from './shared-region.ts';
import { burstOf, TokenBucket } from './token-bucket.ts';
import type { TraceRandomness } from './trace-randomness.ts';

/** A trace of more spans than the burst never passes, as in the Collector. `randomness`: gate `usetracestate`. */
export function rateLimiting(
  config: { readonly spansPerSecond: number; readonly burstCapacity: number },
  region: RegionCursor,
  randomness: TraceRandomness | undefined,
): LeafPolicy {
  const bucket = new TokenBucket(config.spansPerSecond, burstOf(config.burstCapacity, config.spansPerSecond), region);
  if (randomness !== undefined) return batchLimiting(new BatchLimiter(bucket, (trace) => trace.spanCount, randomness));
  return {
    stateWords: 0,
    read: (_settled, trace, _words, _at, nowMs) => (bucket.take(trace.spanCount, nowMs) ? Verdict.sampled : Verdict.notSampled),
  };
}
