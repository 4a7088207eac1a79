/** What a policy is: a fold over the spans of a trace at arrival, and a reading of its state at decision time. Worker thread (or main, inline). */

import type { AttributeSlots } from './attribute-slots.ts';
import type { BatchTrace } from './batch-limiter.ts';
import type { SizeFold } from './size-fold.ts';
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
  /** Σ of the Collector's protobuf sizes (spec 1.5): `CompiledPolicies.sizeBytes`, which `decide` fills in itself; 0 unless `needsSizes`. */
  sizeBytes: number;
  bytes: Uint8Array;
  /** Position of the first run row of the trace; walk `next`. For policies that must look at everything again. */
  firstRun: number;
  /** Shows the spans of a chain of runs in order until `visit` answers true. Absent where policies are judged without a table. */
  eachSpan?(firstRun: number, visit: (span: SpanCursor) => boolean): void;
}

/** How a policy that tests one attribute sees it: the shared walk finds the value, once for all policies that name the key. */
export interface AttributeTest {
  readonly key: string;
  /** Whether the value in `slot` is a match. `ofResource`: the value stands on the resource and not on a span. */
  matches(values: AttributeSlots, slot: number, bytes: Uint8Array, ofResource: boolean): boolean;
}

/**
 * A leaf policy, compiled once per configuration and worker.
 *
 * State: one settled bit, kept by the compiler, and `stateWords` u32 words per trace, all zero for a new trace, at `words[at …]`.
 * fold:      called for every span in arrival order until it returns true: settled, the state will not change any more.
 * attribute: instead of a fold; a match settles it.
 * read:      called at the decision. Deterministic except for what is shared (token buckets). Units: `nowMs` is wall time.
 * A leaf with neither fold nor attribute sees nothing in spans. Nothing here allocates per span.
 */
export interface LeafPolicy {
  readonly stateWords: number;
  readonly attribute?: AttributeTest;
  fold?(span: SpanCursor, words: Uint32Array, at: number): boolean;
  read(settled: boolean, trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict;
  /** Asks the compiler for sizes (spec 1.5) to be kept, and is told where. Such a leaf has no words of its own: its `at` is the trace's state. */
  readsTracesBytes?(sizes: SizeFold): void;
  /** Text of the last error verdict, for one log line. */
  lastError?(): string;
  /** Gate `usetracestate`: the threshold behind the last sampled verdict; absent means that the leaf sampled without one. */
  threshold?(): bigint;
  /** Gate `usetracestate`: sees all due traces that may reach it, before the first is read. */
  judgeBatch?(batch: readonly BatchTrace[], words: Uint32Array, nowMs: number): void;
}

/** A policy as the decision sees it: a leaf, or a combination of others. `at` is where the trace's state begins. */
export interface PolicyNode {
  evaluate(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict;
  /** Text of the last error verdict. */
  lastError(): string;
  /** As a leaf's. */
  threshold?(): bigint;
  /** As a leaf's; absent where no limiter asks for it. */
  readonly judgeBatch?: LeafPolicy['judgeBatch'];
}

/** The reading of a leaf that is sampled exactly when a span has settled it. */
export function sampledIfSettled(settled: boolean): Verdict {
  return settled ? Verdict.sampled : Verdict.notSampled;
}

/** The reading of an attribute policy with `invert_match`: any match forbids, none allows. */
export function notSampledIfSettled(settled: boolean): Verdict {
  return settled ? Verdict.notSampled : Verdict.sampled;
}
