/** The `bytes_limiting` policy: samples traces while their encoded size fits into a token bucket. Worker thread. */

import { type LeafPolicy, Verdict } from './policy.ts';
import type { RegionCursor } from './shared-region.ts';
import type { SizeFold } from './size-fold.ts';
import { burstOf, TokenBucket } from './token-bucket.ts';

/** A trace larger than the burst never passes, as in the Collector. The size is that of spec 1.5, resources and scopes included. */
export function bytesLimiting(
  config: { readonly bytesPerSecond: number; readonly burstCapacity: number },
  region: RegionCursor,
): LeafPolicy {
  const bucket = new TokenBucket(config.bytesPerSecond, burstOf(config.burstCapacity, config.bytesPerSecond), region);
  let sizes: SizeFold | undefined;
  return {
    stateWords: 0,
    readsTracesBytes(fold) {
      sizes = fold;
    },
    read: (_settled, _trace, words, at, nowMs) =>
      bucket.take(sizes!.tracesBytes(words, at), nowMs) ? Verdict.sampled : Verdict.notSampled,
  };
}
