/** A leaf policy in its place: which settled bit and which state words of a trace are its own. Worker thread. */

import { alwaysThreshold } from './otel-trace-state.ts';
import type { LeafPolicy, PolicyNode, TraceFacts, Verdict } from './policy.ts';

const unplaced = -1;

export class LeafNode implements PolicyNode {
  readonly leaf: LeafPolicy;
  /** Settled bit, counted from the trace's first state word; -1 for a leaf that learns nothing from spans. */
  bit = unplaced;
  /** First own word, counted the same way. */
  own = 0;

  constructor(leaf: LeafPolicy) {
    this.leaf = leaf;
  }

  place(bit: number, own: number): void {
    this.bit = bit;
    this.own = own;
  }

  evaluate(trace: TraceFacts, words: Uint32Array, at: number, nowMs: number): Verdict {
    const settled = this.bit !== unplaced && ((words[at + (this.bit >>> 5)] >>> (this.bit & 31)) & 1) === 1;
    return this.leaf.read(settled, trace, words, at + this.own, nowMs);
  }

  lastError(): string {
    return this.leaf.lastError?.() ?? '';
  }

  threshold(): bigint {
    return this.leaf.threshold?.() ?? alwaysThreshold;
  }

  get judgeBatch(): LeafPolicy['judgeBatch'] {
    return this.leaf.judgeBatch;
  }
}
