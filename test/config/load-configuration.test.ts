/** Loading: how YAML is read, how sources merge, where the configuration may lie, and what places faults carry. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadConfiguration, locate } from '../../src/main/config/load-configuration.ts';
import { linesOf, load } from './load-rig.ts';

/** Source: go.yaml.in/yaml/v3, resolve.go. */
const scalars: readonly (readonly [written: string, value: unknown])[] = [
  ['0123', 83],
  ['0o17', 15],
  ['0x1F', 31],
  ['0b101', 5],
  ['-0b11', -3],
  ['50_000', 50_000],
  ['100_000.5', 100_000.5],
  ['089', 89],
  ['1e3', 1000],
  ['.5', 0.5],
  ['+12', 12],
  ['9223372036854775807', 9_223_372_036_854_775_807n],
  ['18446744073709551616', 18446744073709552000],
  ['yes', 'yes'],
  ['no', 'no'],
  ['on', 'on'],
  ['Off', 'Off'],
  ['True', true],
  ['FALSE', false],
  ['~', null],
  ['Null', null],
  ['', null],
  ['"123"', '123'],
  ["'true'", 'true'],
  ['!!str 12', '12'],
  ['1.2.3', '1.2.3'],
  ['10s', '10s'],
  ['localhost:4317', 'localhost:4317'],
  ['-', '-'],
];

t.test('scalars get the values that Go gives them', async (t) => {
  for (const [written, value] of scalars) {
    if (written === '-') continue;
    t.same((await load(`k: ${written}`)).plain, { k: value }, written);
  }
});

/** What people write and Go takes. */
const layouts: readonly (readonly [name: string, written: string, value: unknown])[] = [
  ['list flush with its key', 'k:\n- a\n- b\nl: 1', { k: ['a', 'b'], l: 1 }],
  ['flow lists inside a block list', 'k:\n  - [a, b]\n  - {c: [d, e]}', { k: [['a', 'b'], { c: ['d', 'e'] }] }],
  ['trailing commas', 'k: [a, b, ]\nl: {a: b, }', { k: ['a', 'b'], l: { a: 'b' } }],
  ['tabs inside flow', 'k: [\n\ta,\n\tb,\n]\nl: {\n\ta: [1,\n\t\t2]\n}', { k: ['a', 'b'], l: { a: [1, 2] } }],
  ['flow that begins at the margin', 'a:\n  k: [\na,\nb\n]\n  l: 1', { a: { k: ['a', 'b'], l: 1 } }],
  ['tabs in flow below a block text', 'a: |\n\tx [\n\ty\nk: [\n\ta]', undefined],
  ['anchors and merge keys', 'a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}', { a: { b: 1, c: 2 }, d: { b: 1, c: 3 } }],
  ['keys joined by ::', 'a::b: 1\na::c::d: 2', { a: { b: 1, c: { d: 2 } } }],
  ['a key named __proto__', '__proto__: {a: 1}', JSON.parse('{"__proto__": {"a": 1}}')],
];

t.test('layouts are read as Go reads them', async (t) => {
  for (const [name, written, value] of layouts) {
    const { plain, lines, raw } = await load(written);
    if (value === undefined) t.equal(raw, undefined, name);
    else t.same([plain, lines], [value, []], name);
  }
});

t.test('what is no YAML is refused at its line and column', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['a: 1\nb: [x\n', /^yaml::\d+:\d+: yaml: /],
    ['a: 1\na: 2\n', /^yaml::2:1: yaml: this key is already defined/],
    ['a:\n\tb: 1\n', /^yaml::2:1: yaml: found character that cannot start any token: a tab/],
    ['a: b: c\n', /^yaml::1:4: yaml: mapping values are not allowed in this context/],
    ['a: *nothing\n', /^yaml::1:4: yaml: unknown anchor 'nothing' referenced/],
    ['- a\n- b\n', /^yaml::1:1: retrieved value cannot be used as a configuration/],
  ];
  for (const [text, message] of cases) t.match((await load(text)).lines[0], message, text);
});

t.test('a place in flow that had to be indented is the one in the file', async (t) => {
  const { configuration } = await loadConfiguration(['yaml:a:\n  k: [\n\tb,\nc,\n    {d: e}]'], { environment: {} });
  const places = [0, 1, 2].map((index) => locate(configuration!, { severity: 'error', path: ['a', 'k', index], message: '' }));
  t.same(
    places.map(({ line, column }) => [line, column]),
    [
      [3, 2],
      [4, 1],
      [5, 5],
    ],
  );
});

