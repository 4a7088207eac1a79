/** Decompression against bytes that the Go libraries of the Collector made, bombs, and mutated input. */

import { readFileSync } from 'node:fs';
import zlib from 'node:zlib';
import t from 'tap';
import { CompressionError, decompress, type Encoding } from '../../src/main/transport/compression/decompress.ts';
import { seededPrng } from '../../src/shared/prng.ts';

/** Made with golang/snappy and pierrec/lz4 from the same text. */
const fixtures = JSON.parse(readFileSync(new URL('fixtures/compressed.json', import.meta.url), 'utf8')) as Record<string, string>;
const text = Buffer.from(
  Array.from({ length: 200 }, (_, index) => `span ${index} of trace ${(index * 2_654_435_761).toString(16)}; `).join(''),
).subarray(0, 3_000);

const samples: [name: string, encoding: Encoding, bytes: Buffer][] = [
  ['snappy block', 'snappy', Buffer.from(fixtures.snappyBlock!, 'base64')],
  ['snappy framed, found out', 'snappy', Buffer.from(fixtures.snappyFramed!, 'base64')],
  ['snappy framed', 'x-snappy-framed', Buffer.from(fixtures.snappyFramed!, 'base64')],
  ['lz4', 'lz4', Buffer.from(fixtures.lz4!, 'base64')],
  ['lz4 with sizes and checksums', 'lz4', Buffer.from(fixtures.lz4Checked!, 'base64')],
  ['gzip', 'gzip', zlib.gzipSync(text)],
  ['zlib', 'zlib', zlib.deflateSync(text)],
  ['deflate', 'deflate', zlib.deflateSync(text)],
  ['zstd', 'zstd', zlib.zstdCompressSync(text)],
];

/** What comes out, or the error. */
async function outcome(encoding: Encoding, bytes: Buffer, bytesMax: number): Promise<Buffer | Error> {
  try {
    return await decompress(encoding, bytes, bytesMax);
  } catch (error) {
    return error as Error;
  }
}

for (const [name, encoding, bytes] of samples) {
  t.test(`${name}: gives the text back, to the byte of the limit`, async (t) => {
    t.same(await outcome(encoding, bytes, text.length), text);
    const tooLarge = await outcome(encoding, bytes, text.length - 1);
    t.ok(tooLarge instanceof CompressionError && tooLarge.tooLarge);
  });

  t.test(`${name}: mutated and cut input is an error or other text, never more than the limit, never another exception`, async (t) => {
    const prng = seededPrng(7);
    let errors = 0;
    for (let round = 0; round < 400; round++) {
      const mutated = Buffer.from(bytes);
      for (let count = 0; count < 1 + prng.next() * 4; count++)
        mutated[Math.floor(prng.next() * mutated.length)] = Math.floor(prng.next() * 256);
      const result = await outcome(encoding, round % 2 ? mutated : mutated.subarray(0, Math.floor(prng.next() * mutated.length)), 5_000);
      if (result instanceof Error) {
        errors++;
        if (!(result instanceof CompressionError)) t.equal(result, undefined, `round ${round}`);
      } else if (result.length > 5_000) {
        t.fail(`round ${round}: ${result.length} bytes`);
      }
    }
    t.ok(errors > 100, `${errors} errors`);
  });
}

t.test('bombs are cut at the limit', async (t) => {
  const zeros = Buffer.alloc(32 << 20);
  for (const [encoding, bomb] of [
    ['gzip', zlib.gzipSync(zeros)],
    ['zlib', zlib.deflateSync(zeros)],
    ['zstd', zlib.zstdCompressSync(zeros)],
  ] as const) {
    const result = await outcome(encoding, bomb, 1 << 20);
    t.ok(result instanceof CompressionError && result.tooLarge, encoding);
  }
  const lie = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x07]), Buffer.alloc(8)]);
  t.ok((await outcome('snappy', lie, 1 << 30)) instanceof CompressionError, 'a snappy length that nothing stands behind');
});

t.test('a body larger than what is decompressed on the main thread comes back whole', async (t) => {
  const large = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index.toString(36)).join(' '));
  t.ok((await decompress('gzip', zlib.gzipSync(large), 20 << 20)).equals(large));
  const wide = Buffer.alloc(6 << 20, 'a');
  t.ok((await decompress('gzip', zlib.gzipSync(wide), 20 << 20)).equals(wide), 'small on the wire, large after');
});
