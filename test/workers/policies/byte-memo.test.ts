/** The memo of byte strings answers as what it remembers, asks rarely and stays within its size. */

import t from 'tap';
import { seededPrng } from '../../../src/shared/prng.ts';
import { ByteMemo } from '../../../src/workers/policies/byte-memo.ts';
import { Dice } from '../../support/otlp.ts';

t.test('answers are those of the function, whatever is forgotten in between', async (t) => {
  const dice = new Dice(seededPrng(1));
  for (const size of [1, 2, 3, 128]) {
    const memo = new ByteMemo(size);
    let asked = 0;
    const isOdd = (bytes: Uint8Array, at: number, length: number) => {
      asked++;
      return bytes.subarray(at, at + length).reduce((total, byte) => total + byte, 0) % 2 === 1;
    };
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.of(9, dice.below(8), dice.below(8), 9);
      const length = dice.below(3);
      const expected = bytes.subarray(1, 1 + length).reduce((total, byte) => total + byte, 0) % 2 === 1;
      if (memo.ask(bytes, 1, length, isOdd) !== expected) return t.fail(`size ${size}, round ${round}`);
    }
    if (size === 128) t.ok(asked < 400, `${asked} of 2000 asked`);
  }
});

t.test('a key that is asked for again and again stays while others come and go', (t) => {
  const memo = new ByteMemo(2);
  let asked = 0;
  const find = () => {
    asked++;
    return true;
  };
  const hot = Uint8Array.of(1);
  for (let other = 0; other < 50; other++) {
    memo.ask(hot, 0, 1, find);
    memo.ask(Uint8Array.of(2, other), 0, 2, find);
    memo.ask(hot, 0, 1, find);
  }
  t.equal(asked, 51);
  t.end();
});
