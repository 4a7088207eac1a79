/** All compiled policies of one tail_sampling instance: their folds, the combination of their verdicts (spec 1.6, 1.8) and their counters. Worker thread. */

import type { Clock } from '../../shared/clock.ts';
import type { BatchTrace } from './batch-limiter.ts';
import { type CompiledPolicies, Decision, type DecisionResult, noThreshold } from './compiled-policies.ts';
import type { Composite } from './composite.ts';
import { alwaysThreshold } from './otel-trace-state.ts';
import { type PolicyNode, type TraceFacts, Verdict } from './policy.ts';
import type { PolicyCounters } from './policy-counters.ts';
import type { SizeFold } from './size-fold.ts';
import type { SpanCursor } from './span-cursor.ts';
import { type AttributeFold, foldSpans, type PlacedLeaf } from './span-fold.ts';

/** A top-level policy. */
export interface DecidingPolicy {
  readonly name: string;
  readonly isDrop: boolean;
  readonly node: PolicyNode;
  /** The composite itself, to ask for its winner. */
  readonly composite?: Composite;
  readonly subPolicyNames: readonly string[];
  /** Path of a verdict by this policy; a composite has one for each sub-policy. */
  readonly paths: readonly string[];
}

/** What the compiler found out; the parts of a policy set. */
export interface PolicySetParts {
  readonly policies: readonly DecidingPolicy[];
  readonly stateWords: number;
  /** Bits that are set when no leaf can learn from spans any more. */
  readonly settledBits: Uint32Array;
  readonly attributes: AttributeFold | undefined;
  readonly leaves: readonly PlacedLeaf[];
  readonly sizes: SizeFold | undefined;
  readonly sampleOnFirstMatch: boolean;
  /** Whether a composite that votes is named even when another policy is credited, as in the Collector. */
  readonly namesUncreditedComposite: boolean;
  readonly clock: Clock | undefined;
  readonly counters: PolicyCounters;
  /** Gate `usetracestate`. */
  readonly reportsThresholds: boolean;
}

/** What the drop policies said of a trace before its batch was cut. */
const notDropped = -1;

/** Of so many decisions one is timed and stands for all of them: a look at the clock costs as much as a policy. */
const decisionsPerTiming = 64;

export class PolicySet implements CompiledPolicies {
  readonly stateWords: number;
  readonly needsSizes: boolean;
  readonly names: readonly string[];
  readonly subPolicyNames: readonly (readonly string[])[];
  readonly counters: PolicyCounters;
  readonly reportsThresholds: boolean;
  readonly #parts: PolicySetParts;
  /** Indices of the policies in the order of evaluation: drop policies first. */
  readonly #order: Uint32Array;
  readonly #dropCount: number;
  readonly #result: DecisionResult = { decision: Decision.pending, policy: -1, composite: -1, subPolicy: -1, threshold: noThreshold };
  /** Gate `usetracestate`: the policy that drops a trace of the batch at hand, or `notDropped`; by the place of the trace's state. */
  readonly #droppedBy = new Map<number, number>();
  #decisions = 0;

  constructor(parts: PolicySetParts) {
    const { policies } = parts;
    this.#parts = parts;
    this.stateWords = parts.stateWords;
    this.needsSizes = parts.sizes !== undefined;
    this.names = policies.map((policy) => policy.name);
    this.subPolicyNames = policies.map((policy) => policy.subPolicyNames);
    this.counters = parts.counters;
    this.reportsThresholds = parts.reportsThresholds;
    const drops = policies.flatMap((policy, index) => (policy.isDrop ? [index] : []));
    const others = policies.flatMap((policy, index) => (policy.isDrop ? [] : [index]));
    this.#order = Uint32Array.from([...drops, ...others]);
    this.#dropCount = drops.length;
  }

  beginRequest(): void {
    this.#parts.attributes?.forgetResource();
  }

  wantsSpans(words: Uint32Array, at: number): boolean {
    if (this.needsSizes) return true;
    const { settledBits } = this.#parts;
    for (let word = 0; word < settledBits.length; word++) {
      if ((~words[at + word] & settledBits[word]) !== 0) return true;
    }
    return false;
  }

  fold(span: SpanCursor, words: Uint32Array, at: number): void {
    const { attributes, leaves, sizes } = this.#parts;
    if (attributes !== undefined) attributes.fold(span, words, at);
    foldSpans(leaves, span, words, at);
    if (sizes !== undefined) sizes.fold(span, words, at);
  }

  sizeBytes(words: Uint32Array, at: number): number {
    return this.#parts.sizes?.bodyBytes(words, at) ?? 0;
  }

