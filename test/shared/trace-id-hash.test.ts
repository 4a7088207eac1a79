/** The trace id's hash is xxHash32, whichever way it is computed. */

import t from 'tap';
import { seededPrng } from '../../src/shared/prng.ts';
import { routingKeyHash, traceIdHash } from '../../src/shared/trace-id-hash.ts';

t.test('hashes 16 bytes anywhere as xxhash-wasm does', async (t) => {
  const prng = seededPrng(5);
  const bytes = Uint8Array.from({ length: 20_000 }, () => prng.next() * 256);
  bytes.fill(0, 0, 40);
  bytes.fill(255, 40, 80);
  let different = 0;
  for (let at = 0; at + 16 <= bytes.length; at++) {
    if (traceIdHash(bytes, at) >>> 0 !== routingKeyHash(bytes.subarray(at, at + 16))) different++;
  }
  t.equal(different, 0);
});
