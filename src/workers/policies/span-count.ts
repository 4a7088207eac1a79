/** The `span_count` policy: samples a trace whose number of spans ever received lies within bounds. Worker thread. */

import { type LeafPolicy, Verdict } from './policy.ts';

/** A maximum of 0 is no maximum; a negative one never matches (as in the Collector). */
export function spanCount(config: { readonly minSpans: number; readonly maxSpans: number }): LeafPolicy {
  const { minSpans, maxSpans } = config;
  return {
    stateWords: 0,
    read: (_settled, trace) =>
      trace.spanCount >= minSpans && (maxSpans === 0 || trace.spanCount <= maxSpans) ? Verdict.sampled : Verdict.notSampled,
  };
}
