/** Requests with unusable spans among others: what is left is the request as it would have been without them, byte for byte. */

import t from 'tap';
import { dropUnusableSpans } from '../../src/main/receivers/otlp/unusable-spans.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { KernelRig, kernelPlaces } from '../support/kernel-rig.ts';
import { concat, Dice, lengthField, requestBytes, spanBytes, spanIdOf, traceIdOf, unhex, utf8, varintField } from '../support/otlp.ts';

const rig = new KernelRig();
const nothing = new Uint8Array();

interface Outcome {
  readonly bytes: Buffer;
  readonly rejectedSpans: number;
}

/** As intake does it. Undefined: the whole request is refused. */
function drop(request: Uint8Array): Outcome | undefined {
  if (rig.validate(request) >= 0) throw new Error('nothing is wrong with the request');
  const at = kernelPlaces.input;
  const usable = dropUnusableSpans(rig.kernel, at, request.length, rig.kernel.errorOffset());
  if (usable === undefined || rig.kernel.validate(at, usable.byteLength) < 0) return undefined;
  return { bytes: Buffer.from(rig.bytes.slice(at, at + usable.byteLength)), rejectedSpans: usable.rejectedSpans };
}

const good = (index: number, name = 'good') => spanBytes({ traceId: traceIdOf(index), spanId: spanIdOf(index), name });
const badSpans: Readonly<Record<string, Uint8Array>> = {
  'trace id of 8 bytes': lengthField(1, new Uint8Array(8).fill(1)),
  'span id of 4 bytes': concat(lengthField(1, traceIdOf(1)), lengthField(2, unhex('01020304'))),
  'parent id of 1 byte': concat(good(1), lengthField(4, unhex('01'))),
  'link with a trace id of 15 bytes': concat(good(1), lengthField(13, lengthField(1, new Uint8Array(15)))),
  'cut attribute': concat(good(1), unhex('4a 05 0a 09 61')),
  'field that reaches past the span': concat(good(1), unhex('2a 7f 61')),
  'reserved wire type': concat(good(1), unhex('47')),
  'name as a number': concat(good(1), varintField(5, 3)),
  'field number zero': concat(good(1), unhex('02 00')),
};

t.test('every sort of unusable span goes, and its neighbours stay', (t) => {
  for (const [what, bad] of Object.entries(badSpans)) {
    for (const position of [0, 1, 2]) {
      const spans = [good(7), good(8)].map((span) => lengthField(2, span));
      const request = (spans: readonly Uint8Array[]) => lengthField(1, lengthField(2, concat(lengthField(1, utf8('')), ...spans)));
      const outcome = drop(request(spans.toSpliced(position, 0, lengthField(2, bad))));
      t.equal(outcome?.rejectedSpans, 1, what);
      t.ok(outcome?.bytes.equals(request(spans)), `${what} at ${position}`);
    }
  }
  t.end();
});

t.test('what is broken outside of spans refuses the request', (t) => {
  const bad = lengthField(2, badSpans['span id of 4 bytes']!);
  const scope = lengthField(2, concat(lengthField(2, good(1)), bad));
  const rows: Readonly<Record<string, Uint8Array>> = {
    'resource before': lengthField(1, concat(lengthField(1, unhex('0a 05 0a 09 61')), scope)),
    'resource after': concat(lengthField(1, scope), lengthField(1, lengthField(1, unhex('0a 05 0a 09 61')))),
    'scope after': lengthField(1, lengthField(2, concat(lengthField(2, good(1)), bad, lengthField(1, varintField(1, 1))))),
    'scope spans as a number': lengthField(1, concat(scope, varintField(2, 1))),
    'a span as a number': lengthField(1, lengthField(2, concat(bad, varintField(2, 1)))),
    'cut after the span': concat(lengthField(1, scope), unhex('0a 05 01')),
    'a span longer than its scope': lengthField(1, lengthField(2, concat(bad, unhex('12 7f 01')))),
    'a tag without end': concat(lengthField(1, scope), new Uint8Array(11).fill(0xff)),
  };
  for (const [what, request] of Object.entries(rows)) t.equal(drop(request), undefined, what);
  t.end();
});

