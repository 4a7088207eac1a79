/** Runs compiled policies over requests as a shard does: split, facts, fold run by run, decide. A stand-in for the shard with a plain Map for its table. */

import { factRow, runRow, scopeRow } from '../../src/shared/arena/rows.ts';
import { createSharedMemory, loadKernel } from '../../src/shared/kernel-module.ts';
import type { PolicyConfig } from '../../src/shared/policy-config.ts';
import { compilePolicies, type PolicyContext } from '../../src/workers/policies/compile-policies.ts';
import type { CompiledPolicies, DecisionResult } from '../../src/workers/policies/compiled-policies.ts';

const memoryBytes = 32 * 2 ** 20;
const factsAt = 65_536;
const factsBytes = 2 ** 20;

const memory = createSharedMemory(memoryBytes);
const kernel = loadKernel(memory);
const bytes = new Uint8Array(memory.buffer);
const words = new Uint32Array(memory.buffer);

export const plainContext: PolicyContext = {
  sampleOnFirstMatch: false,
  otelcolCompatibility: false,
  featureGates: new Set(),
  shards: 1,
  shardIndex: 0,
};

interface RigTrace {
  readonly state: number;
  readonly traceId: number;
  spanCount: number;
}

/** One rig at a time: all share one memory. Requests stay where they are put, as in the arena, until the next rig. */
export class PolicyRig {
  readonly policies: CompiledPolicies;
  readonly #traces = new Map<string, RigTrace>();
  readonly #states: Uint32Array;
  readonly cursor = { bytes, words, fact: 0, scopeRow: 0, resourceRow: 0 };
  #statesUsed = 0;
  #free = factsAt + factsBytes;
  readonly #runs: { readonly run: number; readonly trace: RigTrace }[] = [];

  constructor(policies: readonly PolicyConfig[], context: Partial<PolicyContext> = {}) {
    this.policies = compilePolicies(policies, { ...plainContext, ...context });
    this.#states = new Uint32Array(4096 * Math.max(1, this.policies.stateWords));
  }

  /** Takes one ExportTraceServiceRequest; throws when the kernel refuses it. */
  take(request: Uint8Array): void {
    const at = this.#free;
    bytes.set(request, at);
    const spans = kernel.validate(at, request.length);
    if (spans < 0) throw new Error(`the kernel refuses the request: ${kernel.errorCode()} at ${kernel.errorOffset()}`);
    const rows = (at + request.length + 7) & ~7;
    const runs = kernel.split(at, request.length, rows, false);
    this.#free = (rows + kernel.splitBytes() + 7) & ~7;
    this.policies.beginRequest();
    for (let run = 0; run < runs; run++) this.#takeRun(rows + run * runRow.bytes);
  }

  #takeRun(run: number): void {
    const traceId = words[(run + runRow.traceId) / 4]!;
    const key = Buffer.from(bytes.slice(traceId, traceId + 16)).toString('hex');
    const known = this.#traces.get(key) ?? { state: this.#takeState(), traceId, spanCount: 0 };
    this.#traces.set(key, known);
    known.spanCount += words[(run + runRow.spanCount) / 4]!;
    this.#runs.push({ run, trace: known });
    this.#foldRun(run, known.state);
  }

  #foldRun(run: number, state: number): void {
    if (!this.policies.wantsSpans(this.#states, state)) return;
    const count = kernel.facts(run, factsAt);
    const { cursor } = this;
    cursor.scopeRow = words[(run + runRow.scope) / 4]!;
    cursor.resourceRow = words[(cursor.scopeRow + scopeRow.resource) / 4]!;
    for (let index = 0; index < count; index++) {
      cursor.fact = (factsAt + index * factRow.bytes) / 4;
      this.policies.fold(cursor, this.#states, state);
    }
  }

  /** Folds all that was taken once more from the beginning, as if it came in one request, and decides every trace; for benchmarks. */
  again(): void {
    this.#states.fill(0, 0, this.#statesUsed);
    this.policies.beginRequest();
    for (const { run, trace } of this.#runs) this.#foldRun(run, trace.state);
    for (const { traceId, spanCount, state } of this.#traces.values()) {
      this.policies.decide({ traceId, spanCount, sizeBytes: 0, bytes, firstRun: 0 }, this.#states, state, 0);
    }
  }

  #takeState(): number {
    const at = this.#statesUsed;
    this.#statesUsed += this.policies.stateWords;
    return at;
  }

  traceIds(): string[] {
    return [...this.#traces.keys()];
  }

  sizeBytes(traceId: string): number {
    return this.policies.sizeBytes(this.#states, this.#traces.get(traceId)!.state);
  }

  decide(traceId: string, nowMs = 1_700_000_000_000): DecisionResult {
    const trace = this.#traces.get(traceId)!;
    const facts = { traceId: trace.traceId, spanCount: trace.spanCount, sizeBytes: 0, bytes, firstRun: 0 };
    return this.policies.decide(facts, this.#states, trace.state, nowMs);
  }

  /** Gate `usetracestate`: all traces as one batch; decisions follow. */
  judgeBatch(nowMs = 1_700_000_000_000): void {
    const batch = [...this.#traces.values()].map(({ traceId, spanCount, state }) => ({
      facts: { traceId, spanCount, sizeBytes: 0, bytes, firstRun: 0 },
      at: state,
    }));
    this.policies.judgeBatch(batch, this.#states, nowMs);
  }

  /** For traces of one request each, oldest first. */
  decideOnIngest(traceId: string, nowMs = 1_700_000_000_000): DecisionResult {
    const trace = this.#traces.get(traceId)!;
    const facts = { traceId: trace.traceId, spanCount: trace.spanCount, sizeBytes: 0, bytes, firstRun: 0 };
    return this.policies.decideOnIngest(facts, this.#states, trace.state, nowMs);
  }
}
