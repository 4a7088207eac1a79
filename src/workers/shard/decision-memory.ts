/** What a shard remembers of decided traces, and whom it forgets first. Whichever thread runs the shard. */

import { cacheRow, traceRow } from '../../shared/arena/region-layout.ts';
import {
  cacheAt,
  freeCacheRow,
  linkRecord,
  oldestRow,
  recordCount,
  refreshRecord,
  takeCacheRow,
} from '../../shared/trace-table/decision-rows.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { decidedReference, removeReference, replaceReference } from '../../shared/trace-table/trace-index.ts';
import { Decision, type DecisionResult, type Trigger } from '../policies/compiled-policies.ts';
import type { ShardSettings } from './shard-settings.ts';

export interface DecisionContext {
  readonly trigger: Trigger;
  readonly epoch: number;
  /** Units: 100 ms. */
  readonly tick: number;
}

export class DecisionMemory {
  /** Records that gave way to newer ones since the last reset. */
  forgotten = 0;
  readonly #memory: ShardMemory;
  readonly #settings: ShardSettings;

  constructor(memory: ShardMemory, settings: ShardSettings) {
    this.#memory = memory;
    this.#settings = settings;
  }

  /** Puts the decision in the trace's place in the index, or takes the trace out of it. `row`, `at`: the freed trace row and its words. */
  remember(row: number, at: number, result: DecisionResult, context: DecisionContext, worthIt: boolean): void {
    const { words } = this.#memory;
    const hash = words[at + traceRow.hash];
    const record = worthIt ? this.#room(result.decision === Decision.sampled) : -1;
    if (record < 0) {
      removeReference(this.#memory, hash, row + 1);
      return;
    }
    const to = cacheAt(this.#memory, record);
    words.copyWithin(to, at, at + 4);
    words[to + cacheRow.hash] = hash;
    words[to + cacheRow.decidedTick] = context.tick;
    words[to + cacheRow.spanCount] = words[at + traceRow.spanCount];
    words[to + cacheRow.sizeBytes] = words[at + traceRow.sizeBytes];
    words[to + cacheRow.origin] = (result.subPolicy & 0xffff) | ((context.epoch & 0xffff) << 16);
    words[to + cacheRow.verdict] = result.decision | (context.trigger << 8) | ((result.policy & 0xffff) << 16);
    linkRecord(this.#memory, record);
    replaceReference(this.#memory, hash, row + 1, (decidedReference + record + 1) >>> 0);
  }

  /** A late span asked: the decision, and the record stays a while longer. */
  recall(reference: number): Decision {
    const row = reference - decidedReference - 1;
    const decision = (this.#memory.words[cacheAt(this.#memory, row) + cacheRow.verdict] & 0xff) as Decision;
    const staysHeld = decision === Decision.sampled ? this.#settings.sampledStayHeld : this.#settings.otherStayHeld;
    if (!staysHeld) refreshRecord(this.#memory, row);
    return decision;
  }

  /** Units: 100 ms; when the trace behind the reference was decided. */
  decidedTick(reference: number): number {
    return this.#memory.words[cacheAt(this.#memory, reference - decidedReference - 1) + cacheRow.decidedTick];
  }

  /** Decided traces that count as held. */
  heldRecords(): number {
    const { sampledStayHeld, otherStayHeld } = this.#settings;
    return (sampledStayHeld ? recordCount(this.#memory, true) : 0) + (otherStayHeld ? recordCount(this.#memory, false) : 0);
  }

  /** Forgets the oldest decided trace that counts as held. */
  evictHeld(): void {
    const { words } = this.#memory;
    const sampled = this.#settings.sampledStayHeld ? oldestRow(this.#memory, true) : -1;
    const other = this.#settings.otherStayHeld ? oldestRow(this.#memory, false) : -1;
    const tickOf = (row: number): number => (row < 0 ? Number.POSITIVE_INFINITY : words[cacheAt(this.#memory, row) + cacheRow.decidedTick]);
    this.#forget(tickOf(sampled) <= tickOf(other) ? sampled : other);
  }

  #room(sampled: boolean): number {
    const max = sampled ? this.#settings.sampledRecordsMax : this.#settings.otherRecordsMax;
    if (max === 0) return -1;
    while (recordCount(this.#memory, sampled) >= max) this.#forget(oldestRow(this.#memory, sampled));
    return takeCacheRow(this.#memory);
  }

  #forget(record: number): void {
    const hash = this.#memory.words[cacheAt(this.#memory, record) + cacheRow.hash];
    removeReference(this.#memory, hash, (decidedReference + record + 1) >>> 0);
    freeCacheRow(this.#memory, record);
    this.forgotten++;
  }
}
