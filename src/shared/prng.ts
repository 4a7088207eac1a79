/** Randomness as a capability (jitter, ids of a generator): seeded in tests, so that a failing run can be repeated. Both threads. */

export interface Prng {
  /** Shape: a double in [0, 1). */
  next(): number;
}

export const systemPrng: Prng = { next: () => Math.random() };

/** Source: mulberry32 by Tommy Ettinger, public domain. */
export function seededPrng(seed: number): Prng {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    },
  };
}
