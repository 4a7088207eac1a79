/** Texts that the fuzzer "yaml" found: read without an exception, and printed so that they say the same again. */

import t from 'tap';
import { readSource } from '../../src/main/config/load-configuration.ts';
import { printCanonical } from '../../src/main/config/print-canonical.ts';
import { canonical, load } from './load-rig.ts';

const around = (value: string) => `service: {}\nprocessors:\n  batch:\n    timeout: ${value}\n`;

t.test('an alias of nothing is a fault at its place, and is printed as text', async (t) => {
  const source = readSource(around('*nowhere'), 'c.yaml');
  t.match(source.faults, [{ severity: 'error', line: 4, message: /unknown anchor 'nowhere' referenced/ }]);
  t.match(printCanonical(source), /timeout: "\*nowhere"/);
});

t.test('an anchor outside of the configuration comes in with its first alias', async (t) => {
  const text =
    'x: &place {endpoint: "a:1"}\nconfig:\n  exporters: {otlp: *place, otlp/2: *place}\n  receivers: {otlp: null}\n  service: {}\n';
  const printed = canonical(text);
  t.match(printed.text, /otlp: &place \{endpoint: "a:1"\}, otlp\/2: \*place/);
  t.same(printed.again, []);
  t.match((await load(printed.text)).plain, { exporters: { otlp: { endpoint: 'a:1' }, 'otlp/2': { endpoint: 'a:1' } } });
});

t.test('a tag before nothing leaves null, in lists too; !!binary is the text of its bytes', async (t) => {
  for (const [value, read] of [
    ['!tag', null],
    ['!tag 10s', '10s'],
    ['[!tag ]', [null]],
    ['!!binary MTBz', '10s'],
  ] as const) {
    t.match((await load(around(value))).plain, { processors: { batch: { timeout: read } } }, value);
    t.match((await load(canonical(around(value)).text)).plain, { processors: { batch: { timeout: read } } }, `${value}, printed`);
  }
});

t.test('a policy type that every object has as a property is an unknown type', async (t) => {
  for (const type of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    const { lines } = await load(`service: {}\nprocessors: {tail_sampling: {policies: [{name: a, type: ${type}, key: b, latency: {}}]}}\n`);
    t.ok(
      lines.every((line) => line.startsWith('yaml:')),
      lines.join('\n'),
    );
  }
});
