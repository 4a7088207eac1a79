/** The kept gunzip stream: the same as gunzipSync, call after call, whatever came before. */

import zlib from 'node:zlib';
import t from 'tap';
import { decompress } from '../../src/main/transport/compression/decompress.ts';
import { gunzipSmall } from '../../src/main/transport/compression/small-gunzip.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { Dice } from '../support/otlp.ts';

const text = (length: number) => Buffer.alloc(length, 'spans and more spans, ');

t.test('takes small bodies, one after the other, into buffers of their own', async (t) => {
  const sizes = [0, 1, 2_000, 100_000, 200_000];
  const outputs = sizes.map((size) => gunzipSmall(zlib.gzipSync(text(size)), 1 << 20));
  t.ok(outputs.every((output, index) => output?.equals(text(sizes[index]!))));
  const members = Buffer.concat([zlib.gzipSync('a'), zlib.gzipSync('b')]);
  t.equal(String(gunzipSmall(members, 10)), 'ab', 'several members');
});

t.test('leaves everything else to the ordinary way', async (t) => {
  t.equal(gunzipSmall(zlib.gzipSync(text(256 << 10)), 1 << 20), undefined, 'too large for the output');
  t.equal(gunzipSmall(zlib.gzipSync(text(1_000)), 999), undefined, 'above the limit');
  t.equal(gunzipSmall(Buffer.alloc(32_769), 1 << 20), undefined, 'too large for the input');
  t.equal(gunzipSmall(zlib.gzipSync(text(1_000)).subarray(0, 40), 1 << 20), undefined, 'cut');
  t.equal(gunzipSmall(Buffer.from('no gzip at all'), 1 << 20), undefined);
  t.equal(String(gunzipSmall(zlib.gzipSync('fine'), 10)), 'fine', 'and goes on after it');
  await t.rejects(async () => decompress('gzip', zlib.gzipSync(text(1_000)), 999), /larger than 999 bytes/);
});

t.test('property: damaged bodies end as they do with gunzipSync, and never touch the next one', async (t) => {
  const dice = new Dice(seededPrng(11));
  const next = zlib.gzipSync('next');
  for (let round = 0; round < 1_000; round++) {
    const bytes = zlib.gzipSync(dice.bytes(dice.below(200)));
    const cut = bytes.subarray(0, dice.chance(0.3) ? dice.below(bytes.length + 1) : bytes.length);
    if (cut.length > 0 && dice.chance(0.7)) cut[dice.below(cut.length)] = dice.below(256);
    let expected: Buffer | undefined;
    try {
      expected = zlib.gunzipSync(cut);
    } catch {}
    const found = gunzipSmall(cut, 1 << 20);
    if (found === undefined ? expected !== undefined : expected === undefined || !found.equals(expected)) t.fail(`round ${round}`);
    if (String(gunzipSmall(next, 10)) !== 'next') t.fail(`after round ${round}`);
  }
});
