/** The `latency` policy: samples a trace whose running duration, looked at after each span, exceeds a threshold or falls into a window. Worker thread. */

import { factRow } from '../../shared/arena/rows.ts';
import { type LeafPolicy, sampledIfSettled } from './policy.ts';

const startWord = factRow.start / 4;
const endWord = factRow.end / 4;
const minLow = 0;
const minHigh = 1;
const maxLow = 2;
const maxHigh = 3;

const nanosPerMs = 1_000_000n;

/** A bound on an int64 as a signed high and an unsigned low word. `high` may lie beyond int32, so that nothing or everything is above it. */
interface Int64Bound {
  readonly high: number;
  readonly low: number;
}

function boundOf(value: bigint): Int64Bound {
  return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
}

/** The least duration in nanoseconds whose milliseconds, cut towards zero, exceed `ms`. */
function leastAbove(ms: number): bigint {
  const least = BigInt(Math.trunc(ms)) + 1n;
  return least >= 1n ? least * nanosPerMs : (least - 1n) * nanosPerMs + 1n;
}

/** The greatest duration in nanoseconds whose milliseconds, cut towards zero, are at most `ms`. */
function greatestWithin(ms: number): bigint {
  const greatest = BigInt(Math.trunc(ms));
  return greatest >= 0n ? (greatest + 1n) * nanosPerMs - 1n : greatest * nanosPerMs;
}

/**
 * State: earliest start and latest end so far, u64 nanoseconds each; 0 is "not set", so a start of 0 is replaced by the next span's.
 * The duration is the difference of the two read as int64 and saturates at the ends of int64, as Go's time.Time does.
 * Source: spec 1.4.1. With an upper bound the answer depends on the order of spans, as in the Collector.
 */
export function latency(config: { readonly thresholdMs: number; readonly upperThresholdMs: number }): LeafPolicy {
  const least = boundOf(leastAbove(config.thresholdMs));
  const greatest =
    config.upperThresholdMs === 0 ? { high: Number.POSITIVE_INFINITY, low: 0 } : boundOf(greatestWithin(config.upperThresholdMs));
  return {
    stateWords: 4,
    fold(span, words, at) {
      extendWindow(span.words, span.fact, words, at);
      const borrow = words[at + maxLow] < words[at + minLow] ? 1 : 0;
      let high = (words[at + maxHigh] | 0) - (words[at + minHigh] | 0) - borrow;
      let low = (words[at + maxLow] - words[at + minLow]) >>> 0;
      if (high > 0x7fffffff) {
        high = 0x7fffffff;
        low = 0xffffffff;
      } else if (high < -0x80000000) {
        high = -0x80000000;
        low = 0;
      }
      return (
        (high > least.high || (high === least.high && low >= least.low)) &&
        (high < greatest.high || (high === greatest.high && low <= greatest.low))
      );
    },
    read: sampledIfSettled,
  };
}

function extendWindow(facts: Uint32Array, fact: number, words: Uint32Array, at: number): void {
  const startLow = facts[fact + startWord];
  const startHigh = facts[fact + startWord + 1];
  const startsAt = words[at + minHigh];
  if (startHigh < startsAt || (startHigh === startsAt && startLow < words[at + minLow]) || (startsAt | words[at + minLow]) === 0) {
    words[at + minLow] = startLow;
    words[at + minHigh] = startHigh;
  }
  const endLow = facts[fact + endWord];
  const endHigh = facts[fact + endWord + 1];
  const endsAt = words[at + maxHigh];
  if (endHigh > endsAt || (endHigh === endsAt && endLow > words[at + maxLow])) {
    words[at + maxLow] = endLow;
    words[at + maxHigh] = endHigh;
  }
}
