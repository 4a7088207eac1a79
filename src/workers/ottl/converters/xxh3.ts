/** XXH3 with 64 and 128 bits, seed 0. Any thread. Source: xxHash specification 0.8 by Yann Collet (BSD 2-Clause); 64-bit words as bigint, since texts are short. */

const mask = (1n << 64n) - 1n;
const prime32 = [0n, 0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn] as const;
const prime64 = [0n, 0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n] as const;

const secret = new DataView(
  Uint8Array.from(
    Buffer.from(
      'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
        '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
        'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
      'hex',
    ),
  ).buffer,
);
const key = (at: number): bigint => secret.getBigUint64(at, true);

function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & mask) ^ (product >> 64n);
}

function avalanche(value: bigint): bigint {
  const mixed = ((value ^ (value >> 37n)) * 0x165667919e3779f9n) & mask;
  return mixed ^ (mixed >> 32n);
}

function avalanche64(value: bigint): bigint {
  let mixed = ((value ^ (value >> 33n)) * prime64[2]) & mask;
  mixed = ((mixed ^ (mixed >> 29n)) * prime64[3]) & mask;
  return mixed ^ (mixed >> 32n);
}

function swap64(value: bigint): bigint {
  let out = 0n;
  for (let i = 0n; i < 64n; i += 8n) out = (out << 8n) | ((value >> i) & 0xffn);
  return out;
}

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

const rotl64 = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & mask;

interface Input {
  readonly view: DataView;
  readonly length: number;
}
const word = (input: Input, at: number): bigint => input.view.getBigUint64(at, true);
/** Two words of the input against two of the secret. */
const mix = (input: Input, at: number, keyAt: number): bigint => fold(word(input, at) ^ key(keyAt), word(input, at + 8) ^ key(keyAt + 8));

/** One to three bytes in one word. */
function combine(input: Input): number {
  const { view, length } = input;
  return ((view.getUint8(0) << 16) | (view.getUint8(length >> 1) << 24) | view.getUint8(length - 1) | (length << 8)) >>> 0;
}

/** The eight lanes after all stripes of a long input. */
function lanes(input: Input): bigint[] {
  const acc: bigint[] = [prime32[3], prime64[1], prime64[2], prime64[3], prime64[4], prime32[2], prime64[5], prime32[1]];
  const accumulate = (at: number, keyAt: number) => {
    for (let i = 0; i < 8; i++) {
      const value = word(input, at + 8 * i);
      const keyed = value ^ key(keyAt + 8 * i);
      acc[i ^ 1] = (acc[i ^ 1]! + value) & mask;
      acc[i] = (acc[i]! + (keyed & 0xffffffffn) * (keyed >> 32n)) & mask;
    }
  };
  const stripes = Math.floor((input.length - 1) / 64);
  for (let stripe = 0; stripe < stripes; stripe++) {
    accumulate(stripe * 64, (stripe % 16) * 8);
    if (stripe % 16 !== 15) continue;
    for (let i = 0; i < 8; i++) acc[i] = ((acc[i]! ^ (acc[i]! >> 47n) ^ key(128 + 8 * i)) * prime32[1]) & mask;
  }
  accumulate(input.length - 64, 121);
  return acc;
}

function merge(acc: readonly bigint[], keyAt: number, start: bigint): bigint {
  let sum = start;
  for (let i = 0; i < 4; i++) sum += fold(acc[2 * i]! ^ key(keyAt + 16 * i), acc[2 * i + 1]! ^ key(keyAt + 16 * i + 8));
  return avalanche(sum & mask);
}

function hash64(input: Input): bigint {
  const { length } = input;
  const size = BigInt(length);
  if (length === 0) return avalanche64(key(56) ^ key(64));
  if (length <= 3) return avalanche64(BigInt(combine(input)) ^ BigInt((secret.getUint32(0, true) ^ secret.getUint32(4, true)) >>> 0));
  if (length <= 8) {
    const low = BigInt(input.view.getUint32(length - 4, true));
    const keyed = (low + (BigInt(input.view.getUint32(0, true)) << 32n)) ^ key(8) ^ key(16);
    let mixed = ((keyed ^ rotl64(keyed, 49n) ^ rotl64(keyed, 24n)) * 0x9fb21c651e98df25n) & mask;
    mixed = ((mixed ^ ((mixed >> 35n) + size)) * 0x9fb21c651e98df25n) & mask;
    return mixed ^ (mixed >> 28n);
  }
  if (length <= 16) {
    const low = word(input, 0) ^ key(24) ^ key(32);
    const high = word(input, length - 8) ^ key(40) ^ key(48);
    return avalanche((size + swap64(low) + high + fold(low, high)) & mask);
  }
  let acc = (size * prime64[1]) & mask;
  if (length <= 128) {
    for (let i = Math.floor((length - 1) / 32); i >= 0; i--)
      acc += mix(input, 16 * i, 32 * i) + mix(input, length - 16 * (i + 1), 32 * i + 16);
    return avalanche(acc & mask);
  }
  if (length <= 240) {
    for (let i = 0; i < 8; i++) acc += mix(input, 16 * i, 16 * i);
    acc = avalanche(acc & mask);
    for (let i = 8; i < Math.floor(length / 16); i++) acc += mix(input, 16 * i, 16 * (i - 8) + 3);
    return avalanche((acc + mix(input, length - 16, 119)) & mask);
  }
  return merge(lanes(input), 11, acc);
}

