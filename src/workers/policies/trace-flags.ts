/** The `trace_flags` policy: samples a trace in which any span carries the W3C sampled flag. Worker thread. */

import { factRow } from '../../shared/arena/rows.ts';
import { type LeafPolicy, sampledIfSettled } from './policy.ts';

const flagsWord = factRow.flags / 4;

export function traceFlags(): LeafPolicy {
  return {
    stateWords: 0,
    fold: (span) => (span.words[span.fact + flagsWord] & 1) === 1,
    read: sampledIfSettled,
  };
}