t.test('aliases cannot unfold without bound', async (t) => {
  const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`);
  const { lines } = await load(['l0: &l0 [x]', ...levels].join('\n'));
  t.match(lines.at(-1), /document contains excessive aliasing/);
});

t.test('later sources win: maps merge, lists and scalars are replaced, null replaces too', async (t) => {
  const { plain } = await load(['a: {b: 1, c: [1, 2], d: {e: 1}}\nz: 1', 'a: {c: [3], d: {f: 2}, b: }\ny: 2']);
  t.same(plain, { a: { b: null, c: [3], d: { e: 1, f: 2 } }, y: 2, z: 1 });
});

t.test('the gate confmap.enableMergeAppendOption appends lists under service', async (t) => {
  const texts = [
    'service: {extensions: [a], pipelines: {traces: {receivers: [r], processors: [p], exporters: [e]}}}\nl: [1]',
    'service: {extensions: [b, a], pipelines: {traces: {receivers: [s], processors: [q], exporters: [f]}}}\nl: [2]',
  ];
  const { plain } = await load(texts, { featureGates: new Set(['confmap.enableMergeAppendOption']) });
  const traces = { receivers: ['r', 's'], processors: ['q'], exporters: ['e', 'f'] };
  t.same(plain, { service: { extensions: ['a', 'b'], pipelines: { traces } }, l: [2] });
});

t.test('--set has the last word, and its value is YAML', async (t) => {
  const { plain } = await load('processors: {batch: {timeout: 1s, send_batch_size: 5}}', {
    sets: ['processors.batch.timeout=2s', 'processors.batch.metadata_keys=[a, b]', 'exporters.nop='],
  });
  t.same(plain, { processors: { batch: { timeout: '2s', send_batch_size: 5, metadata_keys: ['a', 'b'] } }, exporters: { nop: null } });
  t.match((await load('a: 1', { sets: ['nothing'] })).lines, [/missing equal sign/]);
});

t.test('sources are files, file:, env: and yaml:', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-load-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'a.yaml');
  writeFileSync(file, 'a: 1\n');
  const options = { environment: { CONFIG: 'b: 2' } };
  const { configuration } = await loadConfiguration([file, `file:${file}`, 'env:CONFIG', 'yaml:c::d: 3'], options);
  t.same(configuration?.raw, { a: 1, b: 2, c: { d: 3 } });
  const missing = await loadConfiguration([join(folder, 'none.yaml'), 'env:NOTHING', 'nosuchscheme:x'], options);
  t.equal(missing.configuration, undefined);
  t.match(linesOf(missing.faults), [/cannot retrieve the configuration: unable to read the file/, /NOTHING is not set/, /cannot retrieve/]);
});

t.test('a fault of a merged configuration points into the file that wrote the value', async (t) => {
  const texts = ['a:\n  b: 1\n  c: 2\n', 'a:\n\n\n   c: 3\n'];
  const { configuration } = await loadConfiguration(
    texts.map((text) => `yaml:${text}`),
    { environment: { LIST: '[1, {x: 2}]' }, sets: ['l=${LIST}'] },
  );
  const at = (...path: (string | number)[]) => {
    const { file, line, column } = locate(configuration!, { severity: 'error', path, message: '' });
    return `${file}:${line}:${column}`;
  };
  t.equal(at('a', 'b'), 'yaml::2:3');
  t.equal(at('a', 'c'), 'yaml::4:4');
  t.equal(at('a', 'c', 'deeper', 0), 'yaml::4:4');
  t.equal(at('l', 1, 'x'), '--set l:1:4', 'inside a reference: at the reference');
  t.equal(at('not', 'there'), 'yaml::1:1');
});

const inner = 'receivers:\n  otlp:\nservice:\n  pipelines:\n';
const indented = (by: string) => inner.replaceAll(/^/gm, by).trimEnd();

/** Name, text, and where the `otlp` of the configuration lies in it. */
const wrapped: readonly (readonly [under: string, text: string, place: string])[] = [
  ['config', `replicas: 3\nconfig:\n${indented('  ')}`, '4:5'],
  ['opentelemetry-collector.config', `opentelemetry-collector:\n  mode: x\n  service: {type: y}\n  config:\n${indented('    ')}`, '6:7'],
  ['open_telemetry_collectors.main.config', `open_telemetry_collectors:\n  main:\n    config:\n${indented('      ')}`, '5:9'],
  ['backend.config', `global: {x: 1}\nbackend:\n  config:\n${indented('    ')}`, '5:7'],
  ['spec.config', `apiVersion: v1\nkind: OpenTelemetryCollector\nspec:\n  mode: x\n  config:\n${indented('    ')}`, '7:7'],
  ['spec.config', `kind: OpenTelemetryCollector\nspec:\n  config: |\n${indented('    ')}`, '5:7'],
  ['spec.config', `kind: Service\n---\nkind: OpenTelemetryCollector\nspec:\n  config: |\n${indented('    ')}`, '7:7'],
  ['data.relay', `kind: ConfigMap\ndata:\n  other: x\n  relay: |\n${indented('    ')}`, '6:7'],
];

t.test('a configuration inside its wrapper is found, with one warning and true places', async (t) => {
  for (const [under, text, place] of wrapped) {
    const { configuration, faults } = await loadConfiguration([`yaml:${text}`], { environment: {} });
    t.same(configuration?.raw, { receivers: { otlp: null }, service: { pipelines: null } }, under);
    t.equal(faults.length, 1, under);
    t.match(faults[0]?.message, `the configuration lies under ${under} (`);
    const { line, column } = locate(configuration!, { severity: 'error', path: ['receivers', 'otlp'], message: '' });
    t.equal(`${line}:${column}`, place, under);
  }
});

t.test('several configurations in one file are refused by name', async (t) => {
  const text = `open_telemetry_collectors:\n  a:\n    config:\n${indented('      ')}\n  b:\n    config:\n${indented('      ')}`;
  const { raw, lines } = await load(text);
  t.equal(raw, undefined);
  t.match(lines, [/several configurations \(open_telemetry_collectors.a.config, open_telemetry_collectors.b.config\)/]);
});
