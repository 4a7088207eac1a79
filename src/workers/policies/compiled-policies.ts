/** The seam between the shard task and the policies: all policies of one tail_sampling instance as one fold and one decision. Worker thread. */

import type { TraceFacts } from './policy.ts';
import type { SpanCursor } from './span-cursor.ts';

/** Why a trace was decided when it was. */
export const Trigger = { wait: 0, root: 1, size: 2, early: 3, drain: 4, firstMatch: 5, ingest: 6 } as const;
export type Trigger = (typeof Trigger)[keyof typeof Trigger];

export const Decision = { pending: 0, sampled: 1, notSampled: 2, dropped: 3 } as const;
export type Decision = (typeof Decision)[keyof typeof Decision];

/** Result of `decide`, reused. `policy`: index of the credited policy in configuration order, or -1. `subPolicy`: index of the composite's winning sub, or -1. */
export interface DecisionResult {
  decision: Decision;
  policy: number;
  subPolicy: number;
}

export interface CompiledPolicies {
  /** u32 words of state per trace, all zero at its first span: settled bits first, then each leaf's own. */
  readonly stateWords: number;
  /** Whether any policy needs spec 1.5 sizes per trace. */
  readonly needsSizes: boolean;
  /**
   * Whether a span still has to be folded into the trace whose state is at `at`: false when every leaf is settled, and the caller then skips facts and folds.
   */
  wantsSpans(words: Uint32Array, at: number): boolean;
  /** Folds the span under the cursor into the state. */
  fold(span: SpanCursor, words: Uint32Array, at: number): void;
  /** Evaluates all policies for one due trace, spec 1.6, and counts votes in the counters. Units: `nowMs` is wall time. */
  decide(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): DecisionResult;
}
