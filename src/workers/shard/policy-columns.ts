/** What the policies counted, as columns in the shard's region that the main thread turns into metrics. Whichever thread runs the shard writes. */

import { headerDoubles, shardCounters } from '../../shared/arena/region-layout.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import type { PolicyCounters } from '../policies/policy-counters.ts';

/**
 * Cumulative doubles behind the shard's counters. `policies` is P:
 *
 *      ├ evaluation errors 1 ┼ traces 3P ┼ spans 3P ┼ bytes 3P ┼ executions P ┼ milliseconds P ┤     by verdict: not sampled, sampled, dropped
 */
export class PolicyColumns {
  lastError = '';
  readonly #doubles: Float64Array;
  readonly #at: number;
  readonly #policies: number;

  constructor(memory: ShardMemory, policies: number) {
    this.#doubles = memory.doubles;
    this.#at = memory.headDoubles + headerDoubles.counters + shardCounters.length;
    this.#policies = policies;
  }

  /** Adds a finished task's counts and clears them. */
  commit(counters: PolicyCounters): void {
    const policies = this.#policies;
    this.lastError = counters.lastError;
    this.#doubles[this.#at] += counters.evaluationErrors;
    this.#add(1, counters.traces);
    this.#add(1 + 3 * policies, counters.spans);
    this.#add(1 + 6 * policies, counters.bytes);
    this.#add(1 + 9 * policies, counters.executions);
    this.#add(1 + 10 * policies, counters.executionMs);
    counters.reset();
  }

  get evaluationErrors(): number {
    return this.#doubles[this.#at];
  }
  traces(policy: number, verdict: number): number {
    return this.#doubles[this.#at + 1 + 3 * policy + verdict];
  }
  spans(policy: number, verdict: number): number {
    return this.#doubles[this.#at + 1 + 3 * (this.#policies + policy) + verdict];
  }
  bytes(policy: number, verdict: number): number {
    return this.#doubles[this.#at + 1 + 3 * (2 * this.#policies + policy) + verdict];
  }
  executions(policy: number): number {
    return this.#doubles[this.#at + 1 + 9 * this.#policies + policy];
  }
  executionMs(policy: number): number {
    return this.#doubles[this.#at + 1 + 10 * this.#policies + policy];
  }

  #add(offset: number, from: Float64Array): void {
    const at = this.#at + offset;
    for (let index = 0; index < from.length; index++) this.#doubles[at + index] += from[index];
  }
}
