/** Marks runs of kept spans with what their scopes shall say of the decision. Whichever thread runs the shard. */

import { header } from '../../shared/arena/region-layout.ts';
import { runRow } from '../../shared/arena/rows.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import type { CompiledPolicies, Trigger } from '../policies/compiled-policies.ts';
import { scopeFieldFor } from '../policies/scope-attributes.ts';

/** Indexes as in DecisionResult; -1 is none. */
export interface DecisionMark {
  readonly policy: number;
  readonly composite: number;
  readonly subPolicy: number;
  readonly trigger: Trigger;
  readonly isLate: boolean;
}

/** Each different text is written once into the shard's region; a mark is its position. */
export class DecisionSuffixes {
  readonly #memory: ShardMemory;
  readonly #policies: CompiledPolicies;
  readonly #withTrigger: boolean;
  readonly #positions = new Map<number, number>();

  constructor(memory: ShardMemory, policies: CompiledPolicies, withTrigger: boolean) {
    this.#memory = memory;
    this.#policies = policies;
    this.#withTrigger = withTrigger;
  }

  /** The longest text with its keys and lengths. */
  get bytesMax(): number {
    const { names, subPolicyNames } = this.#policies;
    return 256 + Math.max(0, ...[...names, ...subPolicyNames.flat()].map((name) => Buffer.byteLength(name))) * 2;
  }

  /** Marks every run of the chain. */
  mark(firstRun: number, decision: DecisionMark): void {
    const position = this.#positionOf(decision);
    const { words } = this.#memory;
    for (let run = firstRun; run !== 0; run = words[(run + runRow.next) / 4]) words[(run + runRow.mark) / 4] = position;
  }

  #positionOf(decision: DecisionMark): number {
    const key =
      (decision.policy + 1) * 0x10_0000_0000 +
      (decision.composite + 1) * 0x10_0000 +
      (decision.subPolicy + 1) * 0x20 +
      decision.trigger * 2 +
      (decision.isLate ? 1 : 0);
    let position = this.#positions.get(key);
    if (position === undefined) {
      position = this.#write(decision);
      this.#positions.set(key, position);
    }
    return position;
  }

  /** 0 when there is nothing to say, or no room left to say it. */
  #write(decision: DecisionMark): number {
    const { names, subPolicyNames } = this.#policies;
    const field = scopeFieldFor({
      policy: decision.policy < 0 ? '' : names[decision.policy],
      compositePolicy: decision.composite < 0 ? undefined : subPolicyNames[decision.composite][decision.subPolicy],
      isLate: decision.isLate,
      trigger: this.#withTrigger ? decision.trigger : undefined,
    });
    const { words, bytes, head, place } = this.#memory;
    const used = words[head + header.suffixUsed];
    const needed = Math.ceil((4 + field.length) / 4) * 4;
    if (field.length === 0 || used + needed > place.suffixesLength) return 0;
    const at = place.suffixesAt + used;
    words[at / 4] = field.length;
    bytes.set(field, at + 4);
    words[head + header.suffixUsed] = used + needed;
    return at;
  }
}
