/** What the README says, held true: its configurations load, its tables are those of the source, its commands exist. */

import { readFileSync } from 'node:fs';
import t from 'tap';
import { readConfiguration } from '../src/main/config/read-configuration.ts';
import { componentTypes } from '../src/main/pipeline/component-types.ts';
import { readmePath, withTables } from './support/readme-tables.ts';

const readme = readFileSync(readmePath, 'utf8');

t.test('every configuration in it loads without a fault or a warning', async (t) => {
  const blocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  t.equal(blocks.length, 2, 'a router and a sampler');
  for (const block of blocks) {
    const read = await readConfiguration([`yaml:${block}`], componentTypes, { sets: [], featureGates: new Set(), environment: {} });
    t.same(read.faults, []);
    t.ok(read.configuration);
  }
});

t.test('its tables are those of the source (npm run docs writes them)', async (t) => {
  for (const name of ['quirks', 'components', 'metrics']) t.match(readme, `<!-- ${name}: begin -->`);
  t.ok(withTables(readme) === readme, 'stale: run npm run docs');
});

t.test('the commands and options that it names exist', async (t) => {
  const cli = readFileSync(new URL('../src/main/cli.ts', import.meta.url), 'utf8');
  const flags = readFileSync(new URL('../src/main/loadgen/loadgen-flags.ts', import.meta.url), 'utf8');
  const named = new Set(
    [...readme.matchAll(/`[^`\n]*`/g)].flatMap(([text]) => [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag)),
  );
  named.delete('--help');
  t.ok(named.size > 10, 'finds them');
  t.same(
    [...named].filter((flag) => !new RegExp(`'${flag}[ ']`).test(`${cli}${flags}`)),
    [],
  );
  const commands = new Set([...readme.matchAll(/`ringtail ([a-z][a-z-]+)/g)].map((match) => match[1] as string));
  t.same(
    [...commands].filter((command) => !cli.includes(`ommand('${command}'`)),
    [],
  );
});
