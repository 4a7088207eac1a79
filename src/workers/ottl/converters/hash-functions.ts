/** FNV and MurmurHash3 as their reference implementations define them. Any thread. */

const mask64 = (1n << 64n) - 1n;

/** FNV-1a, 64 bits. Source: Fowler, Noll, Vo. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask64;
  return hash;
}

const rotl32 = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

function littleEndianHex(value: bigint, byteCount: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.subarray(0, byteCount).toString('hex');
}

/** MurmurHash3_x86_32 with seed 0, its bytes little-endian in hex. Source: Austin Appleby, public domain. */
export function murmur3x86(bytes: Uint8Array): string {
  const c1 = 0xcc9e2d51;
  const c2 = 0x1b873593;
  const whole = bytes.length - (bytes.length % 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = 0;
  for (let i = 0; i < whole; i += 4) {
    hash ^= Math.imul(rotl32(Math.imul(view.getUint32(i, true), c1), 15), c2);
    hash = (Math.imul(rotl32(hash, 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!;
  if (whole < bytes.length) hash ^= Math.imul(rotl32(Math.imul(tail, c1), 15), c2);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return littleEndianHex(BigInt((hash ^ (hash >>> 16)) >>> 0), 4);
}

const rotl64 = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & mask64;
const mul64 = (a: bigint, b: bigint): bigint => (a * b) & mask64;

function fmix64(value: bigint): bigint {
  let mixed = mul64(value ^ (value >> 33n), 0xff51afd7ed558ccdn);
  mixed = mul64(mixed ^ (mixed >> 33n), 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

/** MurmurHash3_x64_128 with seed 0, both halves little-endian in hex. Source: Austin Appleby, public domain. */
export function murmur3x64(bytes: Uint8Array): string {
  const c1 = 0x87c37b91114253d5n;
  const c2 = 0x4cf5ad432745937fn;
  const whole = bytes.length - (bytes.length % 16);
  const padded = new Uint8Array(whole + 16);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  let h1 = 0n;
  let h2 = 0n;
  for (let i = 0; i < whole; i += 16) {
    h1 ^= mul64(rotl64(mul64(view.getBigUint64(i, true), c1), 31n), c2);
    h1 = (mul64(rotl64(h1, 27n) + h2, 5n) + 0x52dce729n) & mask64;
    h2 ^= mul64(rotl64(mul64(view.getBigUint64(i + 8, true), c2), 33n), c1);
    h2 = (mul64(rotl64(h2, 31n) + h1, 5n) + 0x38495ab5n) & mask64;
  }
  h2 ^= mul64(rotl64(mul64(view.getBigUint64(whole + 8, true), c2), 33n), c1);
  h1 ^= mul64(rotl64(mul64(view.getBigUint64(whole, true), c1), 31n), c2);
  const length = BigInt(bytes.length);
  h1 ^= length;
  h2 ^= length;
  h1 = (h1 + h2) & mask64;
  h2 = (h2 + h1) & mask64;
  h1 = fmix64(h1);
  h2 = fmix64(h2);
  h1 = (h1 + h2) & mask64;
  h2 = (h2 + h1) & mask64;
  return littleEndianHex(h1, 8) + littleEndianHex(h2, 8);
}
