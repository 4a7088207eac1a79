/** What a shard and its policies counted, as columns in its region that the main thread turns into metrics. Whichever thread runs the shard writes. */

import {
  ageDoubles,
  bankDoubles,
  countDoubles,
  header,
  headerDoubles,
  type ShardCounter,
  shardCounters,
} from '../../shared/arena/region-layout.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import type { PolicyCounters } from '../policies/policy-counters.ts';

/** Index of each counter in the columns, by name. */
export const counterIndex = Object.fromEntries(shardCounters.map((name, index) => [name, index])) as Record<ShardCounter, number>;

/**
 * One bank of cumulative doubles; `policies` is P. The reading methods read the bank that counts.
 *
 *      ├ shard counters ┼ late ages ┼ removal ages ┼ evaluation errors 1 ┼ traces 3P ┼ spans 3P ┼ bytes 3P ┼ executions P ┼ milliseconds P ┤   by verdict: not sampled, sampled, dropped
 */
export class ShardColumns {
  readonly #memory: ShardMemory;
  readonly #policies: number;

  constructor(memory: ShardMemory, policies: number) {
    this.#memory = memory;
    this.#policies = policies;
  }

  /** Writes the totals with `counts` and `policies` added into the bank that does not count, clears both, and returns that bank's number. */
  stage(counts: Float64Array, policies: PolicyCounters): number {
    const bank = 1 - this.#memory.words[this.#memory.head + header.bank];
    const { doubles } = this.#memory;
    const to = this.#at(bank);
    const from = this.#at(1 - bank);
    doubles.copyWithin(to, from, from + bankDoubles(this.#policies));
    doubles[to + this.#errors] += policies.evaluationErrors;
    const count = this.#policies;
    const columns = to + this.#errors + 1;
    this.#add(to, counts);
    this.#add(columns, policies.traces);
    this.#add(columns + 3 * count, policies.spans);
    this.#add(columns + 6 * count, policies.bytes);
    this.#add(columns + 9 * count, policies.executions);
    this.#add(columns + 10 * count, policies.executionMs);
    counts.fill(0);
    policies.reset();
    return bank;
  }

  counter(name: ShardCounter): number {
    return this.#read(counterIndex[name]);
  }
  /** Copies an age histogram, `lateAgeAt` or `removalAgeAt`: buckets, then the sum in seconds. */
  ages(at: number, into: Float64Array): void {
    for (let index = 0; index < ageDoubles; index++) into[index] = this.#read(at + index);
  }
  get evaluationErrors(): number {
    return this.#read(this.#errors);
  }
  traces(policy: number, verdict: number): number {
    return this.#read(this.#errors + 1 + 3 * policy + verdict);
  }
  spans(policy: number, verdict: number): number {
    return this.#read(this.#errors + 1 + 3 * (this.#policies + policy) + verdict);
  }
  bytes(policy: number, verdict: number): number {
    return this.#read(this.#errors + 1 + 3 * (2 * this.#policies + policy) + verdict);
  }
  executions(policy: number): number {
    return this.#read(this.#errors + 1 + 9 * this.#policies + policy);
  }
  executionMs(policy: number): number {
    return this.#read(this.#errors + 1 + 10 * this.#policies + policy);
  }

  get #errors(): number {
    return countDoubles;
  }

  #at(bank: number): number {
    return this.#memory.headDoubles + headerDoubles.counters + bank * bankDoubles(this.#policies);
  }

  #read(offset: number): number {
    return this.#memory.doubles[this.#at(this.#memory.words[this.#memory.head + header.bank]) + offset];
  }

  #add(at: number, counts: Float64Array): void {
    const { doubles } = this.#memory;
    for (let index = 0; index < counts.length; index++) doubles[at + index] += counts[index];
  }
}
