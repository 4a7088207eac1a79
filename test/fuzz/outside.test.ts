/** A smoke of every fuzz target that reads bytes from outside; a million turns of each by `npm run fuzz NAME`. */

import t from 'tap';
import { dnsFuzz } from './dns.fuzz.ts';
import { grpcFuzz } from './grpc.fuzz.ts';
import { httpFuzz } from './http.fuzz.ts';
import { jsonFuzz } from './json.fuzz.ts';
import { type AsyncFuzzTarget, runAsyncFuzz } from './run.ts';
import { yamlFuzz } from './yaml.fuzz.ts';

const seed = 20_261_122;
const plans: readonly (readonly [target: AsyncFuzzTarget, turns: number])[] = [
  [jsonFuzz, 4_000],
  [httpFuzz, 2_000],
  [grpcFuzz, 4_000],
  [dnsFuzz, 5_000],
  [yamlFuzz, 250],
];

for (const [target, turns] of plans) {
  t.test(`${target.name}: ${turns} turns`, async (t) => {
    const report = await runAsyncFuzz(target, { turns, secondsMax: 25, seed });
    t.ok(report.turns === turns || report.seconds >= 25, `${report.turns} turns`);
  });
}
