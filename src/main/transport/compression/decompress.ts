/** Decompresses request bodies in every encoding the Collector takes, bounded in output whatever the input. Main thread; large bodies on libuv's threads. */

import { Buffer } from 'node:buffer';
import zlib from 'node:zlib';
import { decompressLz4 } from './lz4.ts';
import { gunzipSmall } from './small-gunzip.ts';
import { CompressionError, decompressSnappy, decompressSnappyFramed, outputTooLarge } from './snappy.ts';

export { CompressionError } from './snappy.ts';

/** `deflate` is the zlib form, as HTTP says. */
export type Encoding = 'gzip' | 'zstd' | 'zlib' | 'deflate' | 'snappy' | 'x-snappy-framed' | 'lz4';

export const encodings: readonly Encoding[] = ['gzip', 'zstd', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'lz4'];

/** Below this a call on the main thread costs less than the way to a thread and back, and holds the loop for about a millisecond. */
const inlineBytesMax = 32_768;
const inlineOutputBytesMax = 4 << 20;

type Outcome = Buffer | Promise<Buffer>;

/**
 * Shape:  `bytes` are one complete body.
 * Bounds: at most `bytesMax` bytes come out; exactly that many are fine.
 * Errors: CompressionError, thrown or as a rejection.
 */
export function decompress(encoding: Encoding, bytes: Uint8Array, bytesMax: number): Outcome {
  switch (encoding) {
    case 'gzip':
      if (bytes.length < 2 || bytes[0] !== 0x1f || bytes[1] !== 0x8b)
        throw new CompressionError(bytes.length === 0 ? 'EOF' : 'gzip: invalid header');
      return gunzipSmall(bytes, bytesMax) ?? run(zlib.gunzipSync, zlib.gunzip, bytes, bytesMax, sizeHint(bytes, bytesMax));
    case 'zlib':
    case 'deflate':
      if (bytes.length < 2 || (bytes[0]! & 15) !== 8 || (bytes[0]! * 256 + bytes[1]!) % 31 !== 0)
        throw new CompressionError('zlib: invalid header');
      return run(zlib.inflateSync, zlib.inflate, bytes, bytesMax, undefined);
    case 'zstd':
      if (bytes.length === 0) return Buffer.alloc(0);
      if (bytes.length < 4 || !isZstdMagic(bytes)) throw new CompressionError('invalid input: magic number mismatch');
      return run(zlib.zstdDecompressSync, zlib.zstdDecompress, bytes, bytesMax, undefined);
    case 'snappy':
      return decompressSnappy(bytes, bytesMax);
    case 'x-snappy-framed':
      return decompressSnappyFramed(bytes, bytesMax);
    case 'lz4':
      return decompressLz4(bytes, bytesMax);
  }
}

interface RunOptions {
  readonly maxOutputLength: number;
  readonly chunkSize?: number;
}
type Inline = (bytes: Uint8Array, options: RunOptions) => Buffer;
type Threaded = (bytes: Uint8Array, options: RunOptions, callback: (error: Error | null, output: Buffer) => void) => void;

function run(inline: Inline, threaded: Threaded, bytes: Uint8Array, bytesMax: number, sizeHint: number | undefined): Outcome {
  const size = sizeHint === undefined ? {} : { chunkSize: sizeHint };
  if (bytes.length <= inlineBytesMax) {
    const inlineMax = Math.max(1, Math.min(bytesMax, inlineOutputBytesMax));
    try {
      return inline(bytes, { ...size, maxOutputLength: inlineMax });
    } catch (error) {
      if (inlineMax === bytesMax || (error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw faultOf(error, bytesMax);
    }
  }
  return new Promise<Buffer>((resolve, reject) => {
    const options = { ...size, maxOutputLength: Math.max(1, bytesMax) };
    threaded(bytes, options, (error, output) => (error === null ? resolve(output) : reject(faultOf(error, bytesMax))));
  });
}

/** gzip ends with the length of what was compressed (modulo 2^32): with it, the output is one buffer and not a chain of small ones. A lie costs nothing more. */
function sizeHint(bytes: Uint8Array, bytesMax: number): number | undefined {
  if (bytes.length < 18) return undefined;
  const end = bytes.length;
  const size = (bytes[end - 4]! | (bytes[end - 3]! << 8) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 24)) >>> 0;
  return size > 16_384 && size <= bytesMax && size <= bytes.length * 64 ? size + 1 : undefined;
}

function isZstdMagic(bytes: Uint8Array): boolean {
  const isFrame = bytes[0] === 0x28 && bytes[1] === 0xb5;
  const isSkippable = (bytes[0]! & 0xf0) === 0x50 && bytes[1] === 0x2a;
  return isFrame ? bytes[2] === 0x2f && bytes[3] === 0xfd : isSkippable && bytes[2] === 0x4d && bytes[3] === 0x18;
}

function faultOf(error: unknown, bytesMax: number): CompressionError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_BUFFER_TOO_LARGE') return outputTooLarge(bytesMax);
  return new CompressionError(code === 'Z_BUF_ERROR' ? 'unexpected EOF' : message);
}
