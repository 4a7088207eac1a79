/** Fuzz target "json": mutated OTLP/JSON either names its fault or becomes bytes that the kernel accepts and that say the same again. */

import { strict as assert } from 'node:assert';
import { JsonFault, transcodeJson, transcodeUsableJson } from '../../src/main/receivers/otlp/json-transcoder.ts';
import { jsonTextOf } from '../../src/shared/otlp/json-text.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { KernelRig } from '../support/kernel-rig.ts';
import { mutateText } from '../support/mutate.ts';
import { Dice, randomRequest } from '../support/otlp.ts';
import type { FuzzTarget } from './run.ts';

const pieces = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    'null',
    'true',
    'false',
    '0',
    '-1',
    '1e400',
    '1.5',
    '9007199254740993',
    '"18446744073709551615"',
  ],
  ...[
    '"9223372036854775808"',
    '"-9223372036854775808"',
    '""',
    '"\\ud800"',
    '"\\u0000"',
    '"NaN"',
    '"-Infinity"',
    '"AAEC"',
    '"=="',
    '{}',
    '[]',
  ],
  ...[
    '"traceId":',
    '"trace_id":',
    '"kind":"SPAN_KIND_SERVER",',
    '"code":"STATUS_CODE_ERROR",',
    '"intValue":"1",',
    '"arrayValue":{"values":[',
    '"a5a5"',
  ],
  ...['"__proto__":{"spans":[]},', '"constructor":1,', '"resourceSpans":', ' ', '\n', '\u2028', 'é', '🙂', '\ufeff'],
];

/** Errors: throws AssertionError. */
export function checkJson(rig: KernelRig, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  let strict: Uint8Array | undefined;
  try {
    strict = transcodeJson(bytes);
  } catch (error) {
    assert(error instanceof JsonFault, `not a JsonFault: ${error}`);
    assert.notEqual(error.message, '');
  }
  let usable: { readonly bytes: Uint8Array; readonly rejected?: object } | undefined;
  try {
    usable = transcodeUsableJson(bytes);
  } catch (error) {
    assert(error instanceof JsonFault, `not a JsonFault: ${error}`);
    assert.equal(strict, undefined, 'what is right as a whole is usable');
  }
  if (usable === undefined) return;
  const spanCount = rig.validate(usable.bytes);
  assert.notEqual(spanCount, -1, `the kernel refuses with ${rig.kernel.errorCode()} at ${rig.kernel.errorOffset()}`);
  if (strict === undefined) {
    assert(usable.rejected !== undefined && spanCount > 0, 'what is left out is told, and something is left');
    return;
  }
  assert.deepEqual(Buffer.from(usable.bytes), Buffer.from(strict));
  const again = jsonTextOf(strict);
  assert.equal(jsonTextOf(transcodeJson(Buffer.from(again, 'utf8'))), again, 'reads its own text back');
}

export const jsonFuzz: FuzzTarget = {
  name: 'json',
  start(prng: Prng) {
    const rig = new KernelRig();
    const dice = new Dice(prng);
    let seedText = '';
    let turn = 0;
    return () => {
      if (turn++ % 100 === 0) {
        do seedText = jsonTextOf(randomRequest(dice, { traces: 2, spansPerScopeMax: 2, oddness: 0.1 }));
        while (seedText.length > 4_000);
        checkJson(rig, seedText);
        return;
      }
      let text = mutateText(dice, seedText, pieces);
      while (dice.chance(0.3)) text = mutateText(dice, text, pieces);
      checkJson(rig, text);
    };
  },
};
