/** Ends a trace's time in the table: asks the policies, counts, remembers, and hands what is sampled to the output. Whichever thread runs the shard. */

import {
  ageBoundaries,
  ageDoubles,
  cacheRow,
  lateAgeAt,
  removalAgeAt,
  type ShardCounter,
  traceRow,
} from '../../shared/arena/region-layout.ts';
import { runRow } from '../../shared/arena/rows.ts';
import { cacheAt } from '../../shared/trace-table/decision-rows.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { decidedReference } from '../../shared/trace-table/trace-index.ts';
import { freeTraceRow, traceAt } from '../../shared/trace-table/trace-rows.ts';
import { type CompiledPolicies, Decision, type DecisionResult, noThreshold, Trigger } from '../policies/compiled-policies.ts';
import type { TraceFacts } from '../policies/policy.ts';
import { DecisionMemory } from './decision-memory.ts';
import { DecisionSuffixes } from './decision-suffixes.ts';
import { counterIndex } from './shard-columns.ts';
import type { ShardOutput } from './shard-output.ts';
import type { ShardSettings } from './shard-settings.ts';

/** What a decision counts as beside its outcome. */
const triggerCounters: Partial<Record<Trigger, ShardCounter>> = {
  [Trigger.root]: 'decisionsByRoot',
  [Trigger.drain]: 'drainedTraces',
  [Trigger.early]: 'earlyDecisions',
};

/** What a trace is decided by without asking the policies: above the size limit, or undecided at the end of span-ingest. */
const noPolicy: DecisionResult = { decision: Decision.notSampled, policy: -1, composite: -1, subPolicy: -1, threshold: noThreshold };

export interface TraceSettlerParts {
  readonly memory: ShardMemory;
  readonly settings: ShardSettings;
  readonly policies: CompiledPolicies;
  readonly output: ShardOutput;
  /** The task's counts: counters, then both age histograms. */
  readonly counts: Float64Array;
  /** Words of a trace row. */
  readonly stride: number;
  readonly eachSpan: NonNullable<TraceFacts['eachSpan']>;
}

export class TraceSettler {
  readonly decisions: DecisionMemory;
  /** What is said of a decision in a scope has at most so many bytes. */
  readonly markBytesMax: number;
  readonly #parts: TraceSettlerParts;
  readonly #facts: TraceFacts;
  readonly #suffixes: DecisionSuffixes | undefined;
  #epoch = 0;
  #nowMs = 0;

  constructor(parts: TraceSettlerParts) {
    const { memory, settings, policies } = parts;
    this.#parts = parts;
    this.decisions = new DecisionMemory(memory, settings);
    this.#facts = { traceId: 0, spanCount: 0, sizeBytes: 0, bytes: memory.bytes, firstRun: 0, eachSpan: parts.eachSpan };
    this.#suffixes = settings.record === 'off' ? undefined : new DecisionSuffixes(memory, policies, settings.record === 'full');
    this.markBytesMax = this.#suffixes?.bytesMax ?? 0;
  }

  /** A task begins. Units: `nowMs` monotonic, for limiters too: a calendar that is set back must not close them for as long. */
  begin(epoch: number, nowMs: number): void {
    this.#epoch = epoch;
    this.#nowMs = nowMs;
  }

