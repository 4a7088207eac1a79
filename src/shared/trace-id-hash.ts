/** Hashes that decide which backend owns a trace id or routing key: the one importer of xxhash-wasm. Any thread. */

import xxhash from 'xxhash-wasm';

// The 32-bit hash, because its result is a plain number where the 64-bit one returns a BigInt per call, and the table uses 16 bits only. Its final avalanche
// spreads ids whose low or high half is constant or a clock.
const { h32Raw, create64 } = await xxhash();

/** Differs from the seeds of the shard and of the probabilistic policy, so that the three choices are independent of each other. */
const ownerSeed = 0x52494e47;

const prime1 = 0x9e3779b1 | 0;
const prime2 = 0x85ebca77 | 0;
const prime3 = 0xc2b2ae3d | 0;

/** One lane: the little-endian word at `at` goes into its accumulator. */
function lane(start: number, bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const sum = (start + Math.imul(word, prime2)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), prime1);
}

/**
 * Hash of the trace id at `bytes[at … at + 16)`: what `routingKeyHash` says of those bytes, without a call into WebAssembly, which would copy them first and hand
 * back a number that needs a heap object.
 *
 * Bounds: 32 bits, signed; every bit is usable.
 * Source: xxHash32 by Yann Collet (BSD-2-Clause), for an input of exactly 16 bytes.
 */
export function traceIdHash(bytes: Uint8Array, at: number): number {
  const first = lane((ownerSeed + prime1 + prime2) | 0, bytes, at);
  const second = lane((ownerSeed + prime2) | 0, bytes, at + 4);
  const third = lane(ownerSeed, bytes, at + 8);
  const fourth = lane((ownerSeed - prime1) | 0, bytes, at + 12);
  let hash = ((first << 1) | (first >>> 31)) + ((second << 7) | (second >>> 25));
  hash = (hash + ((third << 12) | (third >>> 20)) + ((fourth << 18) | (fourth >>> 14)) + 16) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return hash ^ (hash >>> 16);
}

/** Hash of a routing key of any length. Of 16 bytes it is the same as `traceIdHash`. `stream` selects one of several independent hashes. */
export function routingKeyHash(key: Uint8Array, stream = 0): number {
  return h32Raw(key, (ownerSeed + stream) >>> 0);
}

/** Content hash of some byte strings taken as one. Shape: 16 hex digits. */
export function contentDigest(parts: readonly Uint8Array[]): string {
  const state = create64(0n);
  for (const part of parts) state.update(part);
  return state.digest().toString(16).padStart(16, '0');
}
