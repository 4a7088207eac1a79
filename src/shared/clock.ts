/** Time as a capability: handed to everything that waits or stamps, so that tests and simulations drive it. Both threads. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock. Units: milliseconds since the Unix epoch, fractional. May jump. */
  wallMs(): number;
  /** Monotonic clock. Units: milliseconds since process start, fractional. Never goes back. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs`; the timer keeps no process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  wallMs: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
