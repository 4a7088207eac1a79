/** `ringtail check`: exit codes, what goes where, the effective configuration, the JSON Schema, and warnings with figures. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { type CheckOptions, runCheck } from '../../src/main/commands/check.ts';
import { duration, headers, list, object, presence, secret, string, uint } from '../../src/main/config/fields.ts';
import { surprises } from '../../src/main/config/surprises/surprises.ts';
import type { ComponentType } from '../../src/main/pipeline/component.ts';
import { load } from './load-rig.ts';

const never = (): never => {
  throw new Error('A check creates nothing.');
};
const queue = presence(object({ endpoint: string(), size: uint().default(1000) })).optional();
const types: readonly ComponentType[] = [
  {
    kind: 'receiver',
    type: 'otlp',
    schema: object({
      endpoint: string().default('localhost:4317'),
      protocols: object({ grpc: queue, other: queue }, { unknownKeys: 'ignore' }),
    }),
    create: never,
  },
  {
    kind: 'processor',
    type: 'tail_sampling',
    schema: object({
      decision_wait: duration().default(30_000).describe('How long.'),
      num_traces: uint(),
      policies: list(object({ name: string() }, { unknownKeys: 'ignore' })),
    }),
    create: never,
  },
  {
    kind: 'processor',
    type: 'batch',
    schema: object({ timeout: duration().default(200), send_batch_size: uint() }, { renamed: { size: 'send_batch_size' } }),
    create: never,
  },
  { kind: 'exporter', type: 'googlecloud', schema: object({ project: string(), headers: headers(), token: secret() }), create: never },
];

const environment = { TOKEN: 'hunter2', WAIT: '5s' };

async function check(options: CheckOptions) {
  const printed = { out: '', err: '' };
  const code = await runCheck(options, {
    componentTypes: types,
    environment,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
  });
  return { code, ...printed, lines: printed.err.trimEnd().split('\n') };
}

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

t.test("the seed's sampler file is valid with its three warnings, and its fixed form without any", async (t) => {
  const { code, out, lines } = await check({ files: [fixture('backend-collector.yaml')], fix: true });
  t.equal(code, 0);
  t.equal(lines.length, 4);
  t.match(lines, [/backend-collector.yaml:9:3: warning: /, /:22:13: warning: /, /:33:13: warning: /, /^valid, with 3 warnings$/]);
  const again = await check({ files: [`yaml:${out}`] });
  t.same([again.code, again.out, again.err], [0, '', 'valid\n']);
});

t.test('a refused configuration is exit code 2, and still fixed as far as its forms go', async (t) => {
  const { code, out, lines } = await check({ files: [fixture('operator-collector.yaml')], fix: true });
  t.equal(code, 2);
  t.match(lines.at(-1), /^refused: 1 error, \d warnings$/);
  t.match(lines.join('\n'), /the exporter loadbalancing is not built yet; built are: googlecloud/);
  t.match(out, /^receivers:\n {2}otlp:\n/);
  t.equal((await check({ files: ['no-such-file.yaml'], fix: true, print: true })).code, 2);
  t.equal((await check({ files: [] })).code, 2);
});

const full = `receivers:
  otlp:
    protocols:
      grpc:
processors:
  tail_sampling: {decision_wait: "\${env:WAIT}", policies: [{name: 5s}]}
  batch: {size: 5}
exporters:
  googlecloud:
    project: "\${TOKEN}-x"
    token: "\${TOKEN}"
    headers: {authorization: "Bearer \${TOKEN}"}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [tail_sampling, batch], exporters: [googlecloud]}
`;

t.test('--print shows what takes effect, with defaults, and no secret', async (t) => {
  const { code, out } = await check({ files: [`yaml:${full.replace('-x', '')}`], print: true, sets: ['processors.batch.size=7'] });
  t.equal(code, 0);
  t.same(parse(out), {
    receivers: { otlp: { endpoint: 'localhost:4317', protocols: { grpc: { size: 1000 } } } },
    processors: {
      tail_sampling: { decision_wait: '5s', policies: [{ name: '5s' }] },
      batch: { timeout: '200ms', send_batch_size: 7 },
    },
    exporters: { googlecloud: { project: 'hunter2', headers: { authorization: '[REDACTED]' }, token: '[REDACTED]' } },
    service: {
      pipelines: { traces: { receivers: ['otlp'], processors: ['tail_sampling', 'batch'], exporters: ['googlecloud'] } },
      telemetry: parse(out).service.telemetry,
    },
  });
  t.equal(parse(out).service.telemetry.metrics.level, 'normal');
  t.equal(out.split('hunter2').length, 2, 'only where it is no secret');
});

t.test('secrets stay out of findings', async (t) => {
  const { err } = await check({
    files: [`yaml:${full.replace('{authorization: "Bearer ${TOKEN}"}', '[{name: a, value: [hunter2]}, {name: b, value: 4711}]')}`],
  });
  t.match(err, /exporters.googlecloud.headers\[0\].value: expected type 'string'/);
  t.match(err, /exporters.googlecloud.headers\[1\].value: expected type 'string', got unconvertible type 'int'/);
  t.notMatch(err, /hunter2|4711/);
});

t.test('--print-schema describes every field', async (t) => {
  const { code, out } = await check({ files: [], printSchema: true });
  t.equal(code, 0);
  const schema = JSON.parse(out);
  const sampler = schema.properties.processors.patternProperties['^(tail_sampling)(/.+)?$'].anyOf[0];
  t.equal(sampler.additionalProperties, false);
  t.match(sampler.properties.decision_wait, {
    description: 'How long.',
    default: '30s',
    anyOf: [{ type: ['string', 'integer'] }, {}, { type: 'null' }],
  });
  t.equal(sampler.properties.policies.anyOf[0].items.anyOf[0].properties.name.anyOf[0].type, 'string');
});

const policies = (text: string) => `processors:\n  tail_sampling:\n    decision_wait: 10s\n    num_traces: 1000\n    policies: [${text}]\n`;

/** What loads but surprises: the configuration, and what is said. */
const surprising: readonly (readonly [text: string, path: string, message: RegExp])[] = [
  [
    policies('{name: a, type: probabilistic, probabilistic: {sampling_percentage: 0.1}}'),
    'sampling_percentage',
    /0\.1 is 0\.1 %, a tenth of a percent: 1 trace of 1,000; if 10 % is meant, write 10/,
  ],
  [
    policies('{name: a, type: probabilistic, probabilistic: {sampling_percentage: 0.05}}'),
    'sampling_percentage',
    /1 trace of 2,000; if 5 % is meant/,
  ],
  [policies('{name: a, type: probabilistic, probabilistic: {sampling_percentage: 150}}'), 'sampling_percentage', /150 % keeps everything/],
  [policies('{name: a, type: probabilistic}'), '', /^$/],
  [policies('{name: a, type: status_code, status_code: {status_codes: [ERROR, UNSET]}}'), '1', /nearly every trace is kept/],
  [
    policies('{name: a, type: and, and: {and_sub_policy: [{type: status_code, status_code: {status_codes: [UNSET]}}]}}'),
    '0',
    /nearly every trace is kept/,
  ],
  [
    policies('{name: a, type: numeric_attribute, numeric_attribute: {key: k, min_value: 0, max_value: 9}}'),
    'min_value',
    /0 counts as not set: there is no lower bound/,
  ],
  [
    policies('{name: a, type: numeric_attribute, numeric_attribute: {key: k, min_value: 3, max_value: 0.50}}'),
    'max_value',
    /0\.5 counts as not set: there is no upper bound/,
  ],
  [policies('{name: a, type: latency, latency: {threshold_ms: 10000}}'), 'threshold_ms', /10000 ms is not below the decision wait \(10s\)/],
  [
    policies(
      '{name: a, type: composite, composite: {max_total_spans_per_second: 1000, composite_sub_policy: [{name: x, type: always_sample}, {name: y, type: always_sample}, {name: z, type: always_sample}], rate_allocation: [{policy: x, percent: 50}, {policy: y, percent: 25}]}}',
    ),
    'rate_allocation',
    /1083 of 1000 spans per second \(x 500, y 250, z 333\)/,
  ],
  [
    policies('{name: a, type: always_sample}'),
    'num_traces',
    /1000 traces are room for 0\.5 s at 2,000 traces\/s, and the decision wait is 10s: .*; 20000 are needed/,
  ],
  [
    policies('{name: a, type: always_sample}, {name: b, type: trace_flags}, {name: c, type: drop}'),
    '0',
    /samples every trace, so the other policies \(b\) change nothing/,
  ],
  [
    'service: {pipelines: {traces: {processors: [memory_limiter, batch/x], exporters: [nop, loadbalancing/a]}}}',
    '1',
    /batch\/x in front of loadbalancing\/a answers senders before a backend has the spans/,
  ],
];

t.test('numbers that surprise are told with the figure', async (t) => {
  for (const [text, path, message] of surprising) {
    const { raw } = await load(text);
    const options = path === 'num_traces' ? { tracesPerSecond: 2000 } : {};
    const found = surprises(raw!, options);
    t.equal(found.length, path === '' ? 0 : 1, text);
    if (path !== '') t.match([String(found[0]?.path.at(-1)), found[0]?.message], [path, message], text);
  }
});

t.test('what does not surprise is not told', async (t) => {
  const text = policies(
    '{name: a, type: probabilistic, probabilistic: {sampling_percentage: 10}}, {name: b, type: status_code, status_code: {status_codes: [ERROR]}}, {name: c, type: latency, latency: {threshold_ms: 1000}}, {name: d, type: numeric_attribute, numeric_attribute: {key: k, min_value: 1}}',
  );
  t.same(surprises((await load(text)).raw!, { tracesPerSecond: 99 }), []);
});
