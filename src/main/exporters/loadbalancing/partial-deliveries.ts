/** Remembers which parts of a refused request were delivered, so that the caller's repetition of it delivers only the rest. Main thread. */

import { hash } from 'node:crypto';
import type { Placement } from '../../../discovery/placement.ts';
import type { Clock } from '../../../shared/clock.ts';

/** `owners` count in `placement`, which is the one that the request was first routed by. */
export interface PartialDelivery {
  readonly placement: Placement;
  readonly undelivered: ReadonlySet<number>;
}

interface Entry extends PartialDelivery {
  readonly untilMs: number;
}

/** Callers give up sooner: exporters of the Collector after five minutes, those of the SDKs after one. */
const keptMs = 300_000;
/** Requests that are being repeated at a time, a few hundred bytes each; beyond it the oldest is forgotten, and costs duplicates. */
const entriesMax = 10_000;

/**
 * A request is known by the digest of its bytes: clients repeat what they have serialized, and every receiver decompresses to the same bytes.
 * While nothing is remembered, which is so unless a backend fails, no digest is made.
 */
export class PartialDeliveries {
  readonly #clock: Clock;
  /** By age. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  remember(bytes: Uint8Array, delivery: PartialDelivery): void {
    const key = digestOf(bytes);
    this.#entries.delete(key);
    this.#entries.set(key, { ...delivery, untilMs: this.#clock.monotonicMs() + keptMs });
    this.#forgetOld();
    if (this.#entries.size > entriesMax) this.#entries.delete(this.#entries.keys().next().value!);
  }

  /** Takes what is remembered of these bytes; undefined when it is nothing. */
  recall(bytes: Uint8Array): PartialDelivery | undefined {
    if (this.#entries.size === 0) return undefined;
    this.#forgetOld();
    const key = digestOf(bytes);
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry;
  }

  #forgetOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, entry] of this.#entries) {
      if (entry.untilMs > nowMs) return;
      this.#entries.delete(key);
    }
  }
}

function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64');
}
