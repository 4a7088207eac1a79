/** The `bytes_limiting` policy: samples traces while their encoded size fits into a token bucket. Worker thread. */

import { BatchLimiter, batchLimiting } from './batch-limiter.ts';
import { type LeafPolicy, Verdict } from './policy.ts';
import type { RegionCursor } from './shared-region.ts';
import type { SizeFold } from './size-fold.ts';
import { burstOf, TokenBucket } from './token-bucket.ts';
import type { TraceRandomness } from './trace-randomness.ts';

/** A trace larger than the burst never passes, as in the Collector. The size is that of spec 1.5, resources and scopes included. `randomness`: gate `usetracestate`. */
export function bytesLimiting(
  config: { readonly bytesPerSecond: number; readonly burstCapacity: number },
  region: RegionCursor,
  randomness: TraceRandomness | undefined,
): LeafPolicy {
  const bucket = new TokenBucket(config.bytesPerSecond, burstOf(config.burstCapacity, config.bytesPerSecond), region);
  let sizes: SizeFold | undefined;
  const readsTracesBytes = (fold: SizeFold): void => {
    sizes = fold;
  };
  if (randomness !== undefined) {
    const limiter = new BatchLimiter(bucket, (_trace, words, at) => sizes!.tracesBytes(words, at), randomness);
    return { ...batchLimiting(limiter), readsTracesBytes };
  }
  return {
    stateWords: 0,
    readsTracesBytes,
    read: (_settled, _trace, words, at, nowMs) =>
      bucket.take(sizes!.tracesBytes(words, at), nowMs) ? Verdict.sampled : Verdict.notSampled,
  };
}
