/** Which tracestates are valid, and what their members are, against regular expressions written from the W3C grammar. */

import t from 'tap';
import { seededPrng } from '../../../src/shared/prng.ts';
import { TraceStateMembers } from '../../../src/workers/policies/trace-state-members.ts';
import { naiveTraceState } from '../../support/naive-policies.ts';
import { Dice, utf8 } from '../../support/otlp.ts';

const members = new TraceStateMembers();

function parsed(text: string): [string, string][] | undefined {
  const bytes = utf8(`##${text}##`);
  if (!members.parse(bytes, 2, bytes.length - 2)) return undefined;
  const part = (at: number, length: number) => Buffer.from(bytes.subarray(at, at + length)).toString();
  return Array.from({ length: members.count }, (_, index) => [
    part(members.keyAt[index]!, members.keyLength[index]!),
    part(members.valueAt[index]!, members.valueLength[index]!),
  ]);
}

t.test('members are found with their keys and values', (t) => {
  t.same(parsed('a=1, \tb@c=x y \t,,d=2'), [
    ['a', '1'],
    ['b@c', 'x y'],
    ['d', '2'],
  ]);
  t.same(parsed(''), []);
  t.end();
});

t.test('the limits of the grammar hold on both sides', (t) => {
  const many = (n: number) => Array.from({ length: n }, (_, index) => `k${index}=v`).join(',');
  const cases: readonly [string, boolean][] = [
    [many(32), true],
    [many(33), false],
    [`a${'b'.repeat(255)}=v`, true],
    [`a${'b'.repeat(256)}=v`, false],
    [`1${'b'.repeat(240)}@s${'y'.repeat(13)}=v`, true],
    [`1${'b'.repeat(241)}@sy=v`, false],
    [`1b@s${'y'.repeat(14)}=v`, false],
    ['1b=v', false],
    [`a=${'v'.repeat(256)}`, true],
    [`a=${'v'.repeat(257)}`, false],
    ['a=b=c', false],
    ['a=1,a=2', false],
    ['a =1', false],
    ['a=é', false],
    ['a', false],
    [' ', false],
  ];
  for (const [text, isValid] of cases) t.equal(parsed(text) !== undefined, isValid, text.slice(0, 40));
  t.end();
});

t.test('random texts are split as the grammar says', (t) => {
  const dice = new Dice(seededPrng(3));
  let valid = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: dice.below(12) }, () => dice.pick([...'aab1==,,@_-*/ \tA~\x7f'])).join('');
    const expected = naiveTraceState(text);
    const found = parsed(text);
    if (expected !== undefined) valid++;
    if (JSON.stringify(found) !== JSON.stringify(expected && [...expected])) t.same(found, expected && [...expected], JSON.stringify(text));
  }
  t.ok(valid > 500, `${valid} valid ones`);
  t.end();
});
