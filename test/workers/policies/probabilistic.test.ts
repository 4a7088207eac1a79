/** Vectors of the Collector's thresholds and hashes (spec 1.4.3), and its share of random ids (5.1). */

import t from 'tap';
import { seededPrng } from '../../../src/shared/prng.ts';
import { Verdict } from '../../../src/workers/policies/policy.ts';
import { fnv1a64, probabilistic, probabilisticThreshold } from '../../../src/workers/policies/probabilistic.ts';
import { concat, Dice, unhex, utf8 } from '../../support/otlp.ts';

const thresholds: readonly [number, string][] = [
  [-50, '0000000000000000'],
  [0, '0000000000000000'],
  [1e-17, '0000000000000001'],
  [0.0001, '000010c6f7a0b5ed'],
  [0.1, '004189374bc6a7ef'],
  [0.5, '0147ae147ae147af'],
  [1, '028f5c28f5c28f5f'],
  [2, '051eb851eb851ebf'],
  [5, '0cccccccccccccff'],
  [10, '19999999999999ff'],
  [25, '3fffffffffffffff'],
  [33, '547ae147ae147bff'],
  [50, '7fffffffffffffff'],
  [66.6, 'aa7ef9db22d0dfff'],
  [75, 'bfffffffffffffff'],
  [99.9, 'ffbe76c8b4395fff'],
  [99.99999, 'fffffe5280d64fff'],
  [100, 'ffffffffffffffff'],
  [150, 'ffffffffffffffff'],
  [Number.POSITIVE_INFINITY, 'ffffffffffffffff'],
  [Number.NaN, '0000000000000000'],
];

const hashes: readonly [string, string, string][] = [
  ['default-hash-seed', '00000000000000000000000000000000', 'e19536eed1bbac3d'],
  ['default-hash-seed', '0102030405060708090a0b0c0d0e0f10', 'dbcf64d5420f4cad'],
  ['default-hash-seed', '4bf92f3577b34da6a3ce929d0e0e4736', 'a54533ba2e4970b5'],
  ['default-hash-seed', 'ffffffffffffffffffffffffffffffff', '17bec3739634fe2d'],
  ['custom-salt', '4bf92f3577b34da6a3ce929d0e0e4736', 'fcb74addd5ed06fd'],
  ['test-salt', '0102030405060708090a0b0c0d0e0f10', '08ee52deda923930'],
];

t.test('thresholds are those of the Collector, bit for bit', (t) => {
  for (const [percentage, threshold] of thresholds)
    t.equal(probabilisticThreshold(percentage).toString(16).padStart(16, '0'), threshold, `${percentage} %`);
  t.end();
});

t.test('hashes are those of the Collector, bit for bit', (t) => {
  for (const [salt, id, hash] of hashes)
    t.equal(
      fnv1a64(concat(utf8(salt), unhex(id)))
        .toString(16)
        .padStart(16, '0'),
      hash,
      `${salt} ${id}`,
    );
  t.end();
});

t.test('a trace is sampled up to and including its threshold', (t) => {
  const share = (hashSalt: string, samplingPercentage: number, bytes: Uint8Array) =>
    probabilistic({ hashSalt, samplingPercentage }).read(
      false,
      { traceId: 0, spanCount: 1, sizeBytes: 0, bytes, firstRun: 0 },
      new Uint32Array(0),
      0,
      0,
    );
  for (const [salt, id, hash] of hashes) {
    const percent = (Number(BigInt(`0x${hash}`)) / 2 ** 64) * 100;
    t.equal(share(salt, percent + 0.0001, unhex(id)), Verdict.sampled, `just above, ${salt}`);
    t.equal(share(salt, percent - 0.0001, unhex(id)), Verdict.notSampled, `just below, ${salt}`);
  }
  t.end();
});

t.test('the share of random ids is the percentage', (t) => {
  const dice = new Dice(seededPrng(7));
  const ids = Array.from({ length: 20_000 }, () => dice.bytes(16));
  for (const [percentage, salt] of [
    [0, ''],
    [25, ''],
    [33, ''],
    [33, 'test-salt'],
    [100, ''],
    [-50, ''],
    [150, ''],
  ] as const) {
    const policy = probabilistic({ hashSalt: salt, samplingPercentage: percentage });
    const facts = { traceId: 0, spanCount: 1, sizeBytes: 0, bytes: new Uint8Array(0), firstRun: 0 };
    const words = new Uint32Array(0);
    const sampled = ids.filter((bytes) => policy.read(false, Object.assign(facts, { bytes }), words, 0, 0) === Verdict.sampled).length;
    t.ok(Math.abs(sampled / ids.length - Math.min(1, Math.max(0, percentage / 100))) < 0.01, `${percentage} %, ${sampled}`);
  }
  t.end();
});
