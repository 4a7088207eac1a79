import { readFileSync } from 'node:fs';
import t from 'tap';
import { samplerRig } from '../support/sampler-rig.ts';
import { decisionCases, requestsOf } from './decision-cases.ts';

interface Fact {
  readonly name: string;
  readonly seed: number;
  readonly processor: object;
  /** Numbers of the spans that the Collector let through. */
  readonly kept: readonly number[];
}

const recorded = JSON.parse(readFileSync(new URL('./fixtures/decisions.json', import.meta.url), 'utf8')) as { cases: Fact[] };

t.test('the recorded answers are those of the present cases', (t) => {
  t.same(
    recorded.cases.map(({ name, processor }) => ({ name, processor })),
    decisionCases.map(({ name, processor }) => ({ name, processor })),
  );
  const undecided = recorded.cases.filter(({ kept }) => kept.length === 0);
  t.ok(undecided.length < recorded.cases.length / 4, 'most cases let something through');
  t.end();
});

for (const { name, seed, processor, kept } of recorded.cases) {
  t.test(`decides as the Collector did: ${name}`, async (t) => {
    const rig = samplerRig({ decision_wait: '2s', ...processor });
    await rig.processor.start();
    for (const request of requestsOf(seed)) t.equal((await rig.send(request)).kind, 'accepted');
    await rig.clock.advance(3_000);
    const ours = rig.kept.map(({ spanId }) => Buffer.from(spanId, 'base64').readUInt32BE(4) - seed * 100_000);
    t.same(
      ours.sort((left, right) => left - right),
      kept,
    );
    await rig.processor.stop();
  });
}
