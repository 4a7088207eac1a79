/** The `probabilistic` policy: samples a share of trace ids, bit for bit those that the Collector samples. Worker thread. */

import { thresholdOfPercentage } from './otel-trace-state.ts';
import { type LeafPolicy, Verdict } from './policy.ts';
import type { TraceRandomness } from './trace-randomness.ts';

const uint64Max = (1n << 64n) - 1n;
const defaultHashSalt = 'default-hash-seed';

/** FNV-1a, 64 bits: basis cbf29ce484222325, prime 2^40 + 0x1b3. The two words are kept as unsigned numbers. */
const basisHigh = 0xcbf29ce4;
const basisLow = 0x84222325;
const primeLow = 0x1b3;

/** The hash's state after `fnv64`, read by the caller at once. One pair per thread instead of an object per hash. */
let hashHigh = 0;
let hashLow = 0;

/** Continues the hash (high, low) over `length` bytes from `at`; the result stands in hashHigh and hashLow. */
function fnv64(high: number, low: number, bytes: Uint8Array, at: number, length: number): void {
  for (let index = 0; index < length; index++) {
    low = (low ^ bytes[at + index]) >>> 0;
    // h · (2^40 + 0x1b3) mod 2^64: the low product has at most 41 bits, so doubles hold it exactly.
    const product = low * primeLow;
    high = (high * primeLow + Math.floor(product / 0x100000000) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  hashHigh = high;
  hashLow = low;
}

/** Source: FNV-1a 64 (Fowler, Noll, Vo), public domain. For tests and for the naive evaluator of tests. */
export function fnv1a64(bytes: Uint8Array): bigint {
  fnv64(basisHigh, basisLow, bytes, 0, bytes.length);
  return (BigInt(hashHigh) << 32n) | BigInt(hashLow);
}

/**
 * The threshold T of spec 1.4.3: uint64((2^64 − 1) · percent/100) with the product rounded half to even to 64 bits, then truncated and clamped.
 * Source: what Go's big.Float of 64 bits of precision computes.
 */
export function probabilisticThreshold(samplingPercentage: number): bigint {
  const ratio = samplingPercentage / 100;
  if (!(ratio > 0)) return 0n;
  if (ratio === Number.POSITIVE_INFINITY) return uint64Max;
  const { mantissa, exponent } = splitDouble(ratio);
  let product = uint64Max * mantissa;
  let shift = exponent;
  const excess = product.toString(2).length - 64;
  if (excess > 0) {
    product = shiftRightHalfEven(product, BigInt(excess));
    shift += excess;
  }
  const threshold = shift >= 0 ? product << BigInt(Math.min(shift, 128)) : product >> BigInt(-shift);
  return threshold > uint64Max ? uint64Max : threshold;
}

/** value = mantissa · 2^exponent with an integer mantissa. */
function splitDouble(value: number): { mantissa: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  return biased === 0 ? { mantissa: fraction, exponent: -1074 } : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function shiftRightHalfEven(value: bigint, by: bigint): bigint {
  const quotient = value >> by;
  const rest = value - (quotient << by);
  const half = 1n << (by - 1n);
  return rest > half || (rest === half && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

interface ProbabilisticConfig {
  readonly hashSalt: string;
  readonly samplingPercentage: number;
}

/** Gate `usetracestate`: a trace whose spans carry `rv` or `th` is sampled iff its randomness reaches the threshold; the salt then means nothing. */
export function probabilisticOverTraceState(config: ProbabilisticConfig, randomness: TraceRandomness): LeafPolicy {
  const byId = probabilistic(config);
  const threshold = thresholdOfPercentage(config.samplingPercentage);
  return {
    stateWords: 0,
    read(settled, trace, words, at, nowMs) {
      if (!randomness.hasSamplingInfo(words, at)) return byId.read(settled, trace, words, at, nowMs);
      return threshold <= randomness.of(trace, words, at) ? Verdict.sampled : Verdict.notSampled;
    },
    threshold: () => threshold,
  };
}

/** Sampled iff FNV-1a-64(salt ‖ trace id) ≤ T. The salt is hashed once, here. */
export function probabilistic(config: ProbabilisticConfig): LeafPolicy {
  const salt = new TextEncoder().encode(config.hashSalt === '' ? defaultHashSalt : config.hashSalt);
  fnv64(basisHigh, basisLow, salt, 0, salt.length);
  const saltedHigh = hashHigh;
  const saltedLow = hashLow;
  const threshold = probabilisticThreshold(config.samplingPercentage);
  const thresholdHigh = Number(threshold >> 32n);
  const thresholdLow = Number(threshold & 0xffffffffn);
  return {
    stateWords: 0,
    read(_settled, trace) {
      fnv64(saltedHigh, saltedLow, trace.bytes, trace.traceId, 16);
      const within = hashHigh < thresholdHigh || (hashHigh === thresholdHigh && hashLow <= thresholdLow);
      return within ? Verdict.sampled : Verdict.notSampled;
    },
  };
}
