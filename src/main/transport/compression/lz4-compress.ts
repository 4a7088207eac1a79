/** LZ4 compression, frame form. Pure; main thread. */

import { Buffer } from 'node:buffer';

/**
 * Magic, flags (version 1, blocks that stand alone, no checksums, no size), block size (64 KiB), and the checksum of these two bytes, which are always
 * the same.
 */
const frameHead = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
const blockBytes = 65_536;
const storedFlag = 0x8000_0000;
const hashBits = 14;
/** The position of the last four bytes with this hash; used by one call at a time. */
const table = new Uint16Array(1 << hashBits);
/** The format's own rules for the end of a block: its last bytes are literals, and no match begins in the margin. */
const lastLiterals = 5;
const marginBytes = 12;

/** Source: lz4_Frame_format.md of the LZ4 project. A block that does not shrink is stored as it is. */
export function compressLz4(input: Uint8Array): Buffer {
  const blocks = Math.ceil(input.length / blockBytes);
  const output = Buffer.allocUnsafe(frameHead.length + input.length + Math.ceil(input.length / 255) + 16 * (blocks + 1));
  let written = frameHead.copy(output);
  for (let from = 0; from < input.length; from += blockBytes) {
    const block = input.subarray(from, Math.min(input.length, from + blockBytes));
    const body = written + 4;
    let end = compressBlock(block, output, body);
    const isSmaller = end - body < block.length;
    if (!isSmaller) {
      output.set(block, body);
      end = body + block.length;
    }
    output.writeUInt32LE(isSmaller ? end - body : storedFlag + block.length, written);
    written = end;
  }
  return output.subarray(0, output.writeUInt32LE(0, written));
}

/**
 * Sequence: token (literal length, match length - 4), longer lengths, literals, offset (2).
 *
 * Source: lz4_Block_format.md; the greedy search with growing steps through bytes that do not repeat is that of its reference encoder.
 */
function compressBlock(input: Uint8Array, output: Buffer, start: number): number {
  let written = start;
  let literal = 0;
  table.fill(0);
  const matchEnd = input.length - lastLiterals;
  for (let at = 1, skip = 64; at <= input.length - marginBytes; ) {
    const hash = Math.imul(word(input, at), 0x9e3779b1) >>> (32 - hashBits);
    const candidate = table[hash]!;
    table[hash] = at;
    if (word(input, candidate) !== word(input, at)) {
      at += skip++ >> 6;
      continue;
    }
    let length = 4;
    while (at + length < matchEnd && input[candidate + length] === input[at + length]) length++;
    written = writeLiterals(input, literal, at, length - 4, output, written);
    output[written++] = (at - candidate) & 0xff;
    output[written++] = (at - candidate) >> 8;
    if (length >= 19) written = writeLength(length - 19, output, written);
    at += length;
    literal = at;
    skip = 64;
  }
  return writeLiterals(input, literal, input.length, 0, output, written);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeLiterals(input: Uint8Array, from: number, to: number, match: number, output: Buffer, start: number): number {
  const length = to - from;
  let written = start;
  output[written++] = (Math.min(length, 15) << 4) | Math.min(match, 15);
  if (length >= 15) written = writeLength(length - 15, output, written);
  output.set(input.subarray(from, to), written);
  return written + length;
}

function writeLength(rest: number, output: Buffer, start: number): number {
  let written = start;
  for (; rest >= 255; rest -= 255) output[written++] = 255;
  output[written++] = rest;
  return written;
}
