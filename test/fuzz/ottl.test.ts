import t from 'tap';
import { ottlFuzz } from './ottl.fuzz.ts';
import { runFuzz } from './run.ts';

const turns = 3000;

t.test('no text of an OTTL condition crashes its compiler, its evaluation or its rewriting', (t) => {
  const report = runFuzz(ottlFuzz, { turns, secondsMax: 120, seed: 20_261_122 });
  t.equal(report.turns, turns);
  t.end();
});