  decide(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): DecisionResult {
    const result = this.#begin(trace, words, at);
    result.decision = Decision.notSampled;
    const droppedBy = this.reportsThresholds ? this.#droppedBy.get(at) : undefined;
    if (droppedBy !== undefined && droppedBy !== notDropped) return this.#credit(Decision.dropped, droppedBy);
    for (let turn = droppedBy === undefined ? 0 : this.#dropCount; turn < this.#order.length; turn++) {
      const policy = this.#order[turn];
      const verdict = this.#vote(policy, trace, words, at, nowMs);
      if (verdict === Verdict.dropped) return this.#credit(Decision.dropped, policy);
      if (verdict !== Verdict.sampled) continue;
      if (result.policy < 0) this.#credit(Decision.sampled, policy);
      this.#noteComposite(policy);
      if (this.reportsThresholds) this.#noteThreshold(policy);
      if (this.#parts.sampleOnFirstMatch) break;
    }
    return result;
  }

  judgeBatch(batch: readonly BatchTrace[], words: Uint32Array, nowMs: number): void {
    this.#droppedBy.clear();
    const survivors = batch.filter(({ facts, at }) => {
      facts.sizeBytes = this.sizeBytes(words, at);
      const drops = this.#order.subarray(0, this.#dropCount);
      const droppedBy = drops.find((policy) => this.#vote(policy, facts, words, at, nowMs) === Verdict.dropped) ?? notDropped;
      this.#droppedBy.set(at, droppedBy);
      return droppedBy === notDropped;
    });
    for (const policy of this.#order.subarray(this.#dropCount)) {
      this.#parts.policies[policy].node.judgeBatch?.(survivors, words, nowMs);
    }
  }

  decideOnIngest(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): DecisionResult {
    const result = this.#begin(trace, words, at);
    let mayStillDrop = false;
    for (let turn = 0; turn < this.#order.length; turn++) {
      const isDrop = turn < this.#dropCount;
      if (!isDrop && mayStillDrop) break;
      const policy = this.#order[turn];
      const verdict = this.#vote(policy, trace, words, at, nowMs);
      if (verdict === Verdict.dropped) return this.#credit(Decision.dropped, policy);
      if (isDrop) mayStillDrop ||= verdict !== Verdict.error;
      else if (verdict === Verdict.sampled) {
        this.#credit(Decision.sampled, policy);
        this.#noteComposite(policy);
        if (this.reportsThresholds) this.#noteThreshold(policy);
        return result;
      }
    }
    return result;
  }

  pathOf(result: DecisionResult): string {
    if (result.policy < 0) return '';
    const { paths } = this.#parts.policies[result.policy];
    return result.composite === result.policy ? paths[result.subPolicy] : paths[0];
  }

  #begin(trace: TraceFacts, words: Uint32Array, at: number): DecisionResult {
    trace.sizeBytes = this.sizeBytes(words, at);
    this.#decisions++;
    const result = this.#result;
    result.decision = Decision.pending;
    result.policy = -1;
    result.composite = -1;
    result.subPolicy = -1;
    if (this.reportsThresholds) result.threshold = noThreshold;
    return result;
  }

  #vote(policy: number, trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    const { node } = this.#parts.policies[policy];
    const clock = this.#decisions % decisionsPerTiming === 1 ? this.#parts.clock : undefined;
    const startedMs = clock?.monotonicMs() ?? 0;
    const verdict = node.evaluate(trace, words, at, nowMs);
    if (clock !== undefined) this.counters.executionMs[policy] += (clock.monotonicMs() - startedMs) * decisionsPerTiming;
    this.counters.executions[policy]++;
    if (verdict === Verdict.error) this.counters.fail(policy, node.lastError());
    else this.counters.vote(policy, verdict, trace.spanCount, trace.sizeBytes);
    return verdict;
  }

  #credit(decision: Decision, policy: number): DecisionResult {
    this.#result.decision = decision;
    this.#result.policy = policy;
    return this.#result;
  }

  /** The smallest of all that sampled. */
  #noteThreshold(policy: number): void {
    const threshold = this.#parts.policies[policy].node.threshold?.() ?? alwaysThreshold;
    const result = this.#result;
    if (result.threshold === noThreshold || threshold < result.threshold) result.threshold = threshold;
  }

  #noteComposite(policy: number): void {
    const { composite } = this.#parts.policies[policy];
    if (composite === undefined || (policy !== this.#result.policy && !this.#parts.namesUncreditedComposite)) return;
    this.#result.composite = policy;
    this.#result.subPolicy = composite.winner;
  }
}
