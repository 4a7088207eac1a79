/** What a policy is: a fold over the spans of a trace at arrival, and a reading of its state at decision time. Worker thread (or main, inline). */

import type { SpanCursor } from './span-cursor.ts';

/** One rule's answer. */
export const Verdict = { notSampled: 0, sampled: 1, dropped: 2, error: 3 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** What the decision may look at besides the policy's own state. One mutable instance is reused for all traces of a task. */
export interface TraceFacts {
  /** Position of the 16 id bytes in `bytes`. */
  traceId: number;
  /** All spans ever received for the trace, duplicates counted. */
  spanCount: number;
  /** Σ of the Collector's protobuf sizes (spec 1.5); 0 unless the compiled policies or the processor asked for it (`needsSizes`). */
  sizeBytes: number;
  bytes: Uint8Array;
  /** Position of the first run row of the trace; walk `next`. For policies that must look at everything again. */
  firstRun: number;
}

/**
 * A leaf policy, compiled once per configuration and shard.
 *
 * State: `stateWords` u32 words per trace, all zero for a new trace, at `words[at …]`. A leaf without state (probabilistic) has 0 words.
 * fold:  called for every span in arrival order until it returns true: settled, the state will not change any more. Absent: nothing to see in spans.
 * read:  called at the decision. Deterministic except for what is shared (token buckets).
 * Nothing here allocates per span.
 */
export interface LeafPolicy {
  readonly stateWords: number;
  fold?(span: SpanCursor, words: Uint32Array, at: number): boolean;
  read(trace: TraceFacts, words: Uint32Array, at: number): Verdict;
}
