/** The seam between the shard task and the policies: all policies of one tail_sampling instance as one fold and one decision. Worker thread. */

import type { BatchTrace } from './batch-limiter.ts';
import type { TraceFacts } from './policy.ts';
import type { PolicyCounters } from './policy-counters.ts';
import type { SpanCursor } from './span-cursor.ts';

/** Why a trace was decided when it was. */
export const Trigger = { wait: 0, root: 1, size: 2, early: 3, drain: 4, firstMatch: 5, ingest: 6 } as const;
export type Trigger = (typeof Trigger)[keyof typeof Trigger];

export const Decision = { pending: 0, sampled: 1, notSampled: 2, dropped: 3 } as const;
export type Decision = (typeof Decision)[keyof typeof Decision];

/**
 * Result of `decide`, reused. `policy`: index of the credited policy in configuration order, or -1.
 * `subPolicy`: index of the winning sub of the composite at `composite` (that is `policy` itself, unless the Collector's quirk is asked for), or -1 for both.
 */
export interface DecisionResult {
  decision: Decision;
  policy: number;
  composite: number;
  subPolicy: number;
  /** Gate `usetracestate`, when sampled: what kept spans advertise, below 2^56; otherwise `noThreshold`. */
  threshold: bigint;
}

export const noThreshold = -1n;

export interface CompiledPolicies {
  /** u32 words of state per trace, all zero at its first span: settled bits first, then sizes, then each leaf's own. */
  readonly stateWords: number;
  /** Whether any policy needs spec 1.5 sizes per trace (or the processor asked for them); the fold then keeps them in the state. */
  readonly needsSizes: boolean;
  /** Names of the policies, and of the sub-policies of composites, by index in configuration order. */
  readonly names: readonly string[];
  readonly subPolicyNames: readonly (readonly string[])[];
  readonly counters: PolicyCounters;
  /** To be called before the first fold of each request: what was learnt of the resource rows of the last one is forgotten. */
  beginRequest(): void;
  /**
   * Whether a span still has to be folded into the trace whose state is at `at`: false when every leaf is settled, and the caller then skips facts and folds.
   */
  wantsSpans(words: Uint32Array, at: number): boolean;
  /** Folds the span under the cursor into the state. */
  fold(span: SpanCursor, words: Uint32Array, at: number): void;
  /** Σ ResourceSpansSize of what was folded into the trace (spec 1.5), for `maximum_trace_size_bytes`; 0 unless `needsSizes`. */
  sizeBytes(words: Uint32Array, at: number): number;
  /** Gate `usetracestate`: sampled traces have a threshold, and limiters cut the due traces as a batch. */
  readonly reportsThresholds: boolean;
  /**
   * Gate `usetracestate`: judges drop policies for all traces that will be decided next and lets limiters cut the others; `decide` of these traces follows,
   * one by one, in this task. Facts are not reused here.
   */
  judgeBatch(batch: readonly BatchTrace[], words: Uint32Array, nowMs: number): void;
  /** Evaluates all policies for one due trace, spec 1.6, and counts votes in the counters. Units: `nowMs` is monotonic. */
  decide(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): DecisionResult;
  /**
   * One fragment of an undecided trace under `sampling_strategy: span-ingest`: its state is that of the fragment alone, its facts' counts are cumulative.
   * Answers sampled, dropped or pending (spec 1.8).
   */
  decideOnIngest(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): DecisionResult;
  /** Why: the path from the credited policy to the sub-policies that answered, such as `keep/slow` or `both(errors, slow)`; '' for no policy. */
  pathOf(result: DecisionResult): string;
}
