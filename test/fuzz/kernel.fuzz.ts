/** Fuzz target "kernel": mutations of valid requests through validate, split, facts and frame; the verdict must be the reference's, to the byte. */

import { strict as assert } from 'node:assert';
import { factRow } from '../../src/shared/arena/rows.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { KernelRig, kernelPlaces } from '../support/kernel-rig.ts';
import { concat, Dice, hex, randomRequest } from '../support/otlp.ts';
import { GrammarFault, type ReferenceSpan, referenceSpans } from '../support/otlp-reference.ts';
import type { FuzzTarget } from './run.ts';

function mutate(dice: Dice, request: Uint8Array): Uint8Array {
  const bytes = request.slice();
  const at = dice.below(bytes.length);
  switch (dice.below(7)) {
    case 0:
      bytes[at] = dice.below(256);
      return bytes;
    case 1:
      bytes[at]! ^= 1 << dice.below(8);
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return concat(bytes.subarray(0, at), dice.bytes(1 + dice.below(4)), bytes.subarray(at));
    case 4:
      return concat(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + dice.below(4))));
    case 5:
      bytes.fill(dice.pick([0x00, 0x80, 0xff]), at, at + dice.below(12));
      return bytes;
    default:
      bytes.set(bytes.slice(0, dice.below(8)), Math.min(at, bytes.length - 8));
      return bytes;
  }
}

function referenceVerdict(request: Uint8Array): ReferenceSpan[] | GrammarFault {
  try {
    return referenceSpans(request);
  } catch (error) {
    if (error instanceof GrammarFault) return error;
    throw error;
  }
}

/** What the kernel says of `request`, checked against the reference. Errors: throws AssertionError. */
export function checkKernel(rig: KernelRig, request: Uint8Array): void {
  const expected = referenceVerdict(request);
  const count = rig.validate(request);
  if (expected instanceof GrammarFault) {
    const where = hex(request);
    assert.equal(count, -1, `refused by the reference only (${expected.message}): ${where}`);
    assert.equal(rig.kernel.errorOffset(), expected.offset, `offset in ${where}`);
    assert.equal(rig.kernel.errorCode(), expected.code, `code in ${where}`);
    // Never used on refused bytes, but it must not trap either; the room is more than these bytes can ask for.
    rig.kernel.split(kernelPlaces.input, request.length, kernelPlaces.rows);
    return;
  }
  assert.equal(count, expected.length, `span count of ${hex(request)}, error ${rig.kernel.errorCode()} at ${rig.kernel.errorOffset()}`);
  const room = rig.kernel.splitBytesMax();
  // Every other request the slow way, which needs no promise about where trace ids stand.
  const runs = rig.split(request, count % 2 === 0 && rig.kernel.uniform());
  assert.ok(rig.kernel.splitBytes() <= room, 'split kept to its room');
  let span = 0;
  for (let i = 0; i < runs; i++) {
    const run = rig.run(i);
    const rows = rig.kernel.facts(run.at, kernelPlaces.output);
    assert.equal(rows, run.count);
    for (let j = 0; j < rows; j++) {
      const row = (kernelPlaces.output + j * factRow.bytes) / 4;
      assert.equal(rig.words[row]! - kernelPlaces.input, expected[span]!.body);
      assert.equal(run.traceId, expected[span]!.traceId);
      span++;
    }
  }
  assert.equal(span, expected.length);
  // Framed whole, in reverse order of runs, it must still be the same spans under the same headers.
  const framed = rig.frame(Array.from({ length: runs }, (_, i) => runs - 1 - i));
  const texts = (spans: readonly ReferenceSpan[]) => spans.map(({ body: _, ...rest }) => JSON.stringify(rest)).sort();
  assert.deepEqual(texts(referenceSpans(framed)), texts(expected));
}

/** One turn: a random request now and then, many mutations of it in between. */
export const kernelFuzz: FuzzTarget = {
  name: 'kernel',
  start(prng: Prng) {
    const rig = new KernelRig();
    const dice = new Dice(prng);
    let seedRequest = randomRequest(dice);
    let turn = 0;
    return () => {
      if (turn++ % 200 === 0) {
        do seedRequest = randomRequest(dice, { traces: 3, spansPerScopeMax: 3, oddness: 0.2 });
        while (seedRequest.length < 8 || seedRequest.length > 4000);
        checkKernel(rig, seedRequest);
        return;
      }
      let request = mutate(dice, seedRequest);
      if (dice.chance(0.3) && request.length > 8) request = mutate(dice, request);
      checkKernel(rig, request);
    };
  },
};
