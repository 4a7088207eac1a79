/** Fuzz target "grpc": framed messages in chunks of any size against a reader that has all bytes; and mutated compressed bodies, bounded whatever they say. */

import { strict as assert } from 'node:assert';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { partialSuccessOf } from '../../src/main/exporters/otlp-grpc/export-response.ts';
import { GrpcMessageReader } from '../../src/main/receivers/otlp/grpc-message-reader.ts';
import { CompressionError, decompress, encodings } from '../../src/main/transport/compression/decompress.ts';
import { compressSnappyBlock, compressSnappyFramed } from '../../src/main/transport/compression/snappy-compress.ts';
import { decodeRpcStatus, encodeRpcStatus } from '../../src/main/transport/rpc-status.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { mutateBytes } from '../support/mutate.ts';
import { concat, Dice } from '../support/otlp.ts';
import type { AsyncFuzzTarget } from './run.ts';

const bytesMax = 1_000;

/** What the whole stream says, without regard to chunks. */
function reference(bytes: Uint8Array): { readonly fault?: string; readonly message?: Uint8Array } {
  if (bytes.length > 0 && bytes[0]! > 1) return { fault: 'flag' };
  if (bytes.length < 5) return {};
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  if (length > bytesMax) return { fault: 'too large' };
  if (bytes.length - 5 > length) return { fault: 'extra bytes' };
  return bytes.length - 5 === length ? { message: bytes.subarray(5) } : {};
}

export function checkFraming(dice: Dice, bytes: Uint8Array): void {
  const reader = new GrpcMessageReader(bytesMax);
  const expected = reference(bytes);
  let fault: string | undefined;
  for (let at = 0; at < bytes.length && fault === undefined; ) {
    const end = Math.min(bytes.length, at + dice.pick([1, 1, 2, 4, 5, 6, 100, 5_000]));
    fault = reader.push(bytes.subarray(at, end));
    assert(reader.receivedBytes <= bytesMax);
    at = end;
  }
  assert.equal(fault, expected.fault);
  if (fault !== undefined) return;
  assert.equal(reader.isComplete, expected.message !== undefined);
  if (expected.message !== undefined) assert.deepEqual(Buffer.concat(reader.chunks), Buffer.from(expected.message));
}

/** Whatever a body says of itself, it comes to at most `bytesMax`, or to a CompressionError. */
export async function checkDecompression(bytes: Uint8Array, encoding: (typeof encodings)[number]): Promise<void> {
  try {
    const plain = await decompress(encoding, bytes, bytesMax);
    assert(plain.length <= bytesMax, `${plain.length} bytes`);
  } catch (error) {
    assert(error instanceof CompressionError, `not a CompressionError: ${error}`);
  }
}

export const grpcFuzz: AsyncFuzzTarget = {
  name: 'grpc',
  start(prng: Prng) {
    const dice = new Dice(prng);
    const text = Buffer.from('the same words again and again, '.repeat(20));
    const bodies = {
      gzip: gzipSync(text),
      zstd: zstdCompressSync(text),
      zlib: deflateSync(text),
      deflate: deflateSync(text),
      snappy: compressSnappyBlock(text),
      'x-snappy-framed': compressSnappyFramed(text),
      // Magic, flags (version 1, block independent), 64 KB blocks, header checksum, a stored block, a compressed one, the end mark.
      lz4: Buffer.concat([Buffer.from('04224d186040820500008061626364650900000014610100506162636465', 'hex'), Buffer.alloc(4)]),
    };
    const status = encodeRpcStatus({ code: 8, message: 'busy', retryAfterMs: 1500 });
    return () => {
      const body = dice.bytes(dice.below(40));
      const length = dice.chance(0.8) ? body.length : dice.below(2_000);
      const framed = concat(Uint8Array.of(dice.below(3), 0, 0, length >> 8, length & 255), body);
      checkFraming(dice, dice.chance(0.5) ? framed : mutateBytes(dice, framed));
      // Answers of a server are read by us too: no bytes make these throw.
      decodeRpcStatus(mutateBytes(dice, status));
      partialSuccessOf(mutateBytes(dice, Uint8Array.of(0x0a, 4, 8, 2, 0x12, 0)));
      const encoding = dice.pick(encodings);
      let compressed: Uint8Array = bodies[encoding];
      do compressed = mutateBytes(dice, compressed);
      while (dice.chance(0.4));
      return checkDecompression(compressed, encoding);
    };
  },
};
