/** Compresses one gRPC message, off the main thread where it is large enough to pay. Main thread. */

import { Buffer } from 'node:buffer';
import { constants, gzip, zstdCompress } from 'node:zlib';
import { compressSnappyFramed } from '../../transport/compression/snappy-compress.ts';
import type { GrpcEncoding } from './grpc-client-options.ts';
import type { MessageToSend } from './http2-call.ts';

/** Speed before size: the peer is next door, and level 1 costs a third of the default for a few per cent more bytes. */
const gzipLevel = 1;

/** A message that cannot be compressed goes out as it is, which gRPC allows. */
export function compressMessage(encoding: GrpcEncoding, chunks: readonly Uint8Array[], byteLength: number): Promise<MessageToSend> {
  const plain = chunks.length === 1 ? Buffer.from(chunks[0]!.buffer, chunks[0]!.byteOffset, byteLength) : Buffer.concat(chunks, byteLength);
  if (encoding === 'snappy') {
    // The framed form: what gRPC's Go plugin, and so the Collector, means by this name.
    const compressed = compressSnappyFramed(plain);
    return Promise.resolve({ chunks: [compressed], byteLength: compressed.length, compressed: true });
  }
  return new Promise((resolve) => {
    const done = (error: Error | null, compressed: Buffer): void => {
      if (error === null) resolve({ chunks: [compressed], byteLength: compressed.length, compressed: true });
      else resolve({ chunks, byteLength, compressed: false });
    };
    if (encoding === 'zstd') zstdCompress(plain, { params: { [constants.ZSTD_c_compressionLevel]: gzipLevel } }, done);
    else gzip(plain, { level: gzipLevel }, done);
  });
}
