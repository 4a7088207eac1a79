/** References: every row of the specification's table, and what happens when one cannot be read. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { findReference } from '../../src/main/config/expand.ts';
import { decode, string } from '../../src/main/config/fields.ts';
import { load } from './load-rig.ts';

const environment = {
  NUM: '123',
  EMPTY: '',
  LIST: '[1, 2]',
  MAP: '{a: b}',
  TRUE: 'true',
  OCTAL: '0123',
  NO_YAML: 'a: b: c',
  QUOTED: '"quoted"',
  NAME_OF: 'NUM',
  NESTED: '${NUM}',
  NESTED_LIST: '[ "${NUM}", x ]',
  LOOP: 'x${env:LOOP}',
  DOLLARS: 'a$$b',
};

async function typedOf(written: string): Promise<unknown> {
  return (await load(`k: ${JSON.stringify(written)}`, { environment })).plain.k;
}

async function textOf(written: string): Promise<unknown> {
  const { raw } = await load(`k: ${JSON.stringify(written)}`, { environment });
  const outcome = decode(string(), raw?.k);
  return outcome.kind === 'decoded' ? outcome.config : outcome.faults;
}

/** Source: spec 3.9, with the written form, the value, and the text that a string target gets. */
const table: readonly (readonly [written: string, value: unknown, text?: string])[] = [
  ['${NUM}', 123, '123'],
  ['${env:NUM}', 123, '123'],
  ['x${NUM}y', 'x123y'],
  ['${LIST}', [1, 2], '[1, 2]'],
  ['${MAP}', { a: 'b' }, '{a: b}'],
  ['${TRUE}', true, 'true'],
  ['${OCTAL}', 83, '0123'],
  ['${NO_YAML}', 'a: b: c'],
  ['${QUOTED}', '"quoted"'],
  ['${U}', null, ''],
  ['x${U}y', 'xy'],
  ['${env:EMPTY:-def}', null, ''],
  ['${env:U:-def}', 'def'],
  ['${env:U:-}', ''],
  ['${env:U:-5}', 5, '5'],
  ['${U:-def}', 'def'],
  ['${U_X:-5}', 5, '5'],
  ['${NUM:-5}', 123, '123'],
  ['$NUM', '$NUM'],
  ['$${NUM}', '${NUM}'],
  ['$$${NUM}', '$123'],
  ['$$$${NUM}', '$${NUM}'],
  ['a$$b', 'a$b'],
  ['^a$', '^a$'],
  ['cost$$5', 'cost$5'],
  ['${env:${NAME_OF}}', 123, '123'],
  ['${NESTED}', 123, '123'],
  ['${NESTED_LIST}', [123, 'x'], '[ "123", x ]'],
  ['${DOLLARS}', 'a$b'],
  ['${yaml:[a, b]}', ['a', 'b'], '[a, b]'],
  ['${NUM}-${TRUE}', '123-true'],
  ['}${NUM}', '}123'],
  ['${NUM', '${NUM'],
];

t.test('every row of the table of references', async (t) => {
  for (const [written, value, text] of table) {
    t.same(await typedOf(written), value, written);
    t.equal(await textOf(written), text ?? value, `${written} as a text`);
  }
});

t.test('an unset variable is null with a warning at the reference', async (t) => {
  const { lines } = await load('a: 1\nb:\n  c: ${U}', { environment });
  t.same(lines, ['yaml::3:6: warning: b.c: environment variable U is not set: read as null; write ${env:U:-default} to give a default']);
});

t.test('what cannot be a reference is a fault with its place, and all of them in one go', async (t) => {
  const written = [
    'a: "${1BAD}"',
    'b: "${env:A-B}"',
    'c: "${}"',
    'd: ["${nosuchscheme:X}"]',
    'e: "x${LOOP}"',
    'f: "${file:does-not-exist.yaml}"',
  ];
  const { lines } = await load(written.join('\n'), { environment });
  t.equal(lines.length, 6);
  t.match(lines[0], 'yaml::1:4: a: environment variable "1BAD" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$');
  t.match(lines[1], 'yaml::2:4: b: environment variable "A-B" has invalid name');
  t.match(lines[2], 'yaml::3:4: c: environment variable "" has invalid name');
  t.match(lines[3], 'yaml::4:5: d[0]: scheme "nosuchscheme" is not supported for uri "nosuchscheme:X"');
  t.match(lines[4], 'yaml::5:4: e: too many recursive expansions');
  t.match(lines[5], 'yaml::6:4: f: unable to read the file does-not-exist.yaml');
});

t.test('map keys are never expanded', async (t) => {
  t.same((await load('"${NUM}": "${NUM}"', { environment })).plain, { '${NUM}': 123 });
});

t.test('files and HTTP give values too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-expand-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'part.yaml'), 'endpoint: ${NUM}\nlist: [1]\n');
  const { plain } = await load(`k: "\${file:${join(folder, 'part.yaml')}}"`, { environment });
  t.same(plain, { k: { endpoint: 123, list: [1] } });

  const server = createServer((request, response) => {
    response.statusCode = request.url === '/part' ? 200 : 404;
    response.end('a: 1');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  t.same((await load(`k: "\${http://127.0.0.1:${port}/part}"`)).plain, { k: { a: 1 } });
  const missing = await load(`k: "\${http://127.0.0.1:${port}/nothing?token=hidden}"`);
  t.match(missing.lines, [/failed to load resource from uri .*\/nothing, status code: 404/]);
  t.notMatch(missing.lines.join(''), /hidden/);
});

t.test('finds the innermost reference that is not escaped', async (t) => {
  t.equal(findReference('a${b${c}}'), '${c}');
  t.equal(findReference('$${a}${b}'), '${b}');
  t.equal(findReference('$${a}'), undefined);
  t.equal(findReference('}${a}'), '${a}');
});
