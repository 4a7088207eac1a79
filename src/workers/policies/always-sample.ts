/** The `always_sample` policy: samples every trace. Worker thread. */

import { type LeafPolicy, Verdict } from './policy.ts';

export function alwaysSample(): LeafPolicy {
  return { stateWords: 0, read: () => Verdict.sampled };
}