type Pair = readonly [high: bigint, low: bigint];

function shortest128(input: Input): Pair {
  const { length } = input;
  const size = BigInt(length);
  if (length === 0) return [avalanche64(key(80) ^ key(88)), avalanche64(key(64) ^ key(72))];
  if (length <= 3) {
    const low = combine(input);
    const swapped = swap32(low);
    const high = ((swapped << 13) | (swapped >>> 19)) >>> 0;
    const flip = (at: number) => BigInt((secret.getUint32(at, true) ^ secret.getUint32(at + 4, true)) >>> 0);
    return [avalanche64(BigInt(high) ^ flip(8)), avalanche64(BigInt(low) ^ flip(0))];
  }
  if (length <= 8) {
    const keyed = (BigInt(input.view.getUint32(0, true)) + (BigInt(input.view.getUint32(length - 4, true)) << 32n)) ^ key(16) ^ key(24);
    const product = keyed * ((prime64[1] + (size << 2n)) & mask);
    let low = product & mask;
    const high = ((product >> 64n) + (low << 1n)) & mask;
    low ^= high >> 3n;
    low = ((low ^ (low >> 35n)) * 0x9fb21c651e98df25n) & mask;
    return [avalanche(high), low ^ (low >> 28n)];
  }
  const first = word(input, 0);
  const last = word(input, length - 8);
  const product = (first ^ last ^ key(32) ^ key(40)) * prime64[1];
  const flipped = last ^ key(48) ^ key(56);
  const high = ((product >> 64n) + flipped + (flipped & 0xffffffffn) * (prime32[2] - 1n)) & mask;
  const low = (((product & mask) + ((size - 1n) << 54n)) & mask) ^ swap64(high);
  const second = low * prime64[2];
  return [avalanche(((second >> 64n) + high * prime64[2]) & mask), avalanche(second & mask)];
}

/** Up to 240 bytes go in pairs of 16, from both ends or in a row. */
function middle128(input: Input): Pair {
  const { length } = input;
  const size = BigInt(length);
  let low = (size * prime64[1]) & mask;
  let high = 0n;
  const step = (a: number, b: number, keyAt: number) => {
    low = ((low + mix(input, a, keyAt)) & mask) ^ ((word(input, b) + word(input, b + 8)) & mask);
    high = ((high + mix(input, b, keyAt + 16)) & mask) ^ ((word(input, a) + word(input, a + 8)) & mask);
  };
  if (length <= 128) {
    for (let i = Math.floor((length - 1) / 32); i >= 0; i--) step(16 * i, length - 16 * (i + 1), 32 * i);
  } else {
    for (let i = 0; i < 4; i++) step(32 * i, 32 * i + 16, 32 * i);
    low = avalanche(low);
    high = avalanche(high);
    for (let i = 4; i < Math.floor(length / 32); i++) step(32 * i, 32 * i + 16, 32 * (i - 4) + 3);
    step(length - 16, length - 32, 103);
  }
  const mixed = (low * prime64[1] + high * prime64[4] + size * prime64[2]) & mask;
  return [-avalanche(mixed) & mask, avalanche((low + high) & mask)];
}

function hash128(input: Input): Pair {
  if (input.length <= 16) return shortest128(input);
  if (input.length <= 240) return middle128(input);
  const acc = lanes(input);
  const size = BigInt(input.length);
  return [merge(acc, 117, ~(size * prime64[2]) & mask), merge(acc, 11, (size * prime64[1]) & mask)];
}

const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
const inputOf = (bytes: Uint8Array): Input => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  length: bytes.length,
});

/** Shape: 16 hex digits, big-endian. */
export function xxh3Hex(bytes: Uint8Array): string {
  return hex(hash64(inputOf(bytes)));
}

/** Shape: 32 hex digits, big-endian. */
export function xxh128Hex(bytes: Uint8Array): string {
  const [high, low] = hash128(inputOf(bytes));
  return hex(high) + hex(low);
}