t.test('lengths shrink by a byte where they have to, and stay as they were written where nothing went', (t) => {
  const padded = lengthField(1, lengthField(2, lengthField(2, good(3)), 3), 2);
  const long = lengthField(2, badSpans['cut attribute']!);
  // With the bad span the lengths around need two bytes, without it one.
  const around = (spans: Uint8Array) => concat(padded, lengthField(1, lengthField(2, spans)), padded, requestBytes({ a: 'b' }));
  const few = lengthField(2, good(4, 'n'.repeat(70)));
  const outcome = drop(around(concat(few, long)));
  t.ok(around(concat(few, long)).length - around(few).length > long.length, 'the lengths did shrink');
  t.ok(outcome?.bytes.equals(around(few)));
  t.equal(drop(lengthField(1, lengthField(2, long)))?.bytes.toString('hex'), '0a021200', 'an empty scope stays');
  const old = (...spans: readonly Uint8Array[]) => lengthField(1, lengthField(1000, concat(...spans)));
  t.ok(drop(old(few, long))?.bytes.equals(old(few)), 'the scope spans of old requests too');
  t.end();
});

t.test('property: what is left is the request composed without the unusable spans', (t) => {
  const dice = new Dice(seededPrng(20_261_122));
  const bads = Object.values(badSpans);
  let rejected = 0;
  for (let round = 0; round < 1_500; round++) {
    let bad = 0;
    /** Both at once: with the unusable spans, and without. */
    const both = (parts: readonly (readonly [Uint8Array, Uint8Array])[]) => [
      concat(...parts.map(([all]) => all)),
      concat(...parts.map(([, kept]) => kept)),
    ];
    const same = (bytes: Uint8Array) => [bytes, bytes] as const;
    const span = (): readonly [Uint8Array, Uint8Array] => {
      if (!dice.chance(0.3)) return same(lengthField(2, good(dice.below(9), 'n'.repeat(dice.pick([1, 60, 130])))));
      bad++;
      return [lengthField(2, dice.pick(bads)), nothing];
    };
    const many = (count: number, make: () => readonly [Uint8Array, Uint8Array]) => Array.from({ length: dice.below(count) }, make);
    const scope = (): readonly [Uint8Array, Uint8Array] => {
      const [all, kept] = both(dice.shuffle([same(lengthField(1, lengthField(1, utf8('s')))), ...many(7, span)]));
      return [lengthField(2, all!), lengthField(2, kept!)];
    };
    const resource = (): readonly [Uint8Array, Uint8Array] => {
      const [all, kept] = both(dice.shuffle([same(lengthField(3, utf8('https://schema'))), ...many(4, scope)]));
      return [lengthField(1, all!), lengthField(1, kept!)];
    };
    const [all, kept] = both([...many(4, resource), same(varintField(200, 1)), ...many(3, resource)]);
    if (bad === 0) continue;
    const outcome = drop(all!);
    rejected += bad;
    if (outcome?.rejectedSpans !== bad || !outcome.bytes.equals(kept!)) t.fail(`round ${round}`);
  }
  t.ok(rejected > 1_000);
  t.end();
});

t.test('property: any bytes changed in a request are refused or leave something valid', (t) => {
  const dice = new Dice(seededPrng(7));
  const base = requestBytes(
    { a: 'b' },
    {
      scopeName: 's',
      spans: [1, 2, 3, 4].map((index) => ({ traceId: traceIdOf(index), spanId: spanIdOf(index), attributes: { k: 'v' } })),
    },
  );
  let dropped = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from(base);
    for (let edits = 1 + dice.below(3); edits > 0; edits--) bytes[dice.below(bytes.length)] = dice.below(256);
    if (rig.validate(bytes) >= 0) continue;
    const outcome = drop(bytes);
    if (outcome !== undefined && (outcome.rejectedSpans < 1 || outcome.bytes.length >= bytes.length)) t.fail(`round ${round}`);
    if (outcome !== undefined) dropped++;
  }
  t.ok(dropped > 1_000);
  t.end();
});
