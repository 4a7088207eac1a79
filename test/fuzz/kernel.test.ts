import t from 'tap';
import { kernelFuzz } from './kernel.fuzz.ts';
import { runFuzz } from './run.ts';

const turns = 100_000;

t.test('the kernel agrees with the reference on 100,000 mutated requests and never traps', (t) => {
  const report = runFuzz(kernelFuzz, { turns, secondsMax: 120, seed: 20_261_122 });
  t.equal(report.turns, turns);
  t.end();
});
