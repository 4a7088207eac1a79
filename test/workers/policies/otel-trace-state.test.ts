/** The grammar of OpenTelemetry's tracestate member and the rewriting of its threshold (spec 1.10, 5.4). */

import fc from 'fast-check';
import t from 'tap';
import {
  membersMax,
  neverThreshold,
  parseOtelTraceState,
  thresholdOfPercentage,
  thresholdText,
  withThreshold,
} from '../../../src/workers/policies/otel-trace-state.ts';

const parse = (text: string) => parseOtelTraceState(text, membersMax.w3c);
const rewrite = (text: string, threshold: bigint) => {
  const state = parse(text);
  return state && withThreshold(state, threshold);
};
const th8 = 0x8n << 52n;

t.test('thresholds of percentages are those of the specification', (t) => {
  const vectors: readonly (readonly [number, string])[] = [
    [0.1, 'ffbe76c8b43958'],
    [0.5, 'feb851eb851eb8'],
    [1, 'fd70a3d70a3d71'],
    [5, 'f3333333333333'],
    [10, 'e6666666666666'],
    [25, 'c'],
    [33, 'ab851eb851eb84'],
    [50, '8'],
    [75, '4'],
    [99.9, '004189374bc6a'],
    [100, '0'],
    [150, '0'],
  ];
  for (const [percent, text] of vectors) t.equal(thresholdText(thresholdOfPercentage(percent)), text, `${percent} %`);
  for (const percent of [0, -50, 1e-17, Number.NaN]) t.equal(thresholdOfPercentage(percent), neverThreshold, `${percent} %`);
  t.end();
});

t.test('rv and th are read, and a text that breaks a rule anywhere is not', (t) => {
  t.equal(parse('ot=rv:40000000000000;th:8')?.randomness, 0x40000000000000n);
  t.equal(parse('ot=rv:40000000000000;th:8')?.threshold, th8);
  t.equal(parse('a=1 , ot=th:8')?.threshold, th8, 'blanks around members are passed');
  t.equal(parse('ot=th:8,,a=1,')?.threshold, th8, 'empty members are passed');
  t.equal(parse('ot=th:C')?.threshold, 0xcn << 52n, 'capitals are digits, as in the Collector');
  t.equal(parse('ot=th:4,ot=th:8')?.threshold, th8, 'the last member counts');
  t.equal(parse('')?.threshold, undefined);
  for (const wrong of [
    'ot=rv:4000000000000', // 13 digits
    'ot=rv:400000000000000', // 15
    'ot=rv:4000000000000g',
    'ot=th:',
    'ot=th:123456789012345',
    'ot=th:8;',
    'ot=;th:8',
    'ot=not_a_valid_key$',
    'ot=th',
    'ot=',
    'OT=th:8',
    'ot =th:8',
    'ot=th:8,b==1',
    'ot=th:8,b=é',
    `ot=x:${'a'.repeat(255)}`,
    `a=${'x'.repeat(257)}`,
    Array.from({ length: 5 }, (_, index) => `k${index}=${'x'.repeat(220)}`).join(','), // beyond 1024 bytes
  ]) {
    t.equal(parse(wrong), undefined, wrong.slice(0, 40));
  }
  t.end();
});

t.test('a list may have 32 members; the Collector refuses as many', (t) => {
  const list = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(',');
  t.ok(parseOtelTraceState(list(32), membersMax.w3c));
  t.notOk(parseOtelTraceState(list(33), membersMax.w3c));
  t.ok(parseOtelTraceState(list(31), membersMax.otelcol));
  t.notOk(parseOtelTraceState(list(32), membersMax.otelcol));
  t.end();
});

t.test('a threshold is written unless the own one is stricter', (t) => {
  t.equal(rewrite('', th8), 'ot=th:8');
  t.equal(rewrite('ot=rv:abcdef01234567', th8), 'ot=rv:abcdef01234567;th:8');
  t.equal(rewrite('ot=th:c', th8), undefined, 'c is stricter than 8 and stays');
  t.equal(rewrite('ot=th:8', 0xcn << 52n), 'ot=th:c');
  t.equal(rewrite('ot=not_a_valid_key$', th8), undefined);
  t.equal(rewrite('b=2, a=1 ,ot=x1:y;th:2;rv:abcdef01234567,c=3', th8), 'ot=rv:abcdef01234567;th:8;x1:y,b=2,a=1,c=3');
  t.equal(rewrite('ot=th:8', th8), 'ot=th:8');
  t.equal(rewrite('', 0n), 'ot=th:0');
  t.end();
});

t.test('what was written is read back, and nothing else of the list changes', (t) => {
  const key = fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/).filter((text) => text !== 'ot');
  const value = fc.stringMatching(/^[!-+\--<>-~]{1,8}$/);
  const members = fc.array(
    fc.tuple(key, value).map(([left, right]) => `${left}=${right}`),
    { maxLength: 6 },
  );
  const threshold = fc.bigInt({ min: 0n, max: neverThreshold - 1n });
  fc.assert(
    fc.property(members, fc.option(threshold), threshold, (others, own, wanted) => {
      const text = [...(own === null ? [] : [`ot=th:${thresholdText(own)}`]), ...others].join(',');
      const rewritten = rewrite(text, wanted);
      if (own !== null && own > wanted) return rewritten === undefined;
      const read = rewritten === undefined ? undefined : parse(rewritten);
      return read?.threshold === wanted && read.otherMembers.join() === others.join();
    }),
  );
  t.end();
});
