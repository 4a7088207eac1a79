/** A clock that stands still until a test moves it, so that waits of hours pass in microseconds and every run is alike. */

import type { Clock, Timer } from '../../src/shared/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 1_000;
  #order = 0;
  #pending: Pending[] = [];
  readonly #wallStartMs: number;

  constructor(wallStartMs = 1_800_000_000_000) {
    this.#wallStartMs = wallStartMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.push(pending);
    return { cancel: () => this.#drop(pending) };
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Moves time on by `ms`, firing timers in order; after each, everything that promises set in motion runs to its end. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await flush();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#drop(next);
      next.callback();
      await flush();
    }
    this.#nowMs = endMs;
    await flush();
  }

  #next(endMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.atMs > endMs) continue;
      if (first === undefined || pending.atMs < first.atMs || (pending.atMs === first.atMs && pending.order < first.order)) first = pending;
    }
    return first;
  }

  #drop(pending: Pending): void {
    this.#pending = this.#pending.filter((other) => other !== pending);
  }
}

/** Lets promise reactions run to their end. Units: turns of the event loop. */
export async function flush(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
