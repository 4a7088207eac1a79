/** Fuzz target "yaml": whatever a configuration says, reading it ends with faults at places, never with an exception; and what is canonical stays so. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { rawOf } from '../../src/main/config/config-node.ts';
import { readSource } from '../../src/main/config/load-configuration.ts';
import { printCanonical } from '../../src/main/config/print-canonical.ts';
import { plainValue } from '../../src/main/config/raw-value.ts';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { mutateText } from '../support/mutate.ts';
import { Dice } from '../support/otlp.ts';
import type { AsyncFuzzTarget } from './run.ts';

const reference = (text: string) => ['$', '{', text, '}'].join('');

const pieces = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ': ',
    ',',
    '- ',
    '? ',
    '| ',
    '> ',
    '#',
    '&a ',
    '*a',
    '!!binary ',
    '!tag ',
    '<<: ',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
  ],
  ...['null', '~', 'true', 'yes', '0x1f', '0o7', '1_000', '.inf', '.nan', '1e3', '-1', '10s', '5', '"', "'", '\t', '\n', '\n  ', '\r\n'],
  ...[
    '$',
    '$$',
    '${',
    reference('env:A'),
    reference('env:MISSING'),
    reference('env:B:-x'),
    reference('yaml:[1,2]'),
    reference('A'),
    reference('env:C'),
    '__proto__',
    'constructor',
    'toString',
  ],
  ...['receivers:', 'exporters:', 'service:', 'pipelines:', 'otlp', 'debug', 'tail_sampling', 'policies:', 'and_sub_policy', 'é', '🙂'],
];
const environment = { A: '1', B: '', C: reference('env:A'), D: '{a: [1' };
const configurations = ['backend-collector.yaml', 'operator-collector.yaml'].map((name) =>
  readFileSync(new URL(`../config/fixtures/${name}`, import.meta.url), 'utf8'),
);

/** Errors: throws AssertionError, and whatever reading throws. */
export async function checkYaml(text: string): Promise<void> {
  const read = await readConfiguration([`yaml:${text}`], componentTypes, { environment });
  for (const fault of read.faults) {
    assert(fault.message !== '', 'a fault says something');
    assert(fault.line >= 1 && fault.column >= 1, `place of ${fault.message}`);
  }
  assert(read.configuration !== undefined || hasErrors(read.faults), 'what cannot run has a fault');
  const source = readSource(text, 'c.yaml');
  const printed = printCanonical(source);
  if (source.root === undefined || source.node === null || hasErrors(source.faults)) return;
  const again = readSource(printed, 'c.yaml');
  assert(again.root !== undefined, 'the canonical form can be read');
  assert.deepEqual(plainValue(rawOf(again.root)), plainValue(rawOf(source.root)), 'and says the same');
}

const hasErrors = (faults: readonly { readonly severity: string }[]) => faults.some(({ severity }) => severity === 'error');

export const yamlFuzz: AsyncFuzzTarget = {
  name: 'yaml',
  start(prng: Prng) {
    const dice = new Dice(prng);
    let seedText = '';
    let turn = 0;
    return () => {
      if (turn++ % 50 === 0) {
        // Lines of one configuration, so that a turn is cheap and most of it still means something.
        const lines = dice.pick(configurations).split('\n');
        const from = dice.chance(0.5) ? 0 : dice.below(lines.length);
        seedText = lines.slice(from, from + 1 + dice.below(lines.length)).join('\n');
        return checkYaml(seedText);
      }
      let text = mutateText(dice, seedText, pieces);
      while (dice.chance(0.4)) text = mutateText(dice, text, pieces);
      return checkYaml(text);
    };
  },
};
