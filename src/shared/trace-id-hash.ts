/** Hashes that decide which backend owns a trace id or routing key: the one importer of xxhash-wasm. Any thread. */

import xxhash from 'xxhash-wasm';

// The 32-bit hash, because its result is a plain number: 35 ns and no garbage for 16 bytes, where the 64-bit one returns a BigInt per call (70 ns)
// and the table uses 16 bits only. Its final avalanche spreads ids whose low or high half is constant or a clock.
const { h32Raw, create64 } = await xxhash();

/** Differs from the seeds of the shard and of the probabilistic policy, so that the three choices are independent of each other. */
const ownerSeed = 0x52494e47;

const traceIdBytes = 16;
const scratch = new Uint8Array(traceIdBytes);

/**
 * Hash of the trace id at `bytes[at … at + 16)`; allocates nothing.
 * Bounds: 0 to 2^32 - 1; every bit is usable.
 * Source: xxHash32 by Yann Collet (BSD-2-Clause), through xxhash-wasm (MIT).
 */
export function traceIdHash(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < traceIdBytes; index++) scratch[index] = bytes[at + index];
  return h32Raw(scratch, ownerSeed);
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
