/** Compression for senders: what goes in comes out of the decompressors, which are proven against the Collector's libraries. */

import fc from 'fast-check';
import t from 'tap';
import { compress, joined, sentEncodings } from '../../src/main/transport/compression/compress.ts';
import { decompress } from '../../src/main/transport/compression/decompress.ts';
import { compressLz4 } from '../../src/main/transport/compression/lz4-compress.ts';
import { compressSnappyBlock } from '../../src/main/transport/compression/snappy-compress.ts';

const bytesMax = 1 << 24;

/** Runs that repeat, near and far, between bytes that do not. */
const bodies = fc
  .array(fc.record({ piece: fc.uint8Array({ minLength: 0, maxLength: 300 }), times: fc.integer({ min: 1, max: 40 }) }), { maxLength: 12 })
  .map((runs) => Buffer.concat(runs.flatMap(({ piece, times }) => Array.from({ length: times }, () => piece))));

for (const encoding of sentEncodings) {
  t.test(`${encoding} gives back what it was given`, async (t) => {
    const check = async (body: Uint8Array) => (await decompress(encoding, await compress(encoding, body, 0), bytesMax)).equals(body);
    await fc.assert(fc.asyncProperty(bodies, check), { numRuns: 60, seed: 5 });
    for (const length of [0, 1, 15, 16, 59, 60, 61, 256, 257, 65_535, 65_536, 65_537, 200_000]) {
      t.ok(await check(Buffer.alloc(length, 'abcd')), `${length} bytes that repeat`);
      t.ok(await check(Uint8Array.from({ length }, (_, index) => (Math.imul(index, 2654435761) >>> 13) & 255)), `${length} that do not`);
    }
  });
}

t.test('snappy makes repeating bytes small and others hardly larger', async (t) => {
  t.ok(compressSnappyBlock(Buffer.alloc(65_536, 'key=value;')).length < 4_000);
  const noise = Uint8Array.from({ length: 65_536 }, (_, index) => (Math.imul(index + 1, 2654435761) >>> 11) & 255);
  t.ok(compressSnappyBlock(noise).length <= 65_536 + 16);
});

t.test('lz4 makes repeating bytes small and others hardly larger', async (t) => {
  t.ok(compressLz4(Buffer.alloc(65_536, 'key=value;')).length < 1_000);
  const noise = Uint8Array.from({ length: 200_000 }, (_, index) => (Math.imul(index + 1, 2654435761) >>> 11) & 255);
  t.ok(compressLz4(noise).length <= 200_000 + 32);
  t.equal(compressLz4(new Uint8Array()).toString('hex'), '04224d1860408200000000');
});

t.test('joins pieces, and does not copy one', async (t) => {
  const one = new Uint8Array([1, 2, 3]);
  t.equal(joined([one], 3).buffer, one.buffer);
  t.same([...joined([one, new Uint8Array([4])], 4)], [1, 2, 3, 4]);
});
