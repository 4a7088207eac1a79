/** Snappy compression, block and framed form. Pure; main thread. */

import { Buffer } from 'node:buffer';
import { framedMagic, maskedCrc32c } from './snappy.ts';

/** Copies reach back at most this far, because a fragment is compressed by itself. */
const fragmentBytes = 65_536;
const hashBits = 14;
/** The position of the last four bytes with this hash, plus one; used by one call at a time. */
const table = new Uint16Array(1 << hashBits);
/** Matches are not looked for in the last bytes of a fragment, so that four can always be read. */
const marginBytes = 15;

/**
 * Block: uncompressed length (varint), then literals and copies with 16-bit offsets.
 *
 * Source: google/snappy format_description.txt; the greedy search with growing steps through bytes that do not repeat is that of its reference encoder.
 */
export function compressSnappyBlock(input: Uint8Array): Buffer {
  const output = Buffer.allocUnsafe(32 + input.length + Math.ceil(input.length / 6));
  let written = 0;
  for (let rest = input.length; ; rest = Math.floor(rest / 128)) {
    output[written++] = rest >= 128 ? (rest & 0x7f) | 0x80 : rest;
    if (rest < 128) break;
  }
  for (let from = 0; from < input.length; from += fragmentBytes) {
    written = compressFragment(input.subarray(from, Math.min(input.length, from + fragmentBytes)), output, written);
  }
  return output.subarray(0, written);
}

function compressFragment(input: Uint8Array, output: Buffer, start: number): number {
  let written = start;
  let literal = 0;
  if (input.length > marginBytes) {
    table.fill(0);
    const limit = input.length - marginBytes;
    for (let at = 1, skip = 32; at < limit; ) {
      const hash = Math.imul(word(input, at), 0x1e35a7bd) >>> (32 - hashBits);
      const candidate = table[hash]!;
      table[hash] = at;
      if (word(input, candidate) !== word(input, at)) {
        at += skip++ >> 5;
        continue;
      }
      written = writeLiteral(input, literal, at, output, written);
      let length = 4;
      while (at + length < input.length && input[candidate + length] === input[at + length]) length++;
      written = writeCopy(at - candidate, length, output, written);
      at += length;
      literal = at;
      skip = 32;
    }
  }
  return writeLiteral(input, literal, input.length, output, written);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeLiteral(input: Uint8Array, from: number, to: number, output: Buffer, start: number): number {
  const length = to - from;
  if (length === 0) return start;
  let written = start;
  const tagged = length - 1;
  if (tagged < 60) output[written++] = tagged << 2;
  else {
    const extra = tagged < 256 ? 1 : 2;
    output[written++] = (59 + extra) << 2;
    output[written++] = tagged & 0xff;
    if (extra === 2) output[written++] = tagged >> 8;
  }
  output.set(input.subarray(from, to), written);
  return written + length;
}

function writeCopy(offset: number, total: number, output: Buffer, start: number): number {
  let written = start;
  for (let rest = total; rest > 0; ) {
    const length = Math.min(rest, 64);
    output[written++] = ((length - 1) << 2) | 2;
    output[written++] = offset & 0xff;
    output[written++] = offset >> 8;
    rest -= length;
  }
  return written;
}

/** Source: google/snappy framing_format.txt. A chunk that does not shrink is stored as it is. */
export function compressSnappyFramed(input: Uint8Array): Buffer {
  const parts: Uint8Array[] = [framedMagic];
  for (let from = 0; from < input.length; from += fragmentBytes) {
    const data = input.subarray(from, Math.min(input.length, from + fragmentBytes));
    const block = compressSnappyBlock(data);
    const isSmaller = block.length < data.length;
    const body = isSmaller ? block : data;
    const header = Buffer.allocUnsafe(8);
    header[0] = isSmaller ? 0 : 1;
    header.writeUIntLE(body.length + 4, 1, 3);
    header.writeUInt32LE(maskedCrc32c(data), 4);
    parts.push(header, body);
  }
  return Buffer.concat(parts);
}
