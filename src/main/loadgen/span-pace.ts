/** How many spans a worker may send by now: an even rate without catching up, or none. Main thread. */

import type { Clock } from '../../shared/clock.ts';

/** Spans that fell behind by more than this stay behind, so that a stall is not followed by a flood. */
const behindMsMax = 100;

export class SpanPace {
  readonly #clock: Clock;
  readonly #msPerSpan: number;
  #nextMs: number;

  /** Units: spans per second; 0 is without limit. */
  constructor(clock: Clock, rate: number) {
    this.#clock = clock;
    this.#msPerSpan = rate > 0 ? 1000 / rate : 0;
    this.#nextMs = clock.monotonicMs();
  }

  /** Takes one span's turn. Returns the milliseconds to wait before asking again, 0 when the turn is taken. */
  take(): number {
    if (this.#msPerSpan === 0) return 0;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMs) return this.#nextMs - nowMs;
    this.#nextMs = Math.max(this.#nextMs, nowMs - behindMsMax) + this.#msPerSpan;
    return 0;
  }
}
