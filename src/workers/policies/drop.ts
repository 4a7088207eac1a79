/** The `drop` policy: a trace that all sub-policies sample is dropped, whatever the other policies say. Worker thread. */

import { AllOf } from './and.ts';
import { type PolicyNode, Verdict } from './policy.ts';

export function drop(subs: readonly PolicyNode[]): PolicyNode {
  return new AllOf(subs, Verdict.dropped);
}
