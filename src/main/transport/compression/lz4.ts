/** LZ4 frame decompression, bounded in output. Pure; main thread. */

import { Buffer } from 'node:buffer';
import { CompressionError, copyWithin, littleEndian, outputTooLarge } from './snappy.ts';

const frameMagic = 0x184d2204;
const blockBytesMax: Record<number, number> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 };

/**
 * Frame: magic (4), flags, block sizes, [content size (8)], [dictionary id (4)], header checksum, blocks, end mark (4 zero bytes), [content checksum (4)].
 * Block: size (4; highest bit: stored as it is), data, [checksum (4)]. Several frames may follow each other; skippable ones are skipped.
 *
 * Checksums are stepped over, not verified: TCP and the protobuf walk stand behind this.
 * Errors: CompressionError.
 * Source: lz4_Frame_format.md and lz4_Block_format.md of the LZ4 project.
 */
export function decompressLz4(bytes: Uint8Array, bytesMax: number): Buffer {
  let output = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(65_536, bytes.length * 4)));
  let written = 0;
  for (let read = 0; read < bytes.length; ) {
    need(bytes, read, 7);
    const magic = littleEndian(bytes, read, 4);
    if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
      need(bytes, read, 8);
      read += 8 + littleEndian(bytes, read + 4, 4);
      continue;
    }
    if (magic !== frameMagic) throw corrupt('bad magic number');
    const flags = bytes[read + 4]!;
    const blockMax = blockBytesMax[(bytes[read + 5]! >> 4) & 7];
    if (flags >> 6 !== 1 || blockMax === undefined || (flags & 1) !== 0) throw corrupt('unsupported frame header');
    read += 7 + (flags & 8 ? 8 : 0);
    const frameStart = written;
    for (;;) {
      need(bytes, read, 4);
      const word = littleEndian(bytes, read, 4);
      read += 4;
      if (word === 0) break;
      const length = word % 0x8000_0000;
      need(bytes, read, length);
      if (length > blockMax) throw corrupt('block too large');
      if (output.length - written < blockMax && output.length < bytesMax) {
        const grown = Buffer.allocUnsafe(Math.min(bytesMax, output.length * 2 + blockMax));
        output.copy(grown, 0, 0, written);
        output = grown;
      }
      const room = Math.min(output.length, written + blockMax);
      const block = bytes.subarray(read, read + length);
      if (word >= 0x8000_0000) {
        if (length > room - written) throw outputTooLarge(bytesMax);
        output.set(block, written);
        written += length;
      } else {
        written = decompressBlock(block, output, written, frameStart, room, bytesMax);
      }
      read += length + (flags & 16 ? 4 : 0);
    }
    read += flags & 4 ? 4 : 0;
  }
  return output.subarray(0, written);
}

/** Sequence: token (literal length, match length), literals, offset (2), in that order; the last one ends with its literals. */
function decompressBlock(block: Uint8Array, output: Buffer, start: number, frameStart: number, room: number, bytesMax: number): number {
  let read = 0;
  let written = start;
  while (read < block.length) {
    const token = block[read++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        need(block, read, 1);
        literals += more = block[read++]!;
      }
    }
    need(block, read, literals);
    if (literals > room - written) throw room === bytesMax ? outputTooLarge(bytesMax) : corrupt('block too large');
    output.set(block.subarray(read, read + literals), written);
    read += literals;
    written += literals;
    if (read === block.length) break;
    need(block, read, 2);
    const offset = littleEndian(block, read, 2);
    read += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      let more = 255;
      while (more === 255) {
        need(block, read, 1);
        length += more = block[read++]!;
      }
    }
    if (offset === 0 || offset > written - frameStart) throw corrupt('offset before the beginning');
    if (length > room - written) throw room === bytesMax ? outputTooLarge(bytesMax) : corrupt('block too large');
    copyWithin(output, written, offset, length);
    written += length;
  }
  return written;
}

function need(bytes: Uint8Array, position: number, count: number): void {
  if (position + count > bytes.length) throw corrupt('unexpected end');
}

function corrupt(what: string): CompressionError {
  return new CompressionError(`lz4: ${what}`);
}