  /** Gate `usetracestate`: the traces that are decided next, one by one; drop policies are judged and limiters cut them as a batch. */
  judgeBatch(rows: readonly number[]): void {
    const { memory, stride, policies } = this.#parts;
    const batch = rows.map((row) => {
      const at = traceAt(memory, stride, row);
      return { facts: { ...this.#readFacts(at) }, at: at + traceRow.words };
    });
    policies.judgeBatch(batch, memory.words, this.#nowMs);
  }

  /** Decides a due trace. */
  decide(row: number, trigger: Trigger): void {
    const { memory, stride, policies, settings, counts } = this.#parts;
    const counter = triggerCounters[trigger];
    if (counter !== undefined) counts[counterIndex[counter]]++;
    const at = traceAt(memory, stride, row);
    const facts = this.#readFacts(at);
    if (settings.spanIngest) {
      // Its fragments were judged when they came; there is no last look.
      this.#settle(row, noPolicy, trigger, memory.words[at + traceRow.sizeBytes], !settings.otherStayHeld);
      return;
    }
    const result = policies.decide(facts, memory.words, at + traceRow.words, this.#nowMs);
    this.#settle(row, result, trigger, facts.sizeBytes, true);
  }

  /** Judges the fragment that has just come (spec 1.8); its state is cleared when the trace stays undecided. */
  judgeFragment(row: number): void {
    const { memory, stride, policies } = this.#parts;
    const { words } = memory;
    const at = traceAt(memory, stride, row);
    const result = policies.decideOnIngest(this.#readFacts(at), words, at + traceRow.words, this.#nowMs);
    this.closeFragment(row);
    if (result.decision !== Decision.pending) this.#settle(row, result, Trigger.ingest, words[at + traceRow.sizeBytes], true);
  }

  /** What was folded is judged: its size counts from here on, and nothing else of it. */
  closeFragment(row: number): void {
    const { memory, stride, policies } = this.#parts;
    const at = traceAt(memory, stride, row);
    memory.words[at + traceRow.sizeBytes] += policies.sizeBytes(memory.words, at + traceRow.words);
    memory.words.fill(0, at + traceRow.words, at + stride);
  }

  /** A trace above the size limit is not sampled, at once. */
  dropTooLarge(row: number, sizeBytes: number): void {
    const { memory, stride, counts } = this.#parts;
    counts[counterIndex.tooLargeTraces]++;
    counts[counterIndex.tooLargeSpans] += memory.words[traceAt(memory, stride, row) + traceRow.spanCount];
    this.#leave(row, noPolicy, Trigger.size, sizeBytes, true);
  }

  /** A span of a decided trace: it follows the decision. */
  takeLate(run: number, reference: number): void {
    const { memory, counts, output, settings } = this.#parts;
    const { words } = memory;
    const spans = words[(run + runRow.spanCount) / 4];
    const decision = this.decisions.recall(reference);
    this.#countAge(lateAgeAt, Math.floor(this.#nowMs / 1000 - this.decisions.decidedTick(reference) / 10));
    if (decision === Decision.sampled) {
      words[(run + runRow.next) / 4] = 0;
      if (this.#suffixes && !settings.sampledStayHeld) this.#markLate(this.#suffixes, run, reference);
      output.addLate(run, spans);
      counts[counterIndex.lateSpansSampled] += spans;
    } else {
      counts[decision === Decision.dropped ? counterIndex.lateSpansDropped : counterIndex.lateSpansNotSampled] += spans;
    }
  }

  #markLate(suffixes: DecisionSuffixes, run: number, reference: number): void {
    const verdict = this.#parts.memory.words[cacheAt(this.#parts.memory, reference - decidedReference - 1) + cacheRow.verdict];
    const policy = verdict >>> 16;
    const trigger = ((verdict >>> 8) & 0xff) as Trigger;
    suffixes.mark(run, { policy: policy === 0xffff ? -1 : policy, composite: -1, subPolicy: -1, trigger, isLate: true });
  }

  #readFacts(at: number): TraceFacts {
    const { words } = this.#parts.memory;
    const facts = this.#facts;
    facts.traceId = at * 4;
    facts.spanCount = words[at + traceRow.spanCount];
    facts.firstRun = words[at + traceRow.firstRun];
    return facts;
  }

  #settle(row: number, result: DecisionResult, trigger: Trigger, sizeBytes: number, worthIt: boolean): void {
    const { memory, stride, counts } = this.#parts;
    const spans = memory.words[traceAt(memory, stride, row) + traceRow.spanCount];
    if (result.decision === Decision.sampled) {
      counts[counterIndex.tracesSampled]++;
      counts[counterIndex.spansSampled] += spans;
    } else if (result.decision === Decision.dropped) {
      counts[counterIndex.tracesDropped]++;
      counts[counterIndex.spansDropped] += spans;
    } else {
      counts[counterIndex.tracesNotSampled]++;
      counts[counterIndex.spansNotSampled] += spans;
    }
    this.#leave(row, result, trigger, sizeBytes, worthIt);
  }

  /** The trace leaves the table with its decision. */
  #leave(row: number, result: DecisionResult, trigger: Trigger, sizeBytes: number, worthIt: boolean): void {
    const { memory, stride, output } = this.#parts;
    const { words, doubles } = memory;
    const at = traceAt(memory, stride, row);
    const arrivalMs = doubles[(at + traceRow.arrival) / 2];
    const firstRun = words[at + traceRow.firstRun];
    words[at + traceRow.sizeBytes] = Math.min(sizeBytes, 0xffffffff);
    this.#countAge(removalAgeAt, (this.#nowMs - arrivalMs) / 1000);
    freeTraceRow(memory, stride, row);
    this.decisions.remember(row, at, result, { trigger, epoch: this.#epoch, tick: Math.floor(this.#nowMs / 100) }, worthIt);
    if (result.decision !== Decision.sampled) return;
    this.#suffixes?.mark(firstRun, { ...result, trigger, isLate: false });
    if (result.threshold === noThreshold) output.emit(firstRun, words[at + traceRow.spanCount], arrivalMs);
    else output.emitWithThreshold(firstRun, words[at + traceRow.spanCount], arrivalMs, result.threshold);
  }

  #countAge(histogram: number, seconds: number): void {
    const { counts } = this.#parts;
    let bucket = 0;
    while (bucket < ageBoundaries.length && seconds > ageBoundaries[bucket]) bucket++;
    counts[histogram + bucket]++;
    counts[histogram + ageDoubles - 1] += seconds;
  }
}
