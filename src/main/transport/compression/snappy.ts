/** Snappy decompression, block and framed form, bounded in output. Pure; main thread. */

import { Buffer } from 'node:buffer';

/** The bytes are not what their encoding promises, or more than the caller allows. */
export class CompressionError extends Error {
  readonly tooLarge: boolean;
  constructor(message: string, tooLarge = false) {
    super(message);
    this.tooLarge = tooLarge;
  }
}

export function outputTooLarge(bytesMax: number): CompressionError {
  return new CompressionError(`decompressed body is larger than ${bytesMax} bytes`, true);
}

export const framedMagic = Buffer.from([0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);

/** Tells the two forms apart by the stream identifier that opens the framed one. */
export function decompressSnappy(bytes: Uint8Array, bytesMax: number): Buffer {
  const isFramed = bytes.length >= framedMagic.length && framedMagic.equals(bytes.subarray(0, framedMagic.length));
  return isFramed ? decompressSnappyFramed(bytes, bytesMax) : decompressSnappyBlock(bytes, bytesMax);
}

/**
 * Block: uncompressed length (varint), then elements; tag & 3 is 0 literal, 1 copy with 11-bit offset, 2 with 16, 3 with 32.
 *
 * Errors: CompressionError. Bounds: writes exactly the announced length, which is checked against `bytesMax` before anything is allocated.
 * Source: google/snappy format_description.txt.
 */
export function decompressSnappyBlock(bytes: Uint8Array, bytesMax: number): Buffer {
  const { value: outputLength, end } = readLength(bytes);
  if (outputLength > bytesMax) throw new CompressionError('snappy: decoded size exceeds max request body size', true);
  // An element of three bytes makes at most 64, so a length beyond that is a lie; it must not buy an allocation.
  if (outputLength > bytes.length * 24 + 64) throw corrupt();
  const output = Buffer.allocUnsafe(outputLength);
  let read = end;
  let written = 0;
  while (read < bytes.length) {
    const tag = bytes[read++]!;
    const kind = tag & 3;
    let length = (tag >> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60;
        if (read + extra > bytes.length) throw corrupt();
        length = littleEndian(bytes, read, extra) + 1;
        read += extra;
      }
      if (length > bytes.length - read || length > outputLength - written) throw corrupt();
      output.set(bytes.subarray(read, read + length), written);
      read += length;
      written += length;
      continue;
    }
    const offsetBytes = kind === 3 ? 4 : kind;
    if (read + offsetBytes > bytes.length) throw corrupt();
    let offset = littleEndian(bytes, read, offsetBytes);
    read += offsetBytes;
    if (kind === 1) {
      length = ((tag >> 2) & 7) + 4;
      offset |= (tag >> 5) << 8;
    }
    if (offset === 0 || offset > written || length > outputLength - written) throw corrupt();
    copyWithin(output, written, offset, length);
    written += length;
  }
  if (written !== outputLength) throw corrupt();
  return output;
}

/**
 * Framed: chunks of type (1), length (3, little endian), body. 0x00 compressed and 0x01 plain data begin with a masked CRC-32C (4);
 * 0x80–0xfe are skipped; 0x02–0x7f are an error. At most 65,536 bytes of data a chunk.
 *
 * Source: google/snappy framing_format.txt.
 */
export function decompressSnappyFramed(bytes: Uint8Array, bytesMax: number): Buffer {
  if (!framedMagic.equals(bytes.subarray(0, framedMagic.length))) throw corrupt();
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let read = 0; read < bytes.length; ) {
    if (read + 4 > bytes.length) throw corrupt();
    const kind = bytes[read]!;
    const length = littleEndian(bytes, read + 1, 3);
    const body = bytes.subarray(read + 4, read + 4 + length);
    if (body.length !== length) throw corrupt();
    read += 4 + length;
    if (kind >= 0x80) continue;
    if (kind > 1 || length < 4) throw corrupt();
    const data = kind === 0 ? decompressSnappyBlock(body.subarray(4), 65_536) : body.subarray(4);
    if (data.length > 65_536 || maskedCrc32c(data) !== littleEndian(body, 0, 4)) throw corrupt();
    total += data.length;
    if (total > bytesMax) throw outputTooLarge(bytesMax);
    parts.push(data);
  }
  return Buffer.concat(parts, total);
}

/** A copy may overlap its own output: with offset 1 it repeats one byte. */
export function copyWithin(output: Buffer, written: number, offset: number, length: number): void {
  if (offset >= length) {
    output.copyWithin(written, written - offset, written - offset + length);
    return;
  }
  for (let index = written; index < written + length; index++) output[index] = output[index - offset]!;
}

function readLength(bytes: Uint8Array): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 5 && index < bytes.length; index++) {
    value += (bytes[index]! & 0x7f) * 2 ** (7 * index);
    if (bytes[index]! < 0x80) {
      if (value > 0xffff_ffff) break;
      return { value, end: index + 1 };
    }
  }
  throw corrupt();
}

export function littleEndian(bytes: Uint8Array, position: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[position + index]!;
  return value;
}

function corrupt(): CompressionError {
  return new CompressionError('snappy: corrupt input');
}

/** Castagnoli polynomial, reflected. */
const crc32cTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

export function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let index = 0; index < bytes.length; index++) crc = crc32cTable[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  crc = (crc ^ 0xffff_ffff) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
