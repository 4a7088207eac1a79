/** Compresses request bodies for clients that send them, off the main thread where a library can. Main thread. */

import { Buffer } from 'node:buffer';
import { constants, deflate, gzip, type ZlibOptions, zstdCompress } from 'node:zlib';
import { compressLz4 } from './lz4-compress.ts';
import { compressSnappyBlock, compressSnappyFramed } from './snappy-compress.ts';

/** `zlib` and `deflate` are the same form under two names, as HTTP says. */
export type SentEncoding = 'gzip' | 'zstd' | 'zlib' | 'deflate' | 'snappy' | 'x-snappy-framed' | 'lz4';

export const sentEncodings: readonly SentEncoding[] = ['gzip', 'zstd', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'lz4'];

/** Speed before size: level 1 costs a third of the default for a few per cent more bytes. */
const fastestLevel = 1;
/** Source: compress/flate's HuffmanOnly. */
const huffmanOnly = -2;

/**
 * Life:   `bytes` are read until the promise settles.
 * Bounds: `level` 0 is the fastest; for gzip and zlib −1 is the library's default and −2 Huffman coding alone.
 */
export function compress(encoding: SentEncoding, bytes: Uint8Array, level: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, compressed: Buffer): void => (error === null ? resolve(compressed) : reject(error));
    switch (encoding) {
      case 'gzip':
        return gzip(bytes, zlibOptions(level), done);
      case 'zlib':
      case 'deflate':
        return deflate(bytes, zlibOptions(level), done);
      case 'zstd':
        return zstdCompress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level === 0 ? fastestLevel : level } }, done);
      case 'snappy':
        return resolve(compressSnappyBlock(bytes));
      case 'x-snappy-framed':
        return resolve(compressSnappyFramed(bytes));
      case 'lz4':
        return resolve(compressLz4(bytes));
    }
  });
}

function zlibOptions(level: number): ZlibOptions {
  if (level === huffmanOnly) return { strategy: constants.Z_HUFFMAN_ONLY };
  return { level: level === 0 ? fastestLevel : level };
}

/** The concatenation, without a copy where it is one piece already. */
export function joined(chunks: readonly Uint8Array[], byteLength: number): Uint8Array {
  return chunks.length === 1 ? chunks[0]!.subarray(0, byteLength) : Buffer.concat(chunks, byteLength);
}
